# SPDX-License-Identifier: GPL-3.0-or-later
"""Watch the supervisor come up and end, whoever hosts it: by its socket, its process and its ancestors."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from typing import Callable, Optional

from ...processes.escape import proof
from ...processes.identity import Identity, identify, is_alive, read_stat
from .. import detect
from ..errors import InitError
from .layout import Layout

READY_TIMEOUT = 30.0  # seconds for the supervisor to be started, read its jobs and listen
STOP_TIMEOUT = 90.0  # seconds for an orderly shutdown
_LOOK = 0.05  # seconds between two looks: there is nothing to wait on before it listens


def pid_of(layout: Layout) -> Optional[int]:
    """Return the pid of the supervisor that answers, None for nobody."""
    return detect.listener(layout.socket)


def wait_until_up(layout: Layout, init: str, nudge: Callable[[], None] = lambda: None) -> int:
    """Return the supervisor's pid when it answers and hangs on no login; raise InitError when it does not in time.

    ``init``: who was asked to start it. ``nudge`` is called between the looks.
    """
    deadline = time.monotonic() + READY_TIMEOUT
    pid = pid_of(layout)
    while not pid:
        if time.monotonic() > deadline:
            raise InitError(
                f"{init} has not brought up the supervisor within {READY_TIMEOUT:g} s; {last_words(layout)}"
            )
        nudge()
        time.sleep(_LOOK)
        pid = pid_of(layout)
    found = proof(pid, supervisor=1, user=layout.user)
    if not found.escaped:
        raise InitError(f"The supervisor (pid {pid}) was started by {init}, but {found.reason}")
    return pid


def keep_jobs(layout: Layout) -> None:
    """Let the next SIGTERM end the supervisor alone, and leave its jobs to the one that comes after it."""
    with open(os.open(keep_file(layout), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "wb"):
        pass


def keep_file(layout: Layout) -> str:
    """Return the file that says so; the supervisor removes an old one when it starts."""
    return os.path.join(os.path.dirname(layout.socket), "keep")


def end(layout: Layout, keep: bool, tell: Callable[[Identity], None]) -> bool:
    """Let ``tell`` ask the supervisor or its init to end it, and wait until it is gone; return whether there was one.

    ``keep``: its jobs go on.
    """
    pid = pid_of(layout)
    identity = identify(pid) if pid else None
    if identity is None:
        return False
    if keep:
        keep_jobs(layout)
    tell(identity)
    wait_until_gone(identity)
    return True


def terminate(identity: Identity) -> None:
    """Send SIGTERM to that very process."""
    try:
        if is_alive(identity):
            os.kill(identity.pid, signal.SIGTERM)
    except ProcessLookupError:
        pass
    except PermissionError as error:
        raise InitError(
            f"No permission to stop the supervisor (pid {identity.pid}): it belongs to another user"
        ) from error


def wait_until_gone(identity: Identity) -> None:
    """Return when the process has ended; raise InitError when it has not in time."""
    deadline = time.monotonic() + STOP_TIMEOUT
    with contextlib.suppress(OSError):  # a kernel before 5.3 has no pidfd: look now and then
        descriptor = os.pidfd_open(identity.pid)
        try:
            if is_alive(identity):
                poller = select.poll()
                poller.register(descriptor, select.POLLIN)
                poller.poll(STOP_TIMEOUT * 1000)
        finally:
            os.close(descriptor)
    while is_alive(identity):
        if time.monotonic() > deadline:
            raise InitError(f"The supervisor (pid {identity.pid}) has not ended within {STOP_TIMEOUT:g} s of SIGTERM")
        time.sleep(_LOOK)


def adopter() -> int:
    """Return the pid of who adopts an orphan of this process, found out by making one: PID 1, or a subreaper."""
    told, tell = os.pipe()
    answer, answering = os.pipe()
    between = os.fork()
    if between == 0:
        if os.fork() == 0:
            os.read(told, 1)
            os.write(answering, b"%d" % os.getppid())
        os._exit(0)
    try:
        os.waitpid(between, 0)
        os.write(tell, b"x")  # now it is an orphan
        return int(os.read(answer, 32))
    finally:
        for descriptor in (told, tell, answer, answering):
            os.close(descriptor)


def adopted(pid: int) -> str:
    """Return the sentence for a supervisor that ``pid``, a subreaper, would adopt."""
    stat = read_stat(pid)
    return (
        f"The supervisor cannot get away from here: orphans are adopted by {stat.name if stat else 'unknown'} "
        f"(pid {pid}), a subreaper, and would end with it; start it from outside of it, or let this host's init run it"
    )


def last_words(layout: Layout) -> str:
    """Return the last thing that the supervisor said, and where."""
    try:
        with open(layout.log, encoding="utf-8", errors="replace") as file:
            lines = file.read()[-4096:].splitlines()
    except OSError:
        lines = []
    return f"its log {layout.log} ends with: {lines[-1]}" if lines else f"its log is {layout.log}"
