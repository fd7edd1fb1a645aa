# SPDX-License-Identifier: GPL-3.0-or-later
"""How processes end that are not our children: those of a supervisor that has crashed, and those whose parent lives.

That they have ended, their pidfd tells; how they have, only their parent is told. From Linux 6.15 on the pidfd tells
that as well. Before, the process connector is listened to, but only while there is such a process, and to nothing but
its exit: a supervisor of its own children is never woken by it. What nobody has reaped yet tells by itself in /proc.
"""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Callable, Collection
from typing import NamedTuple, Optional

from .. import pidfd
from ..loop import HANGUP, READ, Loop, TimerHandle
from . import proc
from .connector import Connector, Unavailable
from .process_events import ThreadExit

_LOOK_AGAIN = 1.0  # seconds between looks at a process where there are no pidfds
_PATIENCE = 1.0  # seconds for which an exit may be told later than the end is seen: the kernel tells just after it


class End(NamedTuple):
    """How a process has ended. ``unknown``: why nobody can tell, where both ``code`` and ``signal`` are None."""

    code: Optional[int]
    signal: Optional[int]
    unknown: str = ""


class _Followed:
    """One process. ``status``: what its first thread has ended with, which may be long before the others.

    What has left before it was followed is taken to have left with 0, as pthread_exit does.
    """

    __slots__ = ("complete", "fd", "lost", "pid", "start_time", "status", "told", "waiting")

    def __init__(self, pid: int, told: Callable[[End], None]) -> None:
        stat = proc.stat(pid)
        self.pid = pid
        self.start_time = stat.start_time if stat is not None else None
        self.told = told
        self.status = 0 if stat is not None and stat.first_left else None
        self.complete = False  # the connector has told of the end of the whole process
        self.lost = False  # the connector may have told, but was not heard
        self.waiting: Optional[TimerHandle] = None  # for the connector, or to look again
        try:
            self.fd = os.pidfd_open(pid)
        except (OSError, AttributeError):  # gone, Linux before 5.3, or built with an older C library
            self.fd = -1

    def has_ended(self) -> bool:
        if self.fd < 0:
            stat = proc.stat(self.pid)
            return stat is None or stat.ended or stat.start_time != self.start_time
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        return bool(poll.poll(0))

    def heard(self, thread: ThreadExit) -> None:
        """Note that a thread of it has ended.

        The first one counts; but it may have left the others alone (pthread_exit ends it with 0). Then each that comes
        after it counts, since all that are ended together have the status of the whole. Or another one has executed a
        program in its place, and there is another first one to come.
        """
        if thread.thread == thread.process or self.status == 0:
            self.status = thread.status
        self.complete = self.status is not None and self.has_ended()

    def deaf(self) -> None:
        """Note that exits were lost: nothing that was not complete can be relied on."""
        if not self.complete:
            self.status, self.lost = None, True


class Adopted:
    """All that are followed. ``by_pidfd`` tells whether pidfds know exit statuses, ``connect`` opens a connector."""

    def __init__(
        self, loop: Loop, by_pidfd: Callable[[], bool] = pidfd.tells_exits,
        connect: Callable[[], Connector] = Connector,
    ) -> None:  # fmt: skip
        self._loop = loop
        self._by_pidfd = by_pidfd
        self._connect = connect
        self._followed: dict[int, _Followed] = {}
        self._connector: Optional[Connector] = None
        self._problem: Optional[str] = None  # why there is no connector, "" where there is, None: never tried
        self._narrowing = False

    def follow(self, pid: int, told: Callable[[End], None]) -> None:
        """Call ``told`` when ``pid`` has ended, from the loop; of a process that is followed, only the last one."""
        known = self._followed.get(pid)
        if known is not None and proc.start_time(pid) in (None, known.start_time):
            known.told = told
            return
        if known is not None:
            self._tell(known, None)
        if not self._by_pidfd():
            self._listen()
        entry = self._followed[pid] = _Followed(pid, told)
        if entry.fd >= 0:
            self._loop.watch(entry.fd, READ, lambda _events: self._look(entry))
        else:
            self._look_later(entry)

    # ---- what is in force -------------------------------------------------------------------------------------

    def pidfd_tells(self) -> bool:
        """Tell whether pidfds know exit statuses here."""
        return self._by_pidfd()

    def listens_for(self) -> int:
        """Return for how many processes the connector is listened to now."""
        return len(self._followed) if self._connector is not None else 0

    def problem(self) -> str:
        """Return why the connector cannot be listened to here, "" where it can; found out by doing so."""
        if self._problem is None:
            try:
                self._connect().close()
                self._problem = ""
            except Unavailable as error:
                self._problem = str(error)
        return self._problem

    # ---- the connector ----------------------------------------------------------------------------------------

    def _listen(self) -> None:
        """Hear of every exit until it is known which ones are asked for, at the end of the turn."""
        if self._connector is None and not self._problem:
            try:
                self._connector = self._connect()
            except Unavailable as error:
                self._problem = str(error)
                return
            self._problem = ""
            self._loop.watch(self._connector.fileno(), READ, lambda _events: self._hear())
        if self._connector is not None and not self._narrowing:
            self._hear()  # what came before is of others that had the same numbers
            self._choose(None)
            self._narrowing = True
            self._loop.call_later(0.0, self._narrow)

    def _narrow(self) -> None:
        self._narrowing = False
        self._choose(self._followed)

    def _choose(self, processes: Optional[Collection[int]]) -> None:
        with contextlib.suppress(OSError):  # too many for the kernel's optmem_max: it goes on telling of all
            if self._connector is not None:
                self._connector.choose(processes)

    def _hear(self) -> None:
        """Tell of those whose end the connector has told of."""
        if self._connector is None:
            return
        heard = self._connector.read()
        if heard.lost:
            for each in self._followed.values():
                each.deaf()
        found = [(entry, thread) for thread in heard.exits if (entry := self._followed.get(thread.process)) is not None]
        for entry, thread in found:
            entry.heard(thread)
        for entry, _thread in found:
            if entry.complete and self._followed.get(entry.pid) is entry:
                self._tell(entry, entry.status)

    # ---- the end ----------------------------------------------------------------------------------------------

    def _look_later(self, entry: _Followed) -> None:
        entry.waiting = self._loop.call_later(_LOOK_AGAIN, lambda: self._look(entry))

    def _look(self, entry: _Followed) -> None:
        """Deal with an entry that seems to have ended."""
        if self._followed.get(entry.pid) is not entry:
            return
        if not entry.has_ended():
            if entry.fd < 0:
                self._look_later(entry)
            return
        if self._connector is not None:
            self._hear()
            if self._followed.get(entry.pid) is entry:
                self._loop.unwatch(entry.fd)
                self._wait(entry)
            return
        status = self._left_behind(entry)
        if status is not None or entry.fd < 0 or not self._by_pidfd():
            self._tell(entry, status)
            return
        self._loop.watch(entry.fd, HANGUP, lambda _events: self._give_up(entry))  # it tells when it has been reaped
        self._wait(entry)

    def _wait(self, entry: _Followed) -> None:
        entry.waiting = self._loop.call_later(_PATIENCE, lambda: self._give_up(entry))

    def _give_up(self, entry: _Followed) -> None:
        """Take what is there now."""
        if self._followed.get(entry.pid) is entry:
            self._tell(entry, self._left_behind(entry))

    def _left_behind(self, entry: _Followed) -> Optional[int]:
        """Return the wait status that is still to be seen: while it is a zombie, in /proc, then in its pidfd."""
        status = proc.wait_status(entry.pid, entry.start_time)
        if status is None and entry.fd >= 0 and self._by_pidfd():
            status = pidfd.wait_status(entry.fd)
        return status

    def _tell(self, entry: _Followed, status: Optional[int]) -> None:
        unknown = self._unknown(entry)
        del self._followed[entry.pid]
        if entry.waiting is not None:
            entry.waiting.cancel()
        if entry.fd >= 0:
            self._loop.unwatch(entry.fd)
            os.close(entry.fd)
        if not self._followed and self._connector is not None:
            self._loop.unwatch(self._connector.fileno())
            self._connector.close()
            self._connector = None
        entry.told(_end(status, unknown))

    def _unknown(self, entry: _Followed) -> str:
        if entry.lost:
            return "more processes ended at once than the process connector could tell of"
        if self._connector is not None:
            return "it ended before the process connector was listened to"
        if self._by_pidfd():
            return "its parent has not reaped it, and we may not look at it"
        return f"Linux before 6.15 tells that its parent only, and there is no process connector: {self._problem}"


def _end(status: Optional[int], unknown: str) -> End:
    if status is None:
        return End(None, None, unknown)
    if os.WIFSIGNALED(status):
        return End(None, os.WTERMSIG(status))
    return End(os.WEXITSTATUS(status), None)
