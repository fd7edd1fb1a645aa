# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever starts a job at the same instant, there is one copy of it."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

from program import fosterd_environment, system_python

STARTER = str(Path(__file__).with_name("starter.py"))
KINDS = ("task", "ctl", "task", "ctl")
ROUNDS = 15


def test_two_tasks_and_two_commands_that_start_a_job_at_one_instant_make_one_copy(supervisor):
    supervisor.define("a", "exec sleep 1000\n")
    barriers = supervisor.folder / "barriers"
    barriers.mkdir()
    locks = [os.open(barriers / str(number), os.O_RDWR | os.O_CREAT, 0o644) for number in range(ROUNDS)]
    environment, address = fosterd_environment(supervisor.folder), f"unix:path={supervisor.folder}/run/control"
    starters: list[subprocess.Popen[str]] = []
    try:
        for lock in locks:
            fcntl.flock(lock, fcntl.LOCK_EX)
        for kind in KINDS:
            command = [system_python(), STARTER, kind, address, str(supervisor.jobs), "a", str(barriers), str(ROUNDS)]
            # In a session of its own, as a task that came in over ssh: the supervisor was not started from there.
            starters.append(
                subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)
            )
        for number, lock in enumerate(locks):
            assert [each.stdout.readline() for each in starters] == ["ready\n"] * len(KINDS), f"round {number}"
            fcntl.flock(lock, fcntl.LOCK_UN)
            said = [each.stdout.readline().strip() for each in starters]
            assert set(said) <= {"started", "there"}, f"round {number}"
            assert "started" in said
            assert supervisor.copies() == [supervisor.main("a")]
            supervisor.call("a", "Stop")
        assert [each.wait(60) for each in starters] == [0] * len(KINDS)
        ended = supervisor.history("a")
        assert len({each["pid"] for each in ended}) == len(ended) == ROUNDS
    finally:
        for each in starters:
            if each.poll() is None:
                each.kill()
            each.communicate()
        for lock in locks:
            os.close(lock)
