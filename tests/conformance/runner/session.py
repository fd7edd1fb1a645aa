# SPDX-License-Identifier: GPL-3.0-or-later
"""A supervisor in session mode in a folder of its own, with the environment that the recordings were made in."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Optional

from .listener import Listener

_STARTED_WITHIN = 10.0  # seconds
_OPEN_FILES = 20000
_COMMANDS = ("initctl", "start", "stop", "restart", "reload", "status", "emit", "list")


def build_forker(source: Path, folder: Path) -> Path:
    """Compile forker.c into `folder`. Raises RuntimeError when there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise RuntimeError("no C compiler for tests/conformance/forker.c: install gcc (and the C library's headers)")
    program = folder / "forker"
    subprocess.run([compiler, "-O1", "-w", "-o", str(program), str(source)], check=True)
    return program


class Session:
    """The folder of one run and the supervisor in it; `close` ends everything that was started there."""

    def __init__(self, conf: Path, init: str, client: str, forker: Path) -> None:
        """Lay out the folder with a copy of `conf`; nothing runs yet."""
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
            path.write_text(path.read_text().replace("@FORKER@", str(forker)))
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
            self._process = subprocess.Popen(
                [self._init, *options, "--no-dbus", "--debug"],
                env=self.environment,
                cwd=self.work,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                umask=0o022,
            )
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


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []
