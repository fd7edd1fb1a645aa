# SPDX-License-Identifier: GPL-3.0-or-later
"""Events on their way: pending, then handled (and held by whoever waits on them), then finished.

The queue visits events as Upstart's main loop does: in the order in which they were made, again and again until
a whole round finds nothing to do. An event that became free behind the point reached is seen in the next round.
Only events that can have something to do are visited, so one that is held for a year costs nothing.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Optional

from .messages import Consequences, Env, InstanceKey

PENDING = "pending"
HANDLING = "handling"


class Event:
    """One emitted event. ``holders``: how many jobs and conditions keep it from finishing.

    ``waiting``: who goes on when it finishes, in order: request numbers of emit, and keys of instances.
    ``told``: where it is noted what this event leads to; None where nobody has asked.
    ``file``: a descriptor of the host for the processes that this event starts; not kept over the host's end.
    """

    __slots__ = ("env", "failed", "file", "holders", "name", "number", "progress", "told", "waiting")

    def __init__(self, number: int, name: str, env: Env) -> None:
        self.number = number
        self.name = name
        self.env = env
        self.progress = PENDING
        self.failed = False
        self.holders = 0
        self.waiting: list[object] = []  # int (a request) or a job and instance name
        self.told: Optional[Told] = None
        self.file: Optional[int] = None


class Told:
    """Notes what an event leads to, for who has asked. Whatever it moves carries these notes on to its own events."""

    __slots__ = ("event", "failures", "started", "stopped")

    def __init__(self, event: Event) -> None:
        self.event = event
        self.started: dict[InstanceKey, None] = {}  # in order, each once
        self.stopped: dict[InstanceKey, None] = {}
        self.failures: dict[InstanceKey, None] = {}

    def consequences(self, finished: bool) -> Consequences:
        """Return what has been noted until now."""
        return Consequences(tuple(self.started), tuple(self.stopped), tuple(self.failures), finished, self.event.failed)


class EventQueue:
    """All events that have not finished, by number."""

    def __init__(self) -> None:
        self.events: dict[int, Event] = {}
        self.changed: set[int] = set()
        self.asked: list[tuple[int, Told]] = []  # requests that are told at the end of this turn
        self._last = 0
        self._round: list[int] = []  # heap of numbers to visit in this round
        self._later: list[int] = []
        self._position = 0  # number of the event visited last in this round

    def new(self, name: str, env: Env, told: Optional[Told] = None) -> Event:
        """Add a pending event at the end; ``told``: the notes on the event that led to it."""
        self._last += 1
        event = Event(self._last, name, env)
        event.told = told
        self.events[event.number] = event
        self.changed.add(event.number)
        heapq.heappush(self._round, event.number)
        return event

    def restore(self, event: Event) -> None:
        """Put an event of an earlier life back."""
        self._last = max(self._last, event.number)
        self.events[event.number] = event
        heapq.heappush(self._round, event.number)

    def hold(self, event: Event) -> None:
        """Keep ``event`` from finishing until it is released as often as it was held."""
        event.holders += 1

    def release(self, event: Event) -> None:
        """Give up one hold; the queue looks at the event again when it was the last."""
        event.holders -= 1
        if event.holders == 0 and event.progress == HANDLING:
            if event.number > self._position:
                heapq.heappush(self._round, event.number)
            else:
                self._later.append(event.number)

    def finish(self, event: Event) -> None:
        """Take ``event`` off the queue."""
        self.events.pop(event.number, None)
        self.changed.add(event.number)

    def take_asked(self) -> list[tuple[int, Told]]:
        """Return who is to be told at the end of this turn, once."""
        asked, self.asked = self.asked, []
        return asked

    def visit(self) -> Iterator[Event]:
        """Yield events that are pending or no longer held, until there are none; new ones are yielded as well."""
        while True:
            event = self._next()
            if event is None:
                return
            if event.progress == PENDING or event.holders == 0:
                yield event

    def _next(self) -> Optional[Event]:
        while True:
            if not self._round:
                self._position = 0
                if not self._later:
                    return None
                self._round, self._later = self._later, []
                heapq.heapify(self._round)
            number = heapq.heappop(self._round)
            self._position = number
            event = self.events.get(number)
            if event is not None:
                return event
