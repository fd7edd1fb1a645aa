# SPDX-License-Identifier: GPL-3.0-or-later
"""A supervisor in session mode in a folder of its own, with the environment that the recordings were made in."""

from __future__ import annotations

import contextlib
import math
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Optional

import guard

from .launch import launch
from .listener import Listener

_STARTED_WITHIN = 10.0  # seconds
_OPEN_FILES = 20000
_CLIENT = 0.1  # seconds that a client may take without getting into the way of a case
_LONGEST_STRETCH = 6
_SECONDS = re.compile(r"^(kill timeout |respawn limit \d+ )(\d+)$", re.MULTILINE)
_KILL_TIMEOUT = 5  # seconds, where a job file says nothing
_RUNS = re.compile(r"^(exec|script)\b", re.MULTILINE)
_COMMANDS = ("initctl", "start", "stop", "restart", "reload", "status", "emit", "list")


def build_forker(source: Path, folder: Path) -> Path:
    """Compile forker.c into `folder`. Raises RuntimeError when there is no C compiler."""
    return _compile(source, folder / "forker")


def _compile(source: Path, program: Path, *options: str) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise RuntimeError(f"no C compiler for {source}: install gcc (and the C library's headers)")
    subprocess.run([compiler, "-O1", "-w", *options, "-o", str(program), str(source)], check=True)
    return program


def stretch_for(seconds: float) -> int:
    """Return by how much the time of a case is to be stretched where a client takes `seconds`.

    The cases were recorded with a client that takes 4 ms on a machine with nothing else to do, and count on their
    sleeps being much longer than that. A machine that is slower, or busy, gets as much more time.
    """
    return min(max(1, math.ceil(seconds / _CLIENT)), _LONGEST_STRETCH)


def client_seconds(client: str) -> float:
    """Return how long a client takes now."""
    begun = time.monotonic()
    with launch([client, "--version"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        pass
    return time.monotonic() - begun


def _stretched(text: str, stretch: int) -> str:
    """Return a job file in which the seconds that init counts are stretched as well, also those it takes by itself."""
    text = _SECONDS.sub(lambda match: f"{match[1]}{int(match[2]) * stretch}", text)
    if _RUNS.search(text) and "kill timeout" not in text:
        text += f"\nkill timeout {_KILL_TIMEOUT * stretch}\n"
    return text


class Session:
    """The folder of one run and the supervisor in it; `close` ends everything that was started there."""

    def __init__(self, conf: Path, init: str, client: str, forker: Path, stretch: int = 1) -> None:
        """Lay out the folder with a copy of `conf`; nothing runs yet. A second of the case takes `stretch` seconds."""
        self.stretch = stretch
        self.base = Path(tempfile.mkdtemp(prefix="foster-conformance-"))
        self.conf, self.out, self.work = self.base / "conf", self.base / "out", self.base / "work"
        self.logs = self.base / "run" / "log"
        self._init = init
        self._process: Optional[subprocess.Popen[bytes]] = None
        self.listener: Optional[Listener] = None
        for folder in (self.out, self.work, self.logs, self.base / "bin"):
            folder.mkdir(parents=True)
        (self.base / "run").chmod(0o700)
        shutil.copytree(conf, self.conf)
        for path in (path for path in self.conf.rglob("*") if path.is_file()):
            path.chmod(0o644)
            text = path.read_text().replace("@FORKER@", str(forker))
            path.write_text(text if self.stretch == 1 else _stretched(text, self.stretch))
        if self.stretch > 1:
            source = Path(__file__).resolve().parent.parent / "sleep.c"
            _compile(source, self.base / "bin" / "sleep", f"-DSTRETCH={self.stretch}")
        for command in _COMMANDS:
            (self.base / "bin" / command).symlink_to(client)
        # In the recordings' order: GetState shows it.
        self.environment = {
            "PATH": f"{self.base}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "TERM": "dumb",
            "HOME": str(self.base),
            "XDG_RUNTIME_DIR": f"{self.base}/run",
            "OUT": str(self.out),
            "CONF": str(self.conf),
            "LC_ALL": "C",
            "USER": "root",
        }

    @property
    def address(self) -> str:
        """The D-Bus address of the supervisor; it stays the same over a re-exec, as the pid does."""
        return f"unix:abstract=/com/ubuntu/upstart-session/{os.getuid()}/{self.pid}"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("the supervisor was not started")
        return self._process.pid

    @property
    def client_environment(self) -> dict[str, str]:
        return {**self.environment, "UPSTART_SESSION": self.address}

    def start(self) -> None:
        """Start the supervisor and connect the listener. Raises RuntimeError with its output when that fails."""
        options = ["--user", "--confdir", str(self.conf), "--logdir", str(self.logs), "--no-startup-event"]
        with open(self.base / "init.log", "wb") as log:
            self._process = launch(
                [self._init, *options, "--no-dbus", "--debug"],
                env=self.environment,
                cwd=self.work,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                umask=0o022,
            )
        guard.watch_over(self.pid)
        # Jobs inherit it and one recording shows it.
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        with contextlib.suppress(OSError, ValueError):
            resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (_OPEN_FILES, max(hard, _OPEN_FILES)))
        self.connect()

    def connect(self) -> None:
        """Connect the listener, in place of the one before."""
        if self.listener is not None:
            self.listener.close()
            self.listener = None
        deadline = time.monotonic() + _STARTED_WITHIN
        while self.listener is None:
            try:
                self.listener = Listener(self.address)
            except OSError as problem:
                if self.exit_code() is not None or time.monotonic() > deadline:
                    said = (self.base / "init.log").read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"the supervisor does not answer at {self.address}: {problem}\n{said}") from None
                time.sleep(0.02)

    def asleep(self) -> bool:
        """Tell whether the supervisor has nothing to do, or has ended."""
        return self.exit_code() is not None or asleep(self.pid)

    def exit_code(self) -> Optional[int]:
        """Return the supervisor's exit code, None while it runs."""
        return self._process.poll() if self._process else None

    def files(self) -> dict[str, list[str]]:
        """Return the jobs' logs and the files in `$OUT`, by `job log NAME` and `OUT NAME`."""
        found: dict[str, list[str]] = {}
        for title, folder in (("job log", self.logs), ("OUT", self.out)):
            for path in sorted(folder.iterdir()):
                lines = path.read_bytes().decode("utf-8", "replace").split("\n")
                if lines[-1] == "":
                    lines.pop()
                found[f"{title} {path.name}"] = [line.rstrip("\r") for line in lines]
        return found

    def close(self) -> None:
        """Kill the supervisor and all that its jobs left, remove the folder."""
        if self.listener is not None:
            self.listener.close()
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        mark = f"OUT={self.out}".encode()
        for _attempt in range(100):
            family = [pid for pid in _pids() if mark in _environment(pid)]
            if not family:
                break
            for pid in family:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
        shutil.rmtree(self.base, ignore_errors=True)


def asleep(pid: int) -> bool:
    """Tell whether a process waits for something; one that is gone does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"
    except OSError:
        return False


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []
