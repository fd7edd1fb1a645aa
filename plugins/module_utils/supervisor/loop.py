# SPDX-License-Identifier: GPL-3.0-or-later
"""One thread that waits for file descriptors, timers and signals with epoll, and calls back.

Times are seconds, monotonic. Nothing polls: with no timer due, the loop sleeps until the kernel has something to say.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import select
import signal
import time
from collections.abc import Callable
from typing import Optional

from . import linux

READ = select.EPOLLIN
WRITE = select.EPOLLOUT
HANGUP = select.EPOLLHUP | select.EPOLLERR

_MANY = 256
_LONGEST = 86400.0  # seconds; epoll_wait(2) takes its timeout as milliseconds in an int


class TimerHandle:
    """A timer that was set with ``Loop.call_later``; ``cancel`` may be called at any time, more than once."""

    __slots__ = ("callback", "when")

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback: Optional[Callable[[], None]] = callback

    def cancel(self) -> None:
        self.callback = None


class Loop:
    """Dispatch readiness, timers and signals until ``stop``."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.now = clock
        self.turns = 0  # that have begun: what is done in one and the same is done at the same moment
        self._epoll = select.epoll()
        self._watched: dict[int, Callable[[int], None]] = {}
        self._fresh: set[int] = set()  # watched since the kernel was asked: what it said of such a number is not of it
        self._timers: list[tuple[float, int, TimerHandle]] = []
        self._many = _MANY  # timers, with cancelled ones, at which those are swept out
        self._order = itertools.count()
        self._signals: dict[int, Callable[[int], None]] = {}
        self._signal_fd = -1
        self._stopped = False

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        """Call ``callback(ready events)`` whenever ``fd`` is ready for one of ``events``; watching again replaces."""
        if fd in self._watched:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)
            self._fresh.add(fd)
        self._watched[fd] = callback

    def unwatch(self, fd: int) -> None:
        """Stop watching ``fd``, which must still be open; unknown descriptors are ignored."""
        if self._watched.pop(fd, None) is not None:
            with contextlib.suppress(OSError, ValueError):  # closed already: the kernel has forgotten it
                self._epoll.unregister(fd)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> TimerHandle:
        """Call ``callback`` once, ``seconds`` from now."""
        handle = TimerHandle(self.now() + max(seconds, 0.0), callback)
        if len(self._timers) >= self._many:
            self._sweep()
        heapq.heappush(self._timers, (handle.when, next(self._order), handle))
        return handle

    def _sweep(self) -> None:
        """Forget cancelled timers, which would stay until they are due: a job may set one anew as often as it likes."""
        self._timers = [entry for entry in self._timers if entry[2].callback is not None]
        heapq.heapify(self._timers)
        self._many = max(_MANY, 2 * len(self._timers))

    def on_signal(self, number: int, callback: Callable[[int], None]) -> None:
        """Call ``callback(the sender's pid, 0 for none)`` from the loop, never in between, when ``number`` arrives.

        The signal stays blocked, also over an exec of this program: none is lost, or acted upon, in between.
        """
        self._signals[number] = callback
        signal.pthread_sigmask(signal.SIG_BLOCK, (number,))
        signal.signal(number, signal.SIG_DFL)  # of an ignored one the kernel would tell nothing
        fresh = self._signal_fd < 0
        self._signal_fd = linux.signal_descriptor(self._signals, self._signal_fd)
        if fresh:
            self.watch(self._signal_fd, READ, self._signal_arrived)

    def _signal_arrived(self, _events: int) -> None:
        for number, sender in linux.read_signals(self._signal_fd):
            self._signals[number](sender)

    def stop(self) -> None:
        """Leave ``run`` after the current round, or at once if it has not begun."""
        self._stopped = True

    def run(self) -> None:
        """Dispatch until ``stop``."""
        while not self._stopped:
            self.turn(None)

    def turn(self, longest: Optional[float] = 0.0) -> None:
        """Wait at most ``longest`` seconds (None: as long as it takes) and dispatch what is ready."""
        ready = self._epoll.poll(self._patience(longest), 64)
        self.turns += 1
        self._fresh.clear()
        for fd, events in ready:
            callback = self._watched.get(fd)
            if callback is not None and fd not in self._fresh:
                callback(events)
        self._run_timers()

    def _patience(self, longest: Optional[float]) -> Optional[float]:
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        if not self._timers:
            return longest
        due = min(max(self._timers[0][0] - self.now(), 0.0), _LONGEST)
        return due if longest is None else min(due, longest)

    def _run_timers(self) -> None:
        now = self.now()
        while self._timers and self._timers[0][0] <= now:
            handle = heapq.heappop(self._timers)[2]
            if handle.callback is not None:
                callback, handle.callback = handle.callback, None
                callback()

    def close(self) -> None:
        """Give the descriptors back."""
        if self._signal_fd >= 0:
            os.close(self._signal_fd)
            self._signal_fd = -1
        self._epoll.close()
