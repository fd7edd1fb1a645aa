# SPDX-License-Identifier: GPL-3.0-or-later
"""What the supervisor itself has to say: on stderr, wherever that leads.

Under systemd it leads to the journal, in a container to its log. Everywhere else it leads to a file that nobody else
looks after, in the folder of the jobs' logs. That one does not grow for ever: it is renamed by size, like theirs, and
stderr leads to the new one. It may be renamed, removed or cut off by others at any time, as logrotate does.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import Optional

from . import logfile

NAME = "fosterd.log"
_SIZE = 1 << 20  # bytes
_KEEP = 5  # old files


class OwnLog:
    """Lines on the descriptor ``stderr``. ``folder``: where the file would be that nobody else looks after."""

    def __init__(self, folder: str, stderr: int = 2, size: int = _SIZE, keep: int = _KEEP) -> None:
        self._path = os.path.join(os.path.realpath(folder), NAME)
        self._stderr = stderr
        self._size = size
        self._keep = keep
        self._is_ours = self._leads_to_it()
        self._make_room_if_ours()  # also for what ends us before there is a line, with a traceback

    def write(self, text: str) -> None:
        """Write one line; it is lost where that cannot be."""
        self._make_room_if_ours()
        with contextlib.suppress(OSError):
            os.write(self._stderr, f"fosterd: {text}\n".encode(errors="replace"))

    def _leads_to_it(self) -> bool:
        """Tell whether stderr is that file, or was it before somebody has renamed or removed it."""
        try:
            name = os.readlink(f"/proc/self/fd/{self._stderr}").removesuffix(" (deleted)")
            regular = stat.S_ISREG(os.fstat(self._stderr).st_mode)
        except OSError:
            return False
        return regular and (name == self._path or name.startswith(f"{self._path}."))

    def _make_room_if_ours(self) -> None:
        if self._is_ours:
            with contextlib.suppress(OSError):  # a full disk, or a link in its place: stderr stays where it leads
                self._make_room()

    def _make_room(self) -> None:
        """Let stderr lead to the file of that name, and to a new one if that has become too long; raise OSError."""
        ours, there = os.fstat(self._stderr), _file(self._path)
        if there is not None and os.path.samestat(ours, there):
            if there.st_size < self._size:
                return
            logfile.rotate(self._path, self._keep)
        new = logfile.open_to_write(self._path, os.O_APPEND)
        try:
            os.dup2(new, self._stderr)
        finally:
            os.close(new)


def _file(path: str) -> Optional[os.stat_result]:
    try:
        return os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return None
