# SPDX-License-Identifier: GPL-3.0-or-later
"""Follow a family of processes through ptrace: every fork, exec, exit and stop, in order, and none can be missed.

Only its main thread may use this: a tracer is a thread. What happens is told by waitpid; each stop is answered at once.
"""

from __future__ import annotations

import os
import signal

from . import events as seen
from . import ptrace, syscalls
from .record import Record

_STOPS = (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
_PATIENCE = 50  # rounds without the event of its parent after which a new process is taken as it is


class Follow:
    """``over``: no process of the family is left, nor any other child of ours."""

    method = "ptrace"
    pause = 0.05  # seconds between looks, where no signal says that there is something

    def __init__(self, record: Record, first: int, name: str) -> None:
        self.over = False
        self._record = record
        self._first = first
        self._tasks: dict[int, int] = {first: first}  # thread -> its process
        self._names: dict[int, str] = {first: name}  # of living processes
        self._early: dict[int, int] = {}  # a new thread that stopped before its parent's event -> rounds since
        self._unborn: dict[int, int] = {}  # one that has ended before its parent's event -> how
        self._continue: set[int] = set()  # processes that have stopped themselves
        record.add(seen.FORK, first, name)

    def living(self) -> list[int]:
        """Return the processes of the family, the oldest first."""
        return list(self._names)

    def step(self) -> None:
        """Take and answer everything that has happened."""
        while True:
            try:
                tid, status = os.waitpid(-1, ptrace.WALL | os.WNOHANG)
            except ChildProcessError:
                self.over = True
                return
            if tid == 0:
                break
            if os.WIFSTOPPED(status):
                self._stopped(tid, os.WSTOPSIG(status), status >> 16)
            else:
                self._ended(tid, os.waitstatus_to_exitcode(status))
        for tid in list(self._early):
            self._early[tid] += 1
            if self._early[tid] > _PATIENCE:  # its parent was killed before it could tell
                self._adopt(tid)

    # ---- stops ----

    def _stopped(self, tid: int, number: int, event: int) -> None:
        process = self._tasks.get(tid)
        if process is None:
            self._early[tid] = 0
            self._unborn.pop(tid, None)  # that was another one with this number
        elif event == ptrace.EVENT_STOP:
            self._group_stop(tid, process, number)
        elif event == 0:
            self._signal(tid, process, number)
        else:
            if event in ptrace.BIRTHS:
                self._birth(tid, process, event)
            elif event == ptrace.EVENT_EXEC:
                self._exec(tid)
            elif event == ptrace.EVENT_EXIT and tid == process:
                self._rename(process)
            elif event == ptrace.EVENT_SECCOMP:
                self._call(tid, process)
            ptrace.go_on(tid)

    def _group_stop(self, tid: int, process: int, number: int) -> None:
        if number not in _STOPS:
            ptrace.go_on(tid)  # the first stop of a new thread, or the end of a group-stop
            return
        ptrace.stay_stopped(tid)
        if process in self._continue:  # as whoever expects the stop does
            self._continue.discard(process)
            os.kill(process, signal.SIGCONT)

    def _signal(self, tid: int, process: int, number: int) -> None:
        if number == signal.SIGSTOP and ptrace.sender(tid) == process:
            self._continue.add(process)
            self._record.add(seen.STOP, process, self._rename(process), detail="SIGSTOP")
        ptrace.go_on(tid, number)

    def _birth(self, tid: int, process: int, event: int) -> None:
        child = ptrace.event_message(tid)
        if child is None or child in self._tasks:
            return
        if event == ptrace.EVENT_CLONE and os.path.exists(f"/proc/{process}/task/{child}"):
            self._new_thread(child, process)
        else:
            self._new_process(child, process)
        if self._early.pop(child, None) is not None:
            ptrace.go_on(child)
        if child in self._unborn:
            self._ended(child, self._unborn.pop(child))

    def _new_thread(self, child: int, process: int) -> None:
        self._tasks[child] = process
        self._record.add(seen.THREAD, process, self._names.get(process, ""))

    def _new_process(self, child: int, parent: int) -> None:
        self._tasks[child] = child
        self._names[child] = self._names.get(parent, "")
        self._record.add(seen.FORK, child, self._rename(child), parent=parent)

    def _adopt(self, tid: int) -> None:
        self._early.pop(tid)
        process, parent = _relations(tid)
        if process == tid:
            self._new_process(tid, parent if parent in self._names else self._first)
        else:
            self._new_thread(tid, process)
        ptrace.go_on(tid)

    def _exec(self, tid: int) -> None:
        former = ptrace.event_message(tid)  # a thread that executes takes over the number of its process
        for other in [other for other, process in self._tasks.items() if process == tid and other != tid]:
            del self._tasks[other]
        if former is not None and former != tid:
            self._tasks.pop(former, None)
        self._tasks[tid] = tid
        self._record.add(seen.EXEC, tid, self._rename(tid), detail=command_line(tid))

    def _call(self, tid: int, process: int) -> None:
        call = ptrace.system_call(tid)
        said = syscalls.meaning(call, tid) if call is not None else None
        if said is not None:
            self._record.add(said.kind, process, self._names.get(process, ""), detail=said.detail)

    # ---- ends ----

    def _ended(self, tid: int, status: int) -> None:
        self._early.pop(tid, None)
        process = self._tasks.pop(tid, None)
        if process is None:
            self._unborn[tid] = status
        elif process == tid:
            self._continue.discard(tid)
            self._record.add(seen.EXIT, tid, self._names.pop(tid, ""), status=status)

    def _rename(self, process: int) -> str:
        name = name_of(process) or self._names.get(process, "")
        self._names[process] = name
        return name


def name_of(pid: int) -> str:
    """Return the name of ``pid`` (15 bytes, /proc/PID/comm), with nothing in it that would break a line."""
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:
            return printable(file.read()[:-1])
    except OSError:
        return ""


def command_line(pid: int) -> str:
    """Return the words that ``pid`` was executed with, at most 4096 bytes of them."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return printable(file.read(4096).rstrip(b"\0").replace(b"\0", b" "))
    except OSError:
        return ""


def printable(raw: bytes) -> str:
    return "".join(each if each.isprintable() else "?" for each in raw.decode("utf-8", "replace"))


def _relations(tid: int) -> tuple[int, int]:
    """Return (process, its parent) of a thread, from /proc/TID/status."""
    found = {}
    try:
        with open(f"/proc/{tid}/status", encoding="utf-8", errors="replace") as file:
            for line in file:
                key, _colon, value = line.partition(":")
                if key in ("Tgid", "PPid"):
                    found[key] = int(value)
    except OSError:
        pass
    return found.get("Tgid", tid), found.get("PPid", 0)
