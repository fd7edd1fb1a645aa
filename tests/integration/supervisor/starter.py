# SPDX-License-Identifier: GPL-3.0-or-later
"""One of several that start the same job: starter.py KIND ADDRESS JOBS JOB BARRIERS ROUNDS.

KIND is `task`, what the module job does, or `ctl`, fosterctl. Before each round it says `ready` and waits until the
round's file among BARRIERS is unlocked, as everybody else does; then it starts the job, and says `started`, `there`
(it ran already) or what went wrong.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "plugins"))

from module_utils.ansible.converge import Convergence, Request
from module_utils.ansible.supervisor import Supervisor
from module_utils.cli.main import main as fosterctl

# The supervisor of a test is the test's own child, which a task would rightly refuse.
Convergence._check_escaped = lambda _self, _init: None


def by_task(address: str, jobs: str, job: str) -> str:
    request = Request(name=job, folder=jobs, state="started", stay_up=0.0)
    outcome = Convergence(request, lambda: Supervisor.open(address, jobs)).run()
    return "started" if outcome.difference.changed else "there"


def by_fosterctl(address: str, _jobs: str, job: str) -> str:
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        status = fosterctl(["fosterctl", f"--address={address}", "start", job])
    if status == 0:
        return "started"
    return "there" if "already running" in said.getvalue() else said.getvalue()


def main() -> None:
    kind, address, jobs, job, barriers, rounds = sys.argv[1:]
    start = {"task": by_task, "ctl": by_fosterctl}[kind]
    for number in range(int(rounds)):
        barrier = os.open(os.path.join(barriers, str(number)), os.O_RDONLY)
        print("ready", flush=True)
        fcntl.flock(barrier, fcntl.LOCK_SH)
        try:
            result = start(address, jobs, job)
        except Exception as error:
            result = repr(error)
        print(result.replace("\n", " "), flush=True)


main()
