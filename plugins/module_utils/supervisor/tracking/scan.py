# SPDX-License-Identifier: GPL-3.0-or-later
"""One look through all of /proc for processes that carry a mark: it takes long, so it is shared by all who ask."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from ...engine.messages import InstanceKey
from . import mark, proc

_Zombies = frozenset[tuple[int, int]]  # (pid, start time)


class Scan(NamedTuple):
    """``pids``: who was there, by mark, but for ``zombies`` of the scan before: they have left nobody that is not here.

    ``moment``: when it was begun. ``asked``: who knows it already, or has had a process started since.
    """

    moment: int
    pids: dict[int, list[int]]
    zombies: _Zombies
    asked: set[InstanceKey]

    @classmethod
    def none(cls) -> Scan:
        """Return what there is before the first one."""
        return cls(-1, {}, frozenset(), set())

    @classmethod
    def begun(cls, moment: int, marks: Collection[int], before: _Zombies) -> Scan:
        """Look for ``marks``; ``before``: the zombies of the last scan."""
        pids: dict[int, list[int]] = {}
        zombies = set()
        for pid in proc.all_pids():
            number = mark.of(pid)
            if number is None or number not in marks:
                continue
            stat = proc.stat(pid)
            if stat is not None and stat.ended:
                zombies.add((pid, stat.start_time))
                if (pid, stat.start_time) in before:
                    continue
            pids.setdefault(number, []).append(pid)
        return cls(moment, pids, frozenset(zombies), set())
