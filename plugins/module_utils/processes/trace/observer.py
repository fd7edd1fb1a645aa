# SPDX-License-Identifier: GPL-3.0-or-later
"""The observing process: start the program, watch it until it is quiet, look around, end all of it.

It is a process of its own because a tracer gets every child's news, and because two can look after each other: when
the caller dies, this one ends the program; when this one dies, the kernel ends what it traces, and the caller the rest.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import time
from dataclasses import replace
from typing import Optional

from ..identity import read_stat
from . import events as seen
from . import launch, pidfiles, ptrace, sockets
from .conclusion import conclude
from .ending import Source, end
from .events import Observation
from .family import Family
from .follow import Follow, command_line, name_of
from .look import Look
from .notify import NotifySocket
from .quiet import Quiet
from .record import Record
from .request import Request, TraceError

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # prctl(2)
_END_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Observer:
    """One run. ``caller``: the pid of whoever asked; when it ends, so does this."""

    def __init__(self, request: Request, caller: int) -> None:
        self._request = request
        self._stop = False
        self._prepare(caller)
        self._record = Record()
        self._notify = NotifySocket()
        self._notes: list[str] = []
        self._sockets_before = set(sockets.listening())
        self._source: Source

    def run(self) -> Observation:
        """Run the program, and return what was seen once everything of it has ended. Raises TraceError."""
        output = launch.output_file()
        begun = time.time()
        offered = {"NOTIFY_SOCKET": self._notify.address} if self._request.offer_notify else {}
        started = launch.start(replace(self._request, env={**self._request.env, **offered}), output)
        main: Optional[int] = started.pid
        try:
            self._source = self._watch(started)
            settled = self._until_quiet()
            problem = started.problem() if not self._ran() else ""
            if problem:
                raise TraceError(problem)
            observation = self._look_around(settled, begun, launch.tail(output))
            chosen = conclude(observation, Family(observation)).main
            main = chosen.pid if chosen is not None else None
        finally:
            self._record.closed = True
            left = end(self._source, main, self._request.kill_timeout, self._wait)
        if left:
            self._notes.append(f"could not be ended: {', '.join(f'{name_of(pid)} ({pid})' for pid in left)}")
        return observation._replace(notes=tuple(self._notes))

    def _prepare(self, caller: int) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        os.setsid()  # what a terminal sends is for the caller, who then tells us
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._wake, written = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(written, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        for number in _END_SIGNALS:
            signal.signal(number, self._asked_to_end)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != caller:
            self._stop = True

    def _asked_to_end(self, _number: int, _frame: object) -> None:
        self._stop = True

    def _watch(self, started: launch.Launched) -> Source:
        """Choose how to watch, and let the program go."""
        name = os.path.basename(self._request.argv[0])
        if self._request.use_ptrace:
            try:
                ptrace.seize(started.pid)
            except OSError as error:
                self._notes.append(f"ptrace is refused here ({error.strerror}): looked at /proc in intervals instead")
            else:
                source = Follow(self._record, started.pid, name)
                started.go(with_filter=True)
                return source
        look = Look(self._record, started.pid, name)
        started.go(with_filter=False)
        return look

    def _ran(self) -> bool:
        return any(event.kind == seen.EXEC for event in self._record.events)

    # ---- waiting ----

    def _wait(self, seconds: float) -> None:
        """Wait until a process or a message has news, at most so long."""
        ready, _none, _none = select.select([self._wake, self._notify], [], [], max(seconds, 0))
        if self._wake in ready:
            try:
                while len(os.read(self._wake, 4096)) == 4096:
                    pass
            except BlockingIOError:
                pass
        if self._notify in ready:
            for pid, text in self._notify.messages():
                if pid in self._source.living() or any(event.pid == pid for event in self._record.events):
                    self._record.add(seen.NOTIFY, pid, name_of(pid), detail=text)

    def _until_quiet(self) -> bool:
        """Watch until nothing has happened for a while, all has ended, or the time is over; return if it settled."""
        request, record, quiet = self._request, self._record, Quiet()
        while not self._stop:
            self._source.step()
            if self._source.over or record.full:
                return self._source.over
            now = record.now()
            if quiet.look(now, record.last, self._source.living()):
                record.last = now
            if quiet.seconds >= request.settle and self._ran():
                return True
            if now >= request.timeout:
                return False
            self._wait(self._source.pause)
        raise TraceError("ended before it was done")

    # ---- looking around ----

    def _look_around(self, settled: bool, begun: float, output: str) -> Observation:
        living = self._source.living()
        for pid in living[1:]:
            stat = read_stat(pid)
            if stat is not None and stat.session == pid:
                self._record.add(seen.SESSION, pid, stat.name)
        paths = dict.fromkeys(self._record.created)
        if self._record.hidden or self._source.method != "ptrace" or not paths:
            paths.update(dict.fromkeys(pidfiles.mentioned(map(command_line, living))))
            paths.update(dict.fromkeys(pidfiles.recent(begun)))
        return Observation(
            events=tuple(self._record.events),
            method=self._source.method,
            settled=settled,
            seconds=self._record.now(),
            pidfiles=tuple(pidfiles.named(paths, living)),
            listening=tuple(self._listening(living)),
            output=output,
        )

    def _listening(self, living: list[int]) -> list[tuple[int, str, str]]:
        """Return who holds which listening socket; one that is hidden is taken for that of who hides it."""
        found = sockets.held(living)
        hiding = {event.pid for event in self._record.events if event.kind == seen.LISTEN and not event.detail}
        if len(hiding & set(living)) == 1:
            known = {*self._sockets_before, *(inode for _pid, inode, _address in found)}
            pid = (hiding & set(living)).pop()
            mine = sockets.of_user(pid)
            found += [(pid, inode, where) for inode, where in mine.items() if inode not in known]
        return found
