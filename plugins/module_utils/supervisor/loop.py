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
from typing import Any, Optional

READ = select.EPOLLIN
WRITE = select.EPOLLOUT
HANGUP = select.EPOLLHUP | select.EPOLLERR

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
        self._epoll = select.epoll()
        self._watched: dict[int, Callable[[int], None]] = {}
        self._timers: list[tuple[float, int, TimerHandle]] = []
        self._order = itertools.count()
        self._signals: dict[int, Callable[[], None]] = {}
        self._wakeup: Optional[tuple[int, int]] = None
        self._stopped = False

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        """Call ``callback(ready events)`` whenever ``fd`` is ready for one of ``events``; watching again replaces."""
        if fd in self._watched:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)
        self._watched[fd] = callback

    def unwatch(self, fd: int) -> None:
        """Stop watching ``fd``, which must still be open; unknown descriptors are ignored."""
        if self._watched.pop(fd, None) is not None:
            with contextlib.suppress(OSError, ValueError):  # closed already: the kernel has forgotten it
                self._epoll.unregister(fd)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> TimerHandle:
        """Call ``callback`` once, ``seconds`` from now."""
        handle = TimerHandle(self.now() + max(seconds, 0.0), callback)
        heapq.heappush(self._timers, (handle.when, next(self._order), handle))
        return handle

    def on_signal(self, signum: int, callback: Callable[[], None]) -> None:
        """Call ``callback`` from the loop, never in between, after ``signum`` has arrived."""
        if self._wakeup is None:
            reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            self._wakeup = (reader, writer)
            signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
            self.watch(reader, READ, self._signal_arrived)
        self._signals[signum] = callback
        signal.signal(signum, _noted)

    def _signal_arrived(self, _events: int) -> None:
        if self._wakeup is None:
            return
        try:
            arrived = os.read(self._wakeup[0], 4096)
        except BlockingIOError:
            return
        for signum in dict.fromkeys(arrived):
            callback = self._signals.get(signum)
            if callback is not None:
                callback()

    def stop(self) -> None:
        """Leave ``run`` after the current round, or at once if it has not begun."""
        self._stopped = True

    def run(self) -> None:
        """Dispatch until ``stop``."""
        while not self._stopped:
            self.turn(None)

    def turn(self, longest: Optional[float] = 0.0) -> None:
        """Wait at most ``longest`` seconds (None: as long as it takes) and dispatch what is ready."""
        for fd, events in self._epoll.poll(self._patience(longest), 64):
            callback = self._watched.get(fd)
            if callback is not None:
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
        if self._wakeup is not None:
            signal.set_wakeup_fd(-1)
            for fd in self._wakeup:
                os.close(fd)
            self._wakeup = None
        self._epoll.close()


def _noted(_signum: int, _frame: Any) -> None:
    """Be a handler, so that the kernel writes the signal to the wakeup descriptor."""
