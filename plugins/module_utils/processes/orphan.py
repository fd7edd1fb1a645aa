# SPDX-License-Identifier: GPL-3.0-or-later
"""Who adopts an orphan from here, found out by making one: no file says which ancestor is a subreaper.

The orphan tells who its parent has become, and ends. Whether it is asked for its exit status then, tells whether its
new parent reaps. Where that never does, as with an ordinary program for PID 1, one zombie stays behind until it ends.
Source: prctl(2), PR_SET_CHILD_SUBREAPER.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import NamedTuple, NoReturn, Optional

from .identity import identify, read_stat

_ADOPTION_TIMEOUT = 10.0  # seconds; the kernel does it before the parent is gone
_REAP_TIMEOUT = 2.0  # seconds that an adopter gets to ask
_LOOK_AGAIN = 0.005


class OrphanError(Exception):
    """No orphan could be made; one sentence."""


class Adoption(NamedTuple):
    """``adopter``: the pid of the new parent, 0 when it is outside of our PID namespace. ``reaps``: None: not seen."""

    adopter: int
    reaps: Optional[bool]


def adopt(reap_timeout: float = _REAP_TIMEOUT) -> Adoption:
    """Make an orphan, ask it who has adopted it, end it and look whether it is reaped. Raise OrphanError."""
    told, tell = os.pipe()
    hold, release = os.pipe()
    try:
        between = os.fork()
        if between == 0:
            _between(tell, hold, release)
        os.close(tell)
        tell = -1
        with contextlib.suppress(ChildProcessError):  # where SIGCHLD is ignored, the kernel has reaped it
            os.waitpid(between, 0)
        words = os.read(told, 64).split()
        if len(words) != 2:
            raise OrphanError("No process could be made to find out who adopts orphans")
        orphan, adopter = int(words[0]), int(words[1])
        identity = identify(orphan)
        os.close(release)
        release = -1
        return Adoption(adopter, None if identity is None else _is_reaped(orphan, identity.start_time, reap_timeout))
    except OSError as error:
        raise OrphanError(f"No process could be made to find out who adopts orphans: {error.strerror}") from error
    finally:
        for descriptor in (told, tell, hold, release):
            if descriptor >= 0:
                os.close(descriptor)


def _between(tell: int, hold: int, release: int) -> NoReturn:
    """Be the parent that ends: what it leaves behind is the orphan."""
    with contextlib.suppress(OSError):
        os.close(release)  # or the orphan would never see that it was let go
        if os.fork() == 0:
            _orphan(os.getppid(), tell, hold)
    os._exit(0)


def _orphan(parent: int, tell: int, hold: int) -> NoReturn:
    with contextlib.suppress(OSError):
        deadline = time.monotonic() + _ADOPTION_TIMEOUT
        while os.getppid() == parent and time.monotonic() < deadline:
            time.sleep(_LOOK_AGAIN)
        os.write(tell, b"%d %d" % (os.getpid(), os.getppid()))
        os.close(tell)
        os.read(hold, 1)  # until it is let go, or whoever asks has ended
    os._exit(0)


def _is_reaped(pid: int, start_time: int, timeout: float) -> bool:
    deadline = time.monotonic() + _ADOPTION_TIMEOUT + timeout
    ended = False
    while time.monotonic() < deadline:
        stat = read_stat(pid)
        if stat is None or stat.start_time != start_time:
            return True
        if stat.state in ("Z", "X", "x") and not ended:
            ended, deadline = True, time.monotonic() + timeout
        time.sleep(_LOOK_AGAIN)
    return False
