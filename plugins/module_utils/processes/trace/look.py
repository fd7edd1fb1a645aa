# SPDX-License-Identifier: GPL-3.0-or-later
"""Watch a family of processes through /proc, where the kernel refuses ptrace: good, but not certain.

Orphans become our children (we are a subreaper), so the end of each one that has lost its parent is seen, with its
status, and its parent is known as long as it was looked at before. What is born and ends between two looks, with its
parent waiting for it, is missed.
"""

from __future__ import annotations

import os
import signal
from typing import Optional

from ..identity import Stat, read_stat
from . import events as seen
from .follow import command_line, name_of
from .record import Record

_OFTEN, _SELDOM = 0.001, 0.01  # seconds between looks: at first, and once it is quiet
_QUIET = 0.3


class Look:
    """The same interface as ``follow.Follow``."""

    method = "proc"

    def __init__(self, record: Record, first: int, name: str) -> None:
        self.over = False
        self._record = record
        # living process -> its name and command line when last looked at; the first is still a copy of us
        self._known = {first: f"{name_of(first)} {command_line(first)}"}
        self._first = first
        record.add(seen.FORK, first, name)

    @property
    def pause(self) -> float:
        return _OFTEN if self._record.now() - self._record.last < _QUIET else _SELDOM

    def living(self) -> list[int]:
        return list(self._known)

    def step(self) -> None:
        """Look once: who is new, who runs another program, who has stopped or ended."""
        if not self._record.closed:
            self._find()
        self._reap()
        for pid in [pid for pid in self._known if not os.path.exists(f"/proc/{pid}")]:
            self._gone(pid, None)  # its own parent has waited for it

    def _find(self) -> None:
        for parent, pid in descendants(os.getpid()):
            stat = read_stat(pid)
            if stat is None:
                continue
            if pid not in self._known:
                self._born(stat, parent)
            if stat.state != "Z":
                self._compare(pid, stat)

    def _born(self, stat: Stat, parent: int) -> None:
        guessed = parent not in self._known
        if guessed:
            parent = self._guess(stat)
        self._known[stat.pid] = f"{stat.name} {command_line(stat.pid)}"
        self._record.add(seen.FORK, stat.pid, stat.name, parent=parent, detail=seen.GUESSED if guessed else "")

    def _guess(self, stat: Stat) -> int:
        """Return the likely parent of an orphan not seen before: whoever leads its session, else the newest."""
        if stat.session in self._known and stat.session != stat.pid:
            return stat.session
        others = [pid for pid in self._known if pid < stat.pid]
        return others[-1] if others else self._first

    def _compare(self, pid: int, stat: Stat) -> None:
        command = command_line(pid)
        now = f"{stat.name} {command}"
        if self._known[pid] != now and command:
            self._known[pid] = now
            self._record.add(seen.EXEC, pid, stat.name, detail=command)

    def _reap(self) -> None:
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WSTOPPED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                self.over = True
                return
            if found is None:
                return
            pid = found.si_pid
            if found.si_code == os.CLD_STOPPED:
                os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG)
                if found.si_status == signal.SIGSTOP:
                    self._record.add(seen.STOP, pid, name_of(pid), detail="SIGSTOP")
                    os.kill(pid, signal.SIGCONT)
                continue
            stat = read_stat(pid) if pid not in self._known else None
            if stat is not None:  # as long as nobody has waited for it, it can still be named
                self._born(stat, 0)
            os.waitid(os.P_PID, pid, os.WEXITED)
            status = found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
            self._gone(pid, status)

    def _gone(self, pid: int, status: Optional[int]) -> None:
        name = self._known.pop(pid, "").partition(" ")[0]
        self._record.add(seen.EXIT, pid, name, status=status)


def children_of_ours() -> list[int]:
    """Return our own children, quickly."""
    return _children(os.getpid())


def descendants(pid: int) -> list[tuple[int, int]]:
    """Return (parent, child) for everything below ``pid``, parents before their children."""
    found = []
    pending = [pid]
    while pending:
        parent = pending.pop(0)
        for child in _children(parent):
            found.append((parent, child))
            pending.append(child)
    return found


def _children(pid: int) -> list[int]:
    """Return the children of every thread of ``pid``; from a scan where the kernel keeps no lists."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                found.extend(int(word) for word in file.read().split())
    except FileNotFoundError:
        if os.path.exists("/proc/self/task/self/children") or os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
            return found  # the thread has ended meanwhile
        return [
            stat.pid
            for name in os.listdir("/proc")
            if name.isdigit() and (stat := read_stat(int(name))) is not None and stat.ppid == pid
        ]
    except (OSError, ValueError):
        pass
    return sorted(found)
