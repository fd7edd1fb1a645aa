# SPDX-License-Identifier: GPL-3.0-or-later
"""A place for daemons: a runner that stands in for an init, and an end for everything that a test starts."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Optional

import guard
import pytest
from ansible_collections.foster.init.plugins.module_utils.ansible import daemon as daemons
from ansible_collections.foster.init.plugins.module_utils.ansible import daemon_options
from ansible_collections.foster.init.plugins.module_utils.ansible.daemon_start import Choice
from ansible_collections.foster.init.plugins.module_utils.inits.launch import Launch, Started
from ansible_collections.foster.init.plugins.module_utils.processes.escape import Proof

DEFAULTS: dict[str, Any] = {
    "state": "started", "chdir": "/", "background": False, "make_pidfile": False, "remove_pidfile": False,
    "notify_await": False, "notify_timeout": 30.0, "stay_up": 0.05, "no_close": False, "on_outdated": "none",
    "use": "auto",
}  # fmt: skip
MARK = "FOSTER_TEST_DAEMON"
_START = """
import os, sys
if os.fork(): os._exit(0)
os.setsid()
child = os.fork()
if child:
    print(child, flush=True)
    os._exit(0)
null = os.open(os.devnull, os.O_RDWR)
for number in (0, 1, 2): os.dup2(null, number)
os.execv(sys.argv[1], sys.argv[1:])
"""


class Orphans:
    """Start programs as orphans, as an init would; every one carries a marker by which the test finds it again."""

    name = "foster"
    pid = 1
    user = False

    def __init__(self, marker: str) -> None:
        self.marker = marker

    def start(self, launch: Launch) -> Started:
        done = subprocess.run(
            [sys.executable, "-IS", "-c", _START, *launch.command],
            env={**os.environ, MARK: self.marker, "UNIT": launch.unit},
            stdout=subprocess.PIPE,
            check=True,
        )
        pid = int(done.stdout)
        guard.watch_over(pid)
        program = os.path.realpath(launch.command[0])
        _wait(lambda: not _runs(pid) or _executes(pid, program))
        deadline = time.monotonic() + launch.stay_up
        while _runs(pid) and time.monotonic() < deadline:
            time.sleep(0.005)
        return Started(pid, self.name, launch.unit)

    def stop(self, name: str, timeout: float) -> bool:
        return False

    def main_pid(self, name: str) -> int:
        return 0

    def all(self) -> list[int]:
        """Return the pids of everything of this test that runs."""
        wanted = f"{MARK}={self.marker}".encode()
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) != os.getpid():
                with contextlib.suppress(OSError):
                    if wanted in Path(f"/proc/{name}/environ").read_bytes().split(b"\0"):
                        found.append(int(name))
        return sorted(found)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _wait(done: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Return what ``done`` gives when it is true; what it looks at tells nobody when it changes."""
    deadline = time.monotonic() + seconds
    while True:
        found = done()
        if found:
            return found
        assert time.monotonic() < deadline, "waited for in vain"
        time.sleep(0.01)


class Place:
    """A folder with programs, pidfiles and records of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runner = Orphans(str(folder))
        self.children: list[subprocess.Popen[bytes]] = []
        self.warnings: list[str] = []

    def program(self, name: str = "daemon", source: str = "/bin/sleep") -> str:
        """Return the path of a program that is nobody else's: a copy of sleep(1)."""
        path = self.folder / name
        temporary = self.folder / f"{name}.new"
        shutil.copy(os.path.realpath(source), temporary)
        temporary.rename(path)
        return str(path)

    def script(self, name: str = "script", body: str = "import time\ntime.sleep(1000)\n", line: str = "") -> str:
        path = self.folder / name
        path.write_text(f"#!{line or os.path.realpath(sys.executable)}\n{body}")
        path.chmod(0o755)
        return str(path)

    def pidfile(self, name: str = "x.pid") -> str:
        return str(self.folder / name)

    def run(self, check: bool = False, **options: Any) -> dict[str, Any]:
        """Run the task; return what it returns."""
        request = daemon_options.read({**DEFAULTS, **options}, check)
        task = daemons.Daemon(request, str(self.folder / "records"), lambda _use: Choice(self.runner))
        result = {**task.run(), **task.difference.result(False)}
        self.warnings = task.warnings
        return result

    def spawn(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a process by hand, as a child of the test."""
        child = subprocess.Popen(command, env={**os.environ, MARK: self.runner.marker}, stdin=subprocess.DEVNULL)
        self.children.append(child)
        guard.watch_over(child.pid)
        program = os.path.realpath(command[0])
        _wait(lambda: child.poll() is not None or _executes(child.pid, program))
        return child

    def runs(self, pid: Optional[int]) -> bool:
        return pid is not None and _runs(pid)

    def wait(self, done: Callable[[], Any]) -> Any:
        return _wait(done)

    def close(self) -> None:
        for _round in range(200):
            left = [pid for pid in self.runner.all() if _runs(pid)]
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not left:
                break
            time.sleep(0.01)
        for child in self.children:
            child.kill()
            child.wait()


def _executes(pid: int, program: str) -> bool:
    """Return whether the process has got as far as its program; of a script, its interpreter."""
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return os.fsencode(program) in (os.fsencode(os.readlink(f"/proc/{pid}/exe")), *words[:4])
    return False


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Where the machine's orphans go is another test's: here everybody has escaped."""
    monkeypatch.setattr(
        daemons.Daemon, "_proof", lambda _self, pid, _runner: Proof(pid, 1, "init", pid, "/", True, "for the test")
    )
    made = Place(tmp_path)
    yield made
    made.close()
