# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor where no init can be asked, as in a container: a daemon of its own, below PID 1.

A double fork alone does not make it one: a subreaper among the ancestors (``systemd --user``, a terminal multiplexer, a
container's shim) would adopt it and take it along. So it is looked at, and ended again if it did not escape.
Between PID 1 and the supervisor stands a shell that starts it again when a signal has ended it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from typing import NoReturn

from ...processes.ancestry import cgroup
from ...processes.escape import proof
from ...processes.identity import Identity, identify, read_stat
from .. import detect
from ..errors import InitError
from . import running
from .interface import Change, HostingStatus
from .layout import Layout

_LOOK = 0.2  # seconds between two looks at whether a supervisor that is coming up still lives
# An end of its own ends the loop, and so do a start that failed and SIGTERM (143, which may come before it is handled);
# another signal (128 and more) is a death to repair. `trap :` and not "", which would be inherited.
_GUARD = 'trap : HUP INT QUIT; while "$@"; was=$?; [ $was -gt 128 ] && [ $was -ne 143 ]; do sleep 1; done'
_GUARD_NAME = "fosterd-guard"


class Nobody:
    """Host the supervisor without an init: it comes back when it is killed, and not by itself after a reboot."""

    name = "none"

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def verify(self, removing: bool = False) -> None:
        """Accept: there is no init that could refuse."""

    def prepare(self) -> None:
        """Do nothing: nobody has to be asked first."""

    def pending(self) -> tuple[Change, ...]:
        """Return nothing: there is no init that needs a file."""
        return ()

    def install(self) -> None:
        """Do nothing: there is no init to tell."""

    def traces(self) -> tuple[Change, ...]:
        """Return nothing."""
        return ()

    def remove(self) -> None:
        """End what came back between stop() and now."""
        self.stop(keep_jobs=False)

    def status(self) -> HostingStatus:
        """Return who answers at the socket."""
        pid = running.pid_of(self.layout)
        return HostingStatus(os.path.exists(self.layout.fosterd), False, pid is not None, pid)

    def start(self) -> None:
        """Start the supervisor below PID 1, return when it is ready; raise InitError when it did not escape."""
        if running.pid_of(self.layout) is not None:
            return
        if not os.access(self.layout.fosterd, os.X_OK):
            raise InitError(f"{self.layout.fosterd} is not there or cannot be executed: install the supervisor first")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            ready.bind("")  # the kernel chooses an abstract name, unix(7) "autobind"
            ready.settimeout(_LOOK)
            notify = "@" + ready.getsockname()[1:].decode("ascii")
            guard = _daemonise(self.layout, notify)
            try:
                self._check_escape(guard)
                self._wait_until_ready(guard, ready)
            except InitError:
                _end_all(guard)
                raise

    def stop(self, keep_jobs: bool) -> None:
        """End the supervisor with SIGTERM; its guard reaps it and ends, too."""
        guards = _guards(self.layout)
        running.end(self.layout, keep_jobs, running.terminate)
        # A guard that has seen the supervisor killed, just before, is about to bring it back.
        for guard in guards:
            running.terminate(guard)
            running.wait_until_gone(guard)
        running.end(self.layout, keep_jobs, running.terminate)

    def _check_escape(self, pid: int) -> None:
        stat = read_stat(pid)
        if stat is None:
            raise InitError(f"The supervisor ended at once; {running.last_words(self.layout)}")
        if stat.ppid != 1:
            raise InitError(running.adopted(stat.ppid))
        found = proof(pid, supervisor=1, user=self.layout.user)
        if not found.escaped:
            raise InitError(f"The supervisor cannot get away from here: {found.reason}")

    def _wait_until_ready(self, pid: int, ready: socket.socket) -> None:
        deadline = time.monotonic() + running.READY_TIMEOUT
        while time.monotonic() < deadline:
            try:
                if b"READY=1" in ready.recv(4096).split(b"\n"):
                    return
            except socket.timeout:
                stat = read_stat(pid)
                if stat is None or stat.state == "Z":
                    raise InitError(
                        f"The supervisor ended before it was ready; {running.last_words(self.layout)}"
                    ) from None
                if running.pid_of(self.layout) is not None:
                    return
        raise InitError(
            f"The supervisor was not ready within {running.READY_TIMEOUT:g} s; {running.last_words(self.layout)}"
        )


def _daemonise(layout: Layout, notify: str) -> int:
    """Start the guard in a session of its own, as an orphan; return its pid, whose parent is then final."""
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


def _guards(layout: Layout) -> list[Identity]:
    """Return the guards of the supervisor with these files, also while it is away."""
    wanted = (_GUARD_NAME, *layout.command)
    found = []
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        identity = identify(pid)
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
            words = tuple(os.fsdecode(word) for word in file.read(8192).split(b"\0"))
            if identity is not None and words[3:-1] == wanted and os.stat(file.fileno()).st_uid == os.geteuid():
                found.append(identity)
    return found


def _end_all(guard: int) -> None:
    """End a guard and what it has started, which is no good where it is: they are a process group of their own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(os.getpgid(guard), signal.SIGTERM)


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
    """Turn into the supervisor's guard, with nothing left of who asked for it but PATH, HOME and the like."""
    try:
        _leave_session_cgroup()
        os.chdir("/")
        os.umask(0o022)
        null = os.open("/dev/null", os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.closerange(3, min(os.sysconf("SC_OPEN_MAX"), 1 << 16))
        for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        guarded = ("/bin/sh", "-c", _GUARD, _GUARD_NAME, *layout.command)
        os.execve("/bin/sh", guarded, _environment(notify))
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
