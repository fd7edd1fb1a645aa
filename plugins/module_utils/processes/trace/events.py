# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen of a program, one thing after the other. Pure data."""

from __future__ import annotations

from typing import NamedTuple, Optional

FORK = "fork"  # ``pid`` was made by ``parent``; the first process has parent 0. ``detail`` is GUESSED where it is
EXEC = "exec"  # ``pid`` runs another program; ``detail`` is its command line
EXIT = "exit"  # ``pid`` has ended with ``status``
THREAD = "thread"  # ``pid`` has made a thread
SESSION = "session"  # ``pid`` leads a session of its own now
STOP = "stop"  # ``pid`` has stopped itself; ``detail`` is the name of the signal
LISTEN = "listen"  # ``pid`` has called listen(2); ``detail`` is the inode of the socket, "" if hidden
CREATE = "create"  # ``pid`` has created, linked or renamed the file ``detail``
NOTIFY = "notify"  # ``pid`` has sent the message ``detail`` to the notify socket

GUESSED = "guessed"
SHOWN = (FORK, EXEC, EXIT)  # what becomes a line


class Event(NamedTuple):
    """One thing that was seen. ``time``: seconds since the start. ``status``: exit status, or minus the signal."""

    time: float
    pid: int
    kind: str
    name: str
    parent: int = 0
    status: Optional[int] = None
    detail: str = ""


class Observation(NamedTuple):
    """All that is known in the end.

    ``method``: "ptrace" or "proc" (looked at in intervals, so something may have been missed). ``settled``: it had
    become quiet by itself. ``pidfiles``: (path, pid that it names), of files that name a process of the program.
    ``listening``: (pid, inode, address) of sockets that are held in the end. ``output``: the last of what it wrote.
    """

    events: tuple[Event, ...]
    method: str
    settled: bool
    seconds: float
    pidfiles: tuple[tuple[str, int], ...] = ()
    listening: tuple[tuple[int, str, str], ...] = ()
    output: str = ""
    notes: tuple[str, ...] = ()
