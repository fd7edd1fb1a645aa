# SPDX-License-Identifier: GPL-3.0-or-later
"""``expect stop``: the process stops itself with SIGSTOP when it is ready, and is continued."""

from __future__ import annotations

import os
import signal

from ..tracking import proc
from .choose import Choice
from .watcher import Looking


class Stop(Looking):
    """Wait for SIGCHLD; for a process that is not our child (after a crash), look at its state."""

    def waits_for(self) -> str:
        return "its main process to stop itself with SIGSTOP (`expect stop`)"

    def begin(self) -> None:
        self.child_changed()
        stat = proc.stat(self.pid)
        if stat is not None and stat.parent != os.getpid():
            super().begin()

    def child_changed(self) -> None:
        if not self.done and self._around.stopped(self.pid):
            self._continue()

    def _look(self) -> bool:
        stat = proc.stat(self.pid)
        if stat is not None and stat.state == "T":
            self._continue()
        return self.done

    def _plausible(self, successor: Choice) -> bool:
        """Who stops itself is the process that was started, as in Upstart: when that ends nobody takes its place."""
        return False

    def _continue(self) -> None:
        self._around.signal(self.pid, signal.SIGCONT)
        self._ready()
