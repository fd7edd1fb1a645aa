# SPDX-License-Identifier: GPL-3.0-or-later
"""A line in /etc/inittab, for the inits that read one: sysvinit and BusyBox init.

PID 1 reads the file again on SIGHUP, and starts what has a respawn line. A line that is gone keeps it from starting
again. Nobody's shell is in between: whoever sends the signal, PID 1 is the parent.
Source: init(8) and inittab(5) of sysvinit; init/init.c of BusyBox, which kills nothing whose line is gone.
"""

from __future__ import annotations

import os
import signal
import time

from ...processes.identity import Identity
from . import running
from .by_pieces import ByPieces
from .layout import Layout
from .pieces import Line

TABLE = "/etc/inittab"
_PATIENCE = 10.0  # seconds for PID 1 to take a signal, which it does at once unless it is stopped
_LOOK = 0.01


def command(layout: Layout) -> str:
    """Return the command for a line of inittab; the init gives what has a redirection to a shell, after ``exec``."""
    return f"{' '.join(layout.command)} </dev/null >>{layout.log} 2>&1"


class Respawned(ByPieces):
    """Host the supervisor by a respawn line. ``terminates``: the init ends what has no line any more."""

    def __init__(self, name: str, layout: Layout, line: Line, terminates: bool) -> None:
        self.name = name
        super().__init__(layout, (line,))
        self._terminates = terminates

    def remove(self) -> None:
        """Take the line away and let the init forget it."""
        if self._pieces.take():
            read_again()
        running.end(self.layout, False, running.terminate)  # one that was started between stop() and now

    def start(self) -> None:
        """Let the init read its lines."""
        self._pieces.put()
        read_again()
        running.wait_until_up(self.layout, self.name)

    def stop(self, keep_jobs: bool) -> None:
        """Let the init forget the line until the supervisor is gone; then write it again, for the next boot."""
        known = self._pieces.take()

        def tell(identity: Identity) -> None:
            if known:
                read_again()
            if not known or not self._terminates:
                running.terminate(identity)

        try:
            running.end(self.layout, keep_jobs, tell)
        finally:
            if known:
                self._pieces.put()


def read_again() -> None:
    """Let PID 1 read inittab again, and return when it has taken the signal."""
    os.kill(1, signal.SIGHUP)
    deadline = time.monotonic() + _PATIENCE
    while _hangup_pending() and time.monotonic() < deadline:
        time.sleep(_LOOK)


def _hangup_pending(status: str = "/proc/1/status") -> bool:
    with open(status, encoding="ascii", errors="replace") as file:
        masks = [int(line.split()[1], 16) for line in file if line.startswith(("SigPnd:", "ShdPnd:"))]
    return any(mask >> (signal.SIGHUP - 1) & 1 for mask in masks)
