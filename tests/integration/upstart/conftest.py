# SPDX-License-Identifier: GPL-3.0-or-later
"""A session init that speaks Upstart's interface, apart from this login session.

It is our own supervisor in its session mode, or the real thing where UPSTART_INIT names Upstart's program.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import guard
import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[2] / "plugins")]

from module_utils.ansible.converge import Convergence, Outcome, Request
from module_utils.ansible.jobset import JobSet, Member, Result
from module_utils.ansible.jobset import Request as SetRequest
from module_utils.inits.interface import main_pid
from module_utils.inits.upstart.init import Upstart
from module_utils.processes import escape

FOSTERD = HERE.parents[2] / "hacking" / "fosterd"


class Session:
    """One session init in a folder of its own; ``close`` ends it with all of its jobs."""

    def __init__(self, program: list[str], base: Path) -> None:
        self.jobs, self.logs, self.base = base / "conf", base / "log", base
        for folder in (self.jobs, self.logs, base / "run"):
            folder.mkdir()
        (base / "run").chmod(0o700)
        self.environ = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(base),
            "XDG_RUNTIME_DIR": str(base / "run"),
        }
        options = ["--user", "--confdir", str(self.jobs), "--logdir", str(self.logs), "--no-startup-event", "--no-dbus"]
        with open(base / "output", "wb") as output:
            # Its parent ends at once, so whoever adopts orphans here is above it, as above an init.
            subprocess.run(
                ["setsid", "--fork", *program, *options],
                env=self.environ, cwd=base, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=True,
            )  # fmt: skip
        self.pid = self._pid()
        guard.watch_over(self.pid)
        self.environ["UPSTART_SESSION"] = f"unix:abstract=/com/ubuntu/upstart-session/{os.getuid()}/{self.pid}"
        self._answers()

    def init(self) -> Upstart:
        """Return a new connection, as a task makes it."""
        return Upstart.open(self.environ, user=True)

    def task(self, name: str, state: str = "started", **options: Any) -> Outcome:
        """Do what a task of the module job does."""
        options = {"user": True, "stay_up": 0.2, "wait_timeout": 60.0, **options}
        opened: list[Upstart] = []
        try:
            request = Request(name=name, folder=str(self.base / "none"), state=state, **options)
            return Convergence(request, lambda: opened.append(self.init()) or opened[0]).run()
        finally:
            for each in opened:
                each.close()

    def set(self, texts: dict[str, Optional[str]], state: str = "started", **options: Any) -> Result:
        """Do what a task of the module jobs does."""
        check = options.get("check", False)
        folder = str(self.base / "none")
        jobs = [Request(name, folder, state, text=text, check=check, user=True) for name, text in texts.items()]
        init = self.init()
        try:
            options = {"user": True, "stay_up": 0.2, **options}
            return JobSet(SetRequest(tuple(map(Member, jobs)), folder, **options), lambda: init).run()
        finally:
            init.close()

    def main(self, name: str) -> int:
        """Return the main process of a job without instances."""
        init = self.init()
        try:
            pid = main_pid(init.instance(name, ""))
        finally:
            init.close()
        assert pid is not None
        return pid

    def close(self) -> None:
        """End it, as a logout does, and wait until nothing is left."""
        left = [self.pid, *_family(self.environ["XDG_RUNTIME_DIR"])]
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        if _wait_for(lambda: not any(map(_alive, left)), 30):
            return
        for pid in [*left, *_family(self.environ["XDG_RUNTIME_DIR"])]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _wait_for(lambda: not any(map(_alive, left)), 30)

    def _pid(self) -> int:
        found: list[int] = []

        def there() -> bool:
            family = _family(self.environ["XDG_RUNTIME_DIR"])
            found[:] = [pid for pid in family if b"--confdir" in _read(pid, "cmdline").split(b"\0")]
            return len(found) == 1

        assert _wait_for(there, 30), (self.base / "output").read_text()
        return found[0]

    def _answers(self) -> None:
        problem: list[Optional[Exception]] = [None]

        def answers() -> bool:
            try:
                self.init().close()
            except Exception as error:  # whatever it is, it is shown in the end
                problem[0] = error
                return False
            return True

        assert _wait_for(answers, 30), f"{problem[0]}\n{(self.base / 'output').read_text()}"


def _family(runtime: str) -> list[int]:
    mark = f"XDG_RUNTIME_DIR={runtime}".encode()
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
    return [pid for pid in pids if mark in _read(pid, "environ").split(b"\0")]


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def _alive(pid: int) -> bool:
    return _read(pid, "stat").rpartition(b")")[2].split()[:1] not in ([], [b"Z"])


def _wait_for(condition: Any, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture(scope="module")
def running() -> Iterator[Session]:
    base = Path(tempfile.mkdtemp(prefix="foster-upstart-"))
    program = [os.environ["UPSTART_INIT"]] if os.environ.get("UPSTART_INIT") else [sys.executable, str(FOSTERD)]
    session = None
    try:
        session = Session(program, base)
        yield session
    finally:
        if session is not None:
            session.close()
        shutil.rmtree(base, ignore_errors=True)


@pytest.fixture
def session(running: Session, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """The init without jobs."""
    # Who runs the tests may be logged in, and then all of it stands in the control group of that login.
    monkeypatch.setattr(escape, "_bound_by_group", lambda _groups, _user: None)
    yield running
    for path in sorted(running.jobs.glob("*.conf")):
        running.task(path.stem, "absent")
    assert list(running.jobs.iterdir()) == []
