# SPDX-License-Identifier: GPL-3.0-or-later
"""Run hard cases through dpkg's start-stop-daemon and through the module daemon, and print both outcomes side by side.

    tests/benchmarks/start_stop_daemon.py

Every program is a copy of its own in a temporary folder, so nobody else's process can be hit. What the one signals or
starts is looked up in /proc. The exit status is 1 when the module gets a case wrong.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]


def _load(name: str, path: Path) -> Any:
    """Load a module of the tests by its path: two of them are called conftest."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_load("namespace", REPOSITORY / "tests" / "conftest.py")
integration = _load("integration", REPOSITORY / "tests" / "integration" / "daemon" / "conftest.py")

SSD = shutil.which("start-stop-daemon", path="/usr/sbin:/sbin:/usr/bin:/bin")
RIGHT = "right"


class Case:
    """One place with a runner; ``theirs`` and ``ours`` do the same thing with the two tools."""

    def __init__(self, theirs: bool) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="foster-ssd-"))
        self.place = integration.Place(self.folder)
        self.theirs = theirs
        self.pidfile = self.place.pidfile()

    def do(self, state: str, **options: Any) -> str:
        """Start or stop; return "" when that went well, else what the tool said."""
        if not self.theirs:
            try:
                self.place.run(state=state, **{"stay_up": 1.0, **options})
            except Exception as error:  # whatever it says, it is the outcome
                return str(error)
            return ""
        command = [str(SSD), "--start" if state == "started" else "--stop", "--oknodo", "--quiet"]
        args = options.pop("args", [])
        for name, value in options.items():
            option = "--" + name.replace("_", "-")
            command += [option] if value is True else [] if value is False else [option, str(value)]
        environment = {**os.environ, integration.MARK: self.place.runner.marker}
        done = subprocess.run(
            [*command, "--", *args] if args else command, env=environment, capture_output=True, check=False, timeout=60
        )
        return (done.stderr.decode().strip() or f"exit status {done.returncode}") if done.returncode else ""

    def alive(self) -> list[int]:
        """Return everything of this case that runs, once nobody is on the way any more."""
        last: list[int] = []
        since = time.monotonic()
        while time.monotonic() - since < 0.3:
            found = [pid for pid in self.place.runner.all() if self.place.runs(pid)]
            if found != last:
                last, since = found, time.monotonic()
            time.sleep(0.02)
        return last

    def close(self) -> None:
        self.place.close()
        shutil.rmtree(self.folder)


def copies(case: Case, count: int = 1) -> str:
    found = len(case.alive())
    return RIGHT if found == count else f"{found} copies" if found > count else "not started"


def spared(case: Case, pid: int) -> str:
    case.alive()
    return RIGHT if case.place.runs(pid) else "STRANGER KILLED"


def script_again(case: Case) -> str:
    path = case.place.script(line=case.place.program("sh", "/bin/sh"), body="while :; do sleep 1000; done\n")
    mine = {"exec": path, "background": True}
    case.do("started", **mine)
    case.place.wait(case.alive)
    before = case.alive()
    case.do("started", **mine)
    added = [pid for pid in case.alive() if pid not in before]
    return "second copy" if added else RIGHT


def script_stop(case: Case) -> str:
    shell = case.place.program("sh", "/bin/sh")
    mine, other = (case.place.script(name, "read line < fifo\n", shell) for name in ("mine", "other"))
    os.mkfifo(case.folder / "fifo")
    with contextlib.chdir(case.folder) if hasattr(contextlib, "chdir") else _inside(case.folder):
        stranger, own = case.place.spawn(other), case.place.spawn(mine)
    case.do("stopped", exec=shell, startas=mine)
    return spared(case, stranger.pid) if not case.place.runs(own.pid) else "left running"


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def at_once(case: Case) -> str:
    options = {
        "exec": case.place.program(), "args": ["1000"], "background": True,
        "pidfile": case.pidfile, "make_pidfile": True,
    }  # fmt: skip
    both = [threading.Thread(target=lambda: case.do("started", **options)) for _each in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    return copies(case)


def _by_pidfile(case: Case, text: Callable[[int], str], old: bool = False) -> str:
    stranger = case.place.spawn(case.place.program("stranger"), "1000")
    Path(case.pidfile).write_text(text(stranger.pid))
    if old:
        os.utime(case.pidfile, (0, 0))
    case.do("stopped", pidfile=case.pidfile)
    return spared(case, stranger.pid)


def thread(case: Case) -> str:
    body = (
        "import sys, threading, time\nt = threading.Thread(target=time.sleep, args=(1000,))\nt.start()\n"
        "import os\nnew = sys.argv[1] + '.new'\nopen(new, 'w').write(str(t.native_id))\nos.rename(new, sys.argv[1])\n"
    )
    stranger = case.place.spawn(case.place.script("threads", body), case.pidfile)
    case.place.wait(lambda: os.path.exists(case.pidfile))
    case.do("stopped", pidfile=case.pidfile)
    return spared(case, stranger.pid)


def removed(case: Case) -> str:
    path = case.place.program()
    own = case.place.spawn(path, "1000")
    os.unlink(path)
    said = case.do("stopped", exec=path)
    case.alive()
    return RIGHT if not case.place.runs(own.pid) else f"refused: {said[:40]}"


def replaced(case: Case) -> str:
    path = case.place.program()
    case.place.spawn(path, "1000")
    case.place.program()
    case.do("started", exec=path, args=["1000"], background=True)
    return copies(case)


def zombie(case: Case) -> str:
    path = case.place.program()
    child = case.place.spawn(path, "0")
    case.place.wait(lambda: not case.place.runs(child.pid))
    Path(case.pidfile).write_text(str(child.pid))
    case.do("started", startas=path, args=["1000"], background=True, pidfile=case.pidfile, make_pidfile=True)
    return copies(case)


def ends_at_once(case: Case) -> str:
    said = case.do(
        "started", exec=case.place.program(), args=["0"], background=True, pidfile=case.pidfile, make_pidfile=True
    )
    case.alive()
    left = os.path.exists(case.pidfile)
    return RIGHT if said and not left else f"says started{', leaves a pidfile' if left else ''}"


def not_executable(case: Case) -> str:
    path = case.place.program()
    os.chmod(path, 0o644)
    return RIGHT if case.do("started", exec=path, background=True) else "says started"


def lost_pidfile(case: Case) -> str:
    path = case.place.program()
    case.place.spawn(path, "1000")
    case.do("started", exec=path, args=["1000"], background=True, pidfile=case.pidfile)
    return copies(case)


def container(case: Case) -> str:
    path = case.place.program()
    case.place.spawn("/usr/bin/unshare", "--pid", "--fork", "--kill-child", path, "1000")
    inside = case.place.wait(lambda: [p for p in case.place.runner.all() if os.readlink(f"/proc/{p}/exe") == path])
    os.kill(inside[0], 0)
    case.do("stopped", exec=path, signal="KILL")
    return spared(case, inside[0])


CASES: dict[str, Callable[[Case], str]] = {
    "a script runs, start it again by exec": script_again,
    "stop one of two scripts by exec and startas": script_stop,
    "two starters at once": at_once,
    "stale pidfile, the pid went to a stranger": lambda case: _by_pidfile(case, str, old=True),
    "pidfile with 2^32 more than a stranger's pid": lambda case: _by_pidfile(case, lambda pid: str(2**32 + pid)),
    "pidfile with a pid and letters behind it": lambda case: _by_pidfile(case, lambda pid: f"{pid}x"),
    "pidfile with the number of a thread": thread,
    "the program was removed, stop by exec": removed,
    "the program was replaced, start by exec": replaced,
    "pidfile names a zombie, start": zombie,
    "the program ends at once": ends_at_once,
    "the program is not executable": not_executable,
    "the pidfile got lost, start": lost_pidfile,
    "the program runs in a container only, stop": container,
}


def main() -> int:
    """Print the table; return 1 when the module is wrong anywhere."""
    integration.daemons.Daemon._proof = lambda _self, pid, _runner: integration.Proof(pid, 1, "", pid, "/", True, "")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    wrong = 0
    print(f"{'case':48} {'start-stop-daemon':34} foster.init.daemon")
    for name, run in CASES.items():
        if run is container and os.geteuid() != 0:
            continue
        outcomes = []
        for theirs in (True, False):
            if theirs and SSD is None:
                outcomes.append("(not installed)")
                continue
            case = Case(theirs)
            try:
                outcomes.append(run(case))
            finally:
                case.close()
        wrong += outcomes[1] != RIGHT
        print(f"{name:48} {outcomes[0]:34} {outcomes[1]}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
