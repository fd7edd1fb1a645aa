# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor's own log, opened by a shell's >>, as most inits have it."""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path

import guard
from program import FOSTERD, fosterd_environment, system_python

FULL = b"x" * (1 << 20)


def wait_for(condition, what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not in 20 s"
        time.sleep(0.02)


def test_a_log_that_has_become_too_long_makes_way_for_a_new_one():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "jobs").mkdir()
        (folder / "log").mkdir()
        log = folder / "log" / "fosterd.log"
        log.write_bytes(FULL)
        words = (
            system_python(), FOSTERD, f"--confdir={folder}/jobs", f"--rundir={folder}/run", f"--logdir={folder}/log"
        )  # fmt: skip
        daemon = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {' '.join(words)} </dev/null >>{log} 2>&1"], env=fosterd_environment(folder)
        )
        guard.watch_over(daemon.pid)
        wait_for((folder / "run" / "control").exists, "the supervisor")
        (folder / "jobs" / "wrong.conf").write_text("no such stanza\n")
        wait_for(lambda: log.exists() and "wrong.conf:1" in log.read_text(), "a line in the new file")
        daemon.terminate()
        assert daemon.wait(30) == 0
        assert (folder / "log" / "fosterd.log.1").read_bytes() == FULL
