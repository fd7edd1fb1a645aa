# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of jobs, whichever init runs them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.foster.init.plugins.module_utils.ansible.facts import Facts
from ansible_collections.foster.init.plugins.module_utils.processes.identity import boot_id, identify


class Init:
    """An init that is this process; ``jobs`` are what it describes."""

    pid = os.getpid()

    def __init__(self, **jobs: Any) -> None:
        self.jobs = jobs

    def describe(self, *names: str) -> dict[str, Any]:
        return {name: job for name, job in self.jobs.items() if not names or name in names}

    def explain(self, name: str, _instance: str) -> dict[str, Any]:
        return {"reason": f"{name} has failed", "failure": {"process": "main", "exit_status": 3}}


def job(*pids: int) -> dict[str, Any]:
    processes = [{"kind": "main", "pid": pid, "start_time": process.start_time} for pid in pids
                 if (process := identify(pid)) is not None]  # fmt: skip
    instances = [{"name": "", "goal": "start", "state": "running", "processes": processes}] if pids else []
    return {"name": "web", "digest": "d", "unread": False, "instances": instances}


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def test_a_process_is_told_with_its_identity_and_with_who_is_above_it(child: subprocess.Popen[bytes]) -> None:
    (told,) = Facts(Init(web=job(child.pid)), False).jobs("web")  # type: ignore[arg-type]
    (process,) = told["instances"][0]["processes"]
    own = identify(os.getpid())
    assert own is not None
    assert (process["pid"], process["ppid"], process["session"]) == (child.pid, own.pid, child.pid)
    assert process["boot_id"] == boot_id()
    assert process["parent"] == Path(f"/proc/{own.pid}/comm").read_text().strip()
    assert process["cgroup"].startswith("/")
    assert [proof["pid"] for proof in told["escape"]] == [child.pid]
    assert "unread" not in told
    assert "why_not_running" not in told


def test_nothing_is_told_of_whoever_has_got_the_pid_since(child: subprocess.Popen[bytes]) -> None:
    described = job(child.pid)
    described["instances"][0]["processes"][0]["start_time"] -= 1
    (told,) = Facts(Init(web=described), False).jobs(None)  # type: ignore[arg-type]
    assert set(told["instances"][0]["processes"][0]) == {"kind", "pid", "start_time", "boot_id"}


def test_of_a_job_that_does_not_run_it_is_told_why() -> None:
    (told,) = Facts(Init(web=job()), False).jobs("web", history=True)  # type: ignore[arg-type]
    assert told["why_not_running"]["reason"] == "web has failed"
    assert told["last_failure"] == {"process": "main", "exit_status": 3}
    assert "history" not in told  # only the supervisor keeps one


def test_a_job_that_is_not_there_is_no_job() -> None:
    assert Facts(Init(web=job()), False).jobs("other") == []  # type: ignore[arg-type]
