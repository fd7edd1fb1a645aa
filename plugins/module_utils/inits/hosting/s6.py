# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor under s6: a service folder in the folder that the live s6-svscan watches.

That is often in memory and filled anew at each boot, from a place that depends on who made the system: s6-linux-init
and s6-overlay are known. s6-supervise signals the supervisor only; its SIGTERM stops the jobs.
Source: the documentation of s6-svscan, s6-supervise, s6-linux-init-maker, s6-overlay.
"""

from __future__ import annotations

import contextlib
import os
import shutil

from ...processes.identity import Identity
from ..errors import InitError
from . import running, scanned
from .by_pieces import ByPieces
from .interface import HostingStatus
from .layout import Layout
from .pieces import MARK, File

SERVICE = "fosterd"
# From where the watched folder is filled when the host boots.
SOURCES = ("/etc/s6-linux-init/current/run-image/service", "/etc/services.d")

_RUN = """#!/bin/sh
# {mark}; changes are lost with the next run.
exec {command} </dev/null >>{log} 2>&1
"""


class S6(ByPieces):
    """Host the supervisor as the service fosterd of the s6-svscan that watches ``scan``."""

    name = "s6"

    def __init__(self, layout: Layout, scan: str, sources: tuple[str, ...] = SOURCES) -> None:
        self.scan = scan
        self.folder = os.path.join(scan, SERVICE)
        volatile = scanned.is_volatile(scan)
        self._source = next((folder for folder in sources if volatile and os.path.isdir(folder)), None)
        self._lost = volatile and self._source is None
        text = _RUN.format(mark=MARK, command=" ".join(layout.command), log=layout.log)
        folders = [self.folder] + ([os.path.join(self._source, SERVICE)] if self._source else [])
        self._folders = folders
        super().__init__(layout, [File(os.path.join(folder, "run"), text, 0o755) for folder in folders])

    @classmethod
    def found(cls, layout: Layout, init: int = 1) -> S6:
        """Return the hosting by the s6-svscan that is PID 1, which stands in the folder that it watches."""
        try:
            return cls(layout, os.readlink(f"/proc/{init}/cwd"))
        except OSError as error:
            raise InitError(f"The folder that s6-svscan watches cannot be found: {error.strerror}") from error

    def verify(self, removing: bool = False) -> None:
        """Raise InitError when the service is somebody else's, or would not be there after a boot."""
        if not removing and self._lost:
            raise InitError(
                f"s6-svscan watches {self.scan}, which is in memory, and neither {' nor '.join(SOURCES)} is there to "
                "fill it at boot: a service would be gone after a reboot"
            )
        super().verify(removing)

    def remove(self) -> None:
        """Take the service folder out of sight, let s6-supervise leave it, and remove it."""
        self._pieces.verify(removing=True)
        hidden = os.path.join(self.scan, f".{SERVICE}.removed")
        shutil.rmtree(hidden, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            os.rename(self.folder, hidden)
        self._scan("an")  # look again; end the supervisor of what is not there
        scanned.wait_until_unwatched(hidden)
        for folder in (hidden, *self._folders):
            shutil.rmtree(folder, ignore_errors=True)

    def start(self) -> None:
        """Let s6-supervise start the service."""
        if self._pieces.put() or not scanned.order(self.folder, "u"):
            self._scan("a")
        running.wait_until_up(self.layout, "s6")

    def stop(self, keep_jobs: bool) -> None:
        """Let s6-supervise end the service; it comes up with the next boot."""

        def tell(identity: Identity) -> None:
            scanned.order(self.folder, "d")
            running.terminate(identity)  # one that s6 does not know of

        running.end(self.layout, keep_jobs, tell)

    def status(self) -> HostingStatus:
        """Return whether the service folder is there, and who answers."""
        pid = running.pid_of(self.layout)
        there = len(self._pieces.traces())
        return HostingStatus(there > 0, there == len(self._folders), pid is not None, pid)

    def _changed(self) -> None:
        self._scan("a")

    def _scan(self, letters: str) -> None:
        if not scanned.write_fifo(os.path.join(self.scan, ".s6-svscan", "control"), letters):
            raise InitError(f"Nobody reads {self.scan}/.s6-svscan/control: s6-svscan is on its way down")
