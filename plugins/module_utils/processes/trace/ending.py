# SPDX-License-Identifier: GPL-3.0-or-later
"""End everything that was started: first politely, then not.

The observer is a subreaper, so nobody gets away from below it; it has ended all when it has no child left.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Optional, Protocol

from ..identity import read_stat
from .look import descendants

UNKILLABLE = 20.0  # seconds after which a process that SIGKILL does not end is given up (it hangs in the kernel)


class Source(Protocol):
    """Whoever watches the family: ``follow.Follow`` or ``look.Look``."""

    over: bool
    method: str

    @property
    def pause(self) -> float: ...
    def step(self) -> None: ...
    def living(self) -> list[int]: ...


def end(source: Source, main: Optional[int], seconds: float, wait: Callable[[float], None]) -> list[int]:
    """End the family and return who could not be ended (hardly ever anybody).

    SIGTERM to ``main``, then to all, then SIGKILL to all after ``seconds``. ``wait`` waits so long for news.
    """
    half = time.monotonic() + seconds / 2
    whole = time.monotonic() + seconds
    if main is not None and seconds > 0:
        _signal([main], signal.SIGTERM)
        _until(source, half, lambda: main not in source.living(), wait)
    if seconds > 0 and not source.over:
        _signal(source.living(), signal.SIGTERM)
        _until(source, whole, lambda: False, wait)
    last = time.monotonic() + UNKILLABLE
    while not source.over and time.monotonic() < last:
        kill_all(_everybody(source))
        source.step()
        if not source.over:
            wait(0.001)
            source.step()
    return [] if source.over else _everybody(source)


def kill_all(pids: Iterable[int]) -> None:
    """Send SIGKILL to processes and to their groups.

    The kernel signals a whole group at once, and a process with a signal pending cannot fork: a chain of processes that
    fork and exit faster than anybody can look at them does not get away in its group.
    """
    own = os.getpgrp()
    found = list(pids)
    groups = {stat.group for pid in found if (stat := read_stat(pid)) is not None} - {own, 0, 1}
    for group in groups:
        with suppress(OSError):
            os.killpg(group, signal.SIGKILL)
    for pid in found:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def _until(source: Source, deadline: float, done: Callable[[], bool], wait: Callable[[float], None]) -> None:
    source.step()
    while not source.over and not done():
        left = deadline - time.monotonic()
        if left <= 0:
            return
        wait(min(left, source.pause))
        source.step()


def _everybody(source: Source) -> list[int]:
    below = [pid for _parent, pid in descendants(os.getpid())]
    return list(dict.fromkeys([*source.living(), *below]))


def _signal(pids: Iterable[int], number: int) -> None:
    """Signal processes that are there: a child or tracee of ours keeps its pid until we wait for it."""
    for pid in pids:
        with suppress(OSError):
            os.kill(pid, number)
            os.kill(pid, signal.SIGCONT)
