# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of a program, made of the events that were seen. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Optional

from . import events as seen
from .events import Event, Observation


@dataclass
class Process:
    """One process, from its birth to its end or to the end of the observation.

    ``parent``: None for the first. ``children``: in order of birth. ``execs_before``: for each child, how many programs
    this process had executed when it made it. ``guessed``: the parent is. Times are seconds since the start.
    """

    pid: int
    name: str
    parent: Optional[Process]
    born: float
    command: str = ""
    guessed: bool = False
    children: list[Process] = field(default_factory=list)
    execs_before: list[int] = field(default_factory=list)
    execs: int = 0
    threads: int = 0
    leads_session: bool = False
    ended: Optional[float] = None
    status: Optional[int] = None
    stopped_at: Optional[float] = None
    ready_at: Optional[float] = None
    named_main: Optional[int] = None
    listened_at: Optional[float] = None
    listens: list[str] = field(default_factory=list)
    pidfiles: list[str] = field(default_factory=list)

    @property
    def alive(self) -> bool:
        """Return whether it was there when the observation ended."""
        return self.ended is None

    def ancestors(self) -> Iterator[Process]:
        """Yield its parent, that one's parent and so on up to the first process."""
        above = self.parent
        while above is not None:
            yield above
            above = above.parent


class Family:
    """All processes of an observation, in order of birth; a pid that was given again is another process."""

    def __init__(self, observation: Observation) -> None:
        self.processes: list[Process] = []
        self._now: dict[int, Process] = {}
        for event in observation.events:
            self._take(event)
        for pid, _inode, address in observation.listening:
            holder = self._now.get(pid)
            if holder is not None and address not in holder.listens:
                holder.listens.append(address)
        for path, pid in observation.pidfiles:
            named = self._now.get(pid)
            if named is not None:
                named.pidfiles.append(path)

    @property
    def first(self) -> Process:
        return self.processes[0]

    def at(self, pid: int) -> Optional[Process]:
        """Return the process that had this pid last."""
        return self._now.get(pid)

    def alive(self) -> list[Process]:
        """Return those that are left, the oldest first."""
        return [process for process in self.processes if process.alive]

    def tops(self) -> list[Process]:
        """Return those that are left and have no ancestor that is left."""
        return [process for process in self.alive() if not any(above.alive for above in process.ancestors())]

    def _take(self, event: Event) -> None:
        if event.kind == seen.FORK:
            self._born(event)
            return
        process = self._now.get(event.pid)
        if process is None:
            return
        process.name = event.name or process.name
        if event.kind == seen.EXEC:
            process.execs += 1
            process.command = event.detail
        elif event.kind == seen.EXIT:
            process.ended, process.status = event.time, event.status
        elif event.kind == seen.THREAD:
            process.threads += 1
        elif event.kind == seen.SESSION:
            process.leads_session = True
        elif event.kind == seen.STOP and process.stopped_at is None:
            process.stopped_at = event.time
        elif event.kind == seen.LISTEN and process.listened_at is None:
            process.listened_at = event.time
        elif event.kind == seen.NOTIFY:
            _notified(process, event)

    def _born(self, event: Event) -> None:
        parent = self._now.get(event.parent)
        command = parent.command if parent else ""
        process = Process(event.pid, event.name, parent, event.time, command, event.detail == seen.GUESSED)
        if parent is not None:
            parent.children.append(process)
            parent.execs_before.append(parent.execs)
        self.processes.append(process)
        self._now[event.pid] = process


def _notified(process: Process, event: Event) -> None:
    """Take a message of sd_notify(3): lines ``KEY=VALUE``."""
    told = dict(line.split("=", 1) for line in event.detail.splitlines() if "=" in line)
    if told.get("READY") == "1" and process.ready_at is None:
        process.ready_at = event.time
    if told.get("MAINPID", "").isdigit():
        process.named_main = int(told["MAINPID"])
