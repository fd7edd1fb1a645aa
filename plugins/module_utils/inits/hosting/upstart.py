# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor as a job of Upstart, asked over Upstart's own socket.

Upstart signals the process group of a job's main process; our jobs have groups of their own. A stop, and the host's
shutdown, let the supervisor stop its jobs. Source: init(5), the interface com.ubuntu.Upstart0_6.
"""

from __future__ import annotations

import os

from ...dbus import upstart
from ...dbus.client import Connection
from ...dbus.errors import BusError, BusUnreachable
from ...processes.identity import Identity
from ..errors import InitError, InitUnreachable
from . import running
from .by_pieces import ByPieces
from .layout import Layout
from .pieces import MARK, File

JOB = "fosterd"
_TIMEOUT = 90.0  # seconds for one request

_CONF = """# {mark}; changes are lost with the next run.
description "foster, the supervisor of this host's jobs"
start on runlevel [2345]
stop on runlevel [!2345]
respawn
respawn limit unlimited
kill timeout 90
exec {command} </dev/null >>{log} 2>&1
"""


class Upstart(ByPieces):
    """Host the supervisor as the job fosterd."""

    name = "upstart"

    def __init__(self, layout: Layout, folder: str = "/etc/init", address: str = upstart.SYSTEM_ADDRESS) -> None:
        self._address = address
        text = _CONF.format(mark=MARK, command=" ".join(layout.command), log=layout.log)
        super().__init__(layout, (File(os.path.join(folder, f"{JOB}.conf"), text),))

    def start(self) -> None:
        """Start the job."""
        self._job("Start", "AlreadyStarted")
        running.wait_until_up(self.layout, "Upstart")

    def stop(self, keep_jobs: bool) -> None:
        """Stop the job; it starts with the next boot."""

        def tell(identity: Identity) -> None:
            self._job("Stop", "AlreadyStopped", "UnknownInstance", "UnknownJob")
            running.terminate(identity)  # one that Upstart does not know of

        running.end(self.layout, keep_jobs, tell)

    def _open(self) -> Connection:
        try:
            return Connection.open(self._address, _TIMEOUT)
        except BusUnreachable as error:
            raise InitUnreachable(str(error)) from error

    def _changed(self) -> None:
        with self._open() as init:
            init.call(upstart.MANAGER_PATH, upstart.MANAGER_INTERFACE, "ReloadConfiguration")

    def _job(self, member: str, *fine: str) -> None:
        """Let Upstart start or stop the job without waiting; errors called ``fine`` are none."""
        with self._open() as init:
            try:
                path = init.call(upstart.MANAGER_PATH, upstart.MANAGER_INTERFACE, "GetJobByName", "s", JOB)[0]
                init.call(str(path), upstart.JOB_INTERFACE, member, "asb", [], False)
            except BusError as error:
                if error.short not in fine:
                    raise InitError(f"Upstart could not {member.lower()} the job {JOB}: {error}") from error
