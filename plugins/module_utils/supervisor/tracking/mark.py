# SPDX-License-Identifier: GPL-3.0-or-later
"""A number that every process of an instance carries and cannot lose by accident: the soft limit of file locks.

RLIMIT_LOCKS has had no meaning since Linux 2.4.25, but it is still inherited by every fork, kept by every exec, by
setsid and by a change of user, and shown to everybody in /proc/PID/limits, even for a zombie. So it tells whose a
daemon is that has left its session, has closed everything and has cleared its environment, where there is no cgroup.
A process that sets this very limit on purpose is not told any more; nothing known does.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Optional

from . import proc

_RLIMIT_LOCKS = 10  # asm-generic/resource.h, the same on every architecture
_NAME = b"Max file locks"


def new() -> int:
    """Return a mark that no other supervisor has given out: 61 random bits, never 0."""
    return int.from_bytes(os.urandom(8), "big") >> 3 | 1


def of(pid: int) -> Optional[int]:
    """Return the mark of ``pid``, living or zombie; None where it has none."""
    return proc.limit(pid, _NAME)


@contextmanager
def worn(mark: int) -> Iterator[None]:
    """Let processes that are started meanwhile be born with ``mark``; 0: with none."""
    if not mark:
        yield
        return
    soft, hard = resource.getrlimit(_RLIMIT_LOCKS)
    if hard not in (resource.RLIM_INFINITY, -1) and mark > hard:
        yield  # somebody has limited us: there is no room for a mark
        return
    resource.setrlimit(_RLIMIT_LOCKS, (mark, hard))
    try:
        yield
    finally:
        resource.setrlimit(_RLIMIT_LOCKS, (soft, hard))
