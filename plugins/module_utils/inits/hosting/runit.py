# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor under runit: a service folder, and a link to it in the folder that the live runsvdir watches.

``sv restart fosterd`` leaves the jobs alone, ``sv stop fosterd`` and the host's shutdown stop them: runsv asks
control/t before it sends SIGTERM, and supervise/stat says what is wanted. runsv signals the supervisor only.
Source: runsv(8), runsvdir(8).
"""

from __future__ import annotations

import os
import shutil

from ...processes.identity import Identity
from .. import probes
from ..errors import InitError
from . import running, scanned
from .by_pieces import ByPieces
from .interface import HostingStatus
from .layout import Layout
from .pieces import MARK, File, Link

SERVICE = "fosterd"
_COLLECTIONS = ("/etc/sv", "/etc/runit/sv")  # where distributions keep service folders

_RUN = """#!/bin/sh
# {mark}; changes are lost with the next run.
exec {command} </dev/null >>{log} 2>&1
"""
_TERM = """#!/bin/sh
# {mark}: a restart leaves the jobs alone.
grep -q 'want down\\|want exit' supervise/stat || : >{keep}
exit 1
"""


class Runit(ByPieces):
    """Host the supervisor as the service fosterd of the runsvdir that watches ``scan``."""

    name = "runit"

    def __init__(self, layout: Layout, scan: str, collections: tuple[str, ...] = _COLLECTIONS) -> None:
        self.scan = scan
        above = next((folder for folder in collections if os.path.isdir(folder)), collections[0])
        self.folder = os.path.join(above, SERVICE)
        self.link = os.path.join(scan, SERVICE)
        run = _RUN.format(mark=MARK, command=" ".join(layout.command), log=layout.log)
        term = _TERM.format(mark=MARK, keep=running.keep_file(layout))
        super().__init__(
            layout,
            (
                File(os.path.join(self.folder, "run"), run, 0o755),
                File(os.path.join(self.folder, "control", "t"), term, 0o755),
                Link(self.link, self.folder),
            ),
        )

    @classmethod
    def found(cls, layout: Layout) -> Runit:
        """Return the hosting by the runsvdir that lives; raise InitError when none does."""
        live = probes.runsvdir(probes.Place())
        if live is None:
            raise InitError("No runsvdir runs below PID 1, so nothing starts services here: runit is on its way down")
        return cls(layout, live[1])

    def verify(self, removing: bool = False) -> None:
        """Raise InitError when the service is somebody else's, or would not be there after a boot."""
        if not removing and scanned.is_volatile(self.scan):
            raise InitError(
                f"runsvdir watches {self.scan}, which is in memory: a service there is gone after a reboot; link it to "
                "a folder on a disk first"
            )
        super().verify(removing)

    def remove(self) -> None:
        """Remove the link, let runsv leave the service folder, and remove that."""
        self._pieces.verify(removing=True)
        if os.path.islink(self.link):
            os.unlink(self.link)
        scanned.order(self.folder, "dx")
        scanned.wait_until_unwatched(self.folder)
        self._pieces.take()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Let runsv start the service; where runsvdir has not seen the link yet, it does so by itself."""
        self._pieces.put()
        scanned.order(self.folder, "u")
        running.wait_until_up(self.layout, "runit")

    def stop(self, keep_jobs: bool) -> None:
        """Let runsv end the service; it comes up with the next boot."""

        def tell(identity: Identity) -> None:
            scanned.order(self.folder, "d")
            running.terminate(identity)  # one that runit does not know of

        running.end(self.layout, keep_jobs, tell)

    def status(self) -> HostingStatus:
        """Return whether the service is there, linked, and who answers."""
        pid = running.pid_of(self.layout)
        linked = os.path.islink(self.link)
        return HostingStatus(bool(self._pieces.traces()), linked, pid is not None, pid)
