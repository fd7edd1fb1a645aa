# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a program has become quiet: nothing has happened for a while, and nobody was at work when it was looked.

Only looks count. An observer that does not get the processor for a second has seen nothing of that second, and the
program, on the same machine, may have got nothing done in it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

_PAUSE = 0.05  # seconds between looks
_MOST = 2 * _PAUSE  # of the time since the look before that a look can tell something about
_AT_WORK = ("R", "D", "t")  # on a processor or waiting for one, waiting for a disk, waiting for us
_TICKS = os.sysconf("SC_CLK_TCK")

Work = tuple[int, bool]  # clock ticks of work that a process has done, and whether it is at work now


def work_of(pid: int) -> Work:
    """Return what ``pid`` has done and whether any of its threads is at work; (0, False) when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return int(fields[11]) + int(fields[12]), any(_state(pid, thread) in _AT_WORK for thread in _threads(pid))
    except (OSError, ValueError, IndexError):
        return 0, False


class Quiet:
    """``seconds``: for how long it has been quiet, as far as was looked. ``work``: what a process has done."""

    def __init__(self, work: Callable[[int], Work] = work_of) -> None:
        self.seconds = 0.0
        self._work = work
        self._looked = 0.0
        self._ticks = 0

    def look(self, now: float, last: float, pids: Iterable[int]) -> bool:
        """Look at the processes, if it is time again; return whether they are at work.

        ``now`` and ``last``, when something happened, in seconds since the start. A process that computes, would like
        to, or waits for a disk is still starting. A fifth of a processor is more than a daemon takes that waits.
        """
        past = now - self._looked
        if past < _PAUSE:
            return False
        done = [self._work(pid) for pid in pids]
        ticks = sum(spent for spent, _at_work in done)
        busy = any(at_work for _spent, at_work in done) or ticks - self._ticks > past * _TICKS / 5
        self.seconds = 0.0 if busy or last > self._looked else self.seconds + min(past, _MOST)
        self._looked, self._ticks = now, ticks
        return busy


def _threads(pid: int) -> list[str]:
    return os.listdir(f"/proc/{pid}/task")


def _state(pid: int, thread: str) -> str:
    try:
        with open(f"/proc/{pid}/task/{thread}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0].decode()
    except (OSError, IndexError):
        return ""
