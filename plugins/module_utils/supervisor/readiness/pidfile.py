# SPDX-License-Identifier: GPL-3.0-or-later
"""``expect pidfile PATH``: the process is ready when the file names a living process of the job, which is the main one.

The file's folder is watched (inotify), or the nearest one above it that exists.
"""

from __future__ import annotations

import os
from typing import Optional

from .. import linux
from ..loop import READ
from . import pidfiles
from .choose import CERTAIN, Choice
from .watcher import Looking

_MASK = linux.IN_CLOSE_WRITE | linux.IN_MOVED_TO | linux.IN_CREATE | linux.IN_MODIFY
_AGAIN = 2.0  # seconds; a file that was there already may only begin to be true: nobody tells of a new process


class Pidfile(Looking):
    """Read the file when something happens in its folder."""

    _FIRST, _LAST = _AGAIN, _AGAIN
    _fd = -1
    _watched = ""

    def waits_for(self) -> str:
        path = self.expect.argument
        pid = pidfiles.read(path)
        if pid is not None:
            return f"{path} to name a process of the job; it names {pid}, which is none of its processes"
        if os.path.islink(path):
            return f"{path} to be a file; it is a link, which is not followed"
        if os.path.exists(path):
            return f"{path} to hold the number of a process of the job, and to belong to root or to the job's user"
        return f"{path} to be written; it does not exist"

    def begin(self) -> None:
        if not self.done:
            try:
                self._fd = linux.inotify_open()
            except OSError:  # out of inotify instances: the pauses between looks have to do
                self._FIRST = self._LAST = 0.1
            else:
                self._around.loop.watch(self._fd, READ, lambda _events: self._happened())
                self._watch()
        super().begin()

    def _watch(self) -> None:
        """Watch the nearest folder that exists."""
        folder = os.path.dirname(self.expect.argument)
        while folder != self._watched:
            try:
                linux.inotify_add(self._fd, folder, _MASK)
            except OSError:
                if folder == "/":
                    return
                folder = os.path.dirname(folder)
                continue
            self._watched = folder
            return

    def _happened(self) -> None:
        for _event in linux.inotify_events(self._fd):
            pass
        self._watch()
        if not self.done:
            self._look()

    def _look(self) -> bool:
        choice = self._named()
        if choice is None:
            return False
        self._close()
        self._ready(choice)
        return True

    def _named(self) -> Optional[Choice]:
        pid = pidfiles.read(self.expect.argument)
        if pid is None or pid not in [member.pid for member in self._around.members()]:
            return None
        return Choice(pid, CERTAIN, f"{self.expect.argument} names it")

    def _close(self) -> None:
        if self._fd >= 0:
            self._around.loop.unwatch(self._fd)
            os.close(self._fd)
            self._fd = -1

    def cancel(self) -> None:
        super().cancel()
        self._close()
