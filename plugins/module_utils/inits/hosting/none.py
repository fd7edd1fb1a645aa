# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor where no init can be asked, as in a container: a daemon of its own, a child of PID 1.

A double fork alone does not make it one: a subreaper among the ancestors (``systemd --user``, a terminal multiplexer, a
container's shim) would adopt it and take it along. So it is looked at, and ended again if it did not escape.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from typing import NoReturn

from ...processes.ancestry import cgroup
from ...processes.escape import proof
from ...processes.identity import identify, open_pidfd, read_stat
from .. import detect
from ..errors import InitError
from .interface import HostingStatus
from .layout import Layout

READY_TIMEOUT = 30.0  # seconds for the supervisor to read its jobs and to listen
STOP_TIMEOUT = 90.0  # seconds for an orderly shutdown
_LOOK = 0.2  # seconds between two looks at whether a supervisor that is coming up still lives


class Nobody:
    """Host the supervisor without an init: it comes up when it is started, and not by itself after a reboot."""

    name = "none"

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def pending(self) -> dict[str, str]:
        """Return nothing: there is no init that needs a file."""
        return {}

    def install(self) -> bool:
        """Do nothing: there is no init to tell."""
        return False

    def remove(self) -> bool:
        """Do nothing: there is no init to tell."""
        return False

    def is_running(self) -> bool:
        """Return whether somebody answers at the supervisor's socket."""
        return detect.listener(self.layout.socket) is not None

    def status(self) -> HostingStatus:
        """Return who answers at the socket."""
        pid = detect.listener(self.layout.socket)
        return HostingStatus(os.path.exists(self.layout.fosterd), False, pid is not None, pid)

    def start(self) -> bool:
        """Start the supervisor as a child of PID 1, return when it is ready; raise InitError when it did not escape."""
        if self.is_running():
            return False
        if not os.access(self.layout.fosterd, os.X_OK):
            raise InitError(f"{self.layout.fosterd} is not there or cannot be executed: install the supervisor first")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            ready.bind("")  # the kernel chooses an abstract name, unix(7) "autobind"
            ready.settimeout(_LOOK)
            notify = "@" + ready.getsockname()[1:].decode("ascii")
            pid = _daemonise(self.layout, notify)
            try:
                self._check_escape(pid)
                self._wait_until_ready(pid, ready)
            except InitError:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
                raise
        return True

    def stop(self) -> bool:
        """End the supervisor with SIGTERM and wait until it is gone."""
        pid = detect.listener(self.layout.socket)
        identity = identify(pid) if pid else None
        if identity is None:
            return False
        descriptor = open_pidfd(identity)
        if descriptor is None:
            return False
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)
            poller = select.poll()
            poller.register(descriptor, select.POLLIN)
            if not poller.poll(STOP_TIMEOUT * 1000):
                raise InitError(f"The supervisor (pid {pid}) has not ended within {STOP_TIMEOUT:g} s of SIGTERM")
        except PermissionError as error:
            raise InitError(f"No permission to stop the supervisor (pid {pid}): it belongs to another user") from error
        finally:
            os.close(descriptor)
        return True

    def _check_escape(self, pid: int) -> None:
        stat = read_stat(pid)
        if stat is None:
            raise InitError(f"The supervisor ended at once; {self._log()}")
        if stat.ppid != 1:
            above = read_stat(stat.ppid)
            name = above.name if above else "unknown"
            raise InitError(
                f"The supervisor cannot get away from here: orphans are adopted by {name} (pid {stat.ppid}), a "
                "subreaper, and would end with it; start it from outside of it, or let this host's init run it"
            )
        found = proof(pid, supervisor=1, user=self.layout.user)
        if not found.escaped:
            raise InitError(f"The supervisor cannot get away from here: {found.reason}")

    def _wait_until_ready(self, pid: int, ready: socket.socket) -> None:
        deadline = time.monotonic() + READY_TIMEOUT
        while time.monotonic() < deadline:
            try:
                if b"READY=1" in ready.recv(4096).split(b"\n"):
                    return
            except socket.timeout:
                stat = read_stat(pid)
                if stat is None or stat.state == "Z":
                    raise InitError(f"The supervisor ended before it was ready; {self._log()}") from None
                if self.is_running():
                    return
        raise InitError(f"The supervisor was not ready within {READY_TIMEOUT:g} s; {self._log()}")

    def _log(self) -> str:
        """Return the last thing that the supervisor said, and where."""
        try:
            with open(self.layout.log, encoding="utf-8", errors="replace") as file:
                lines = file.read()[-4096:].splitlines()
        except OSError:
            lines = []
        return f"its log {self.layout.log} ends with: {lines[-1]}" if lines else f"its log is {self.layout.log}"


def _daemonise(layout: Layout, notify: str) -> int:
    """Start the supervisor in a session of its own, as an orphan; return its pid, whose parent is then final."""
    os.makedirs(os.path.dirname(layout.log), mode=0o755, exist_ok=True)
    log = os.open(layout.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    reader, writer = os.pipe()
    try:
        between = os.fork()
        if between == 0:
            _between(layout, notify, log, writer)
        os.close(writer)
        writer = -1
        os.waitpid(between, 0)
        told = os.read(reader, 32)
    finally:
        for descriptor in (log, reader, writer):
            if descriptor >= 0:
                os.close(descriptor)
    if not told.isdigit():
        raise InitError(f"The supervisor could not be started: {told.decode('utf-8', 'replace') or 'fork failed'}")
    return int(told)


def _between(layout: Layout, notify: str, log: int, writer: int) -> NoReturn:
    """Be the process that dies: make a session, fork the daemon, tell its pid."""
    try:
        os.setsid()
        pid = os.fork()
        if pid == 0:
            _become(layout, notify, log)
        os.write(writer, b"%d" % pid)
    except OSError as error:
        os.write(writer, (error.strerror or "?").encode()[:31])
    finally:
        os._exit(0)


def _become(layout: Layout, notify: str, log: int) -> NoReturn:
    """Turn into the supervisor, with nothing left of who asked for it but PATH, HOME and the like."""
    try:
        _leave_session_cgroup()
        os.chdir("/")
        os.umask(0o022)
        null = os.open("/dev/null", os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.closerange(3, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") < 1 << 16 else 1 << 16)
        for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.execve(layout.fosterd, layout.command, _environment(notify))
    except OSError as error:
        os.write(2, f"fosterd: {layout.fosterd}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def _environment(notify: str) -> dict[str, str]:
    kept = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment.update(
        {name: value for name, value in os.environ.items() if name.startswith("XDG_") and name.endswith(_XDG)}
    )
    environment.setdefault("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    environment["NOTIFY_SOCKET"] = notify
    return environment


_XDG = ("_HOME", "RUNTIME_DIR")


def _leave_session_cgroup() -> None:
    """Move into a control group outside of the login session, where the hierarchy is writable.

    Where it is not, the proof afterwards says so.
    """
    for controllers, path in cgroup(os.getpid()).all:
        if "session-" not in path and "user.slice" not in path:
            continue
        root = detect.cgroup_root(controllers)
        if root is None:
            continue
        target = os.path.join(root, "foster")
        with contextlib.suppress(OSError):
            os.makedirs(target, exist_ok=True)
            with open(os.path.join(target, "cgroup.procs"), "w", encoding="ascii") as file:
                file.write(str(os.getpid()))
