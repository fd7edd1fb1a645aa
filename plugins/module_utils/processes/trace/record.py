# SPDX-License-Identifier: GPL-3.0-or-later
"""Where what was seen is written down, with the time."""

from __future__ import annotations

import time
from typing import Optional

from . import events as seen
from .events import Event

_MOST = 20_000  # events; a program that makes more is told about by what it did until then
_MOST_FILES = 5_000


class Record:
    """The events so far. ``last``: when something happened that a start is made of, seconds since the start."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.created: dict[str, int] = {}  # path -> the pid that made it last
        self.hidden = False  # a file was made whose name is not known
        self.last = 0.0
        self.closed = False
        self.full = False
        self._begin = time.monotonic()

    def now(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._begin

    def add(
        self, kind: str, pid: int, name: str, *, parent: int = 0, status: Optional[int] = None, detail: str = ""
    ) -> None:
        """Write an event down, unless the observation is over."""
        if self.closed:
            return
        now = self.now()
        if kind == seen.CREATE:
            if not detail:
                self.hidden = True
            elif len(self.created) < _MOST_FILES:
                self.created[detail] = pid
            return
        self.last = now
        if len(self.events) < _MOST:
            self.events.append(Event(now, pid, kind, name, parent, status, detail))
        else:
            self.full = True
