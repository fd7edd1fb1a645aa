# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor as PID 1 of a container: its image starts it, nobody can stop it but the container's engine."""

from __future__ import annotations

import os

from ..errors import InitError
from . import running
from .interface import Change, HostingStatus
from .layout import Layout


class PidOne:
    """Look after a supervisor that is the init itself: it can be upgraded, and that is all."""

    name = "pid1"

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def verify(self, removing: bool = False) -> None:
        """Raise InitError for a removal."""
        if removing:
            raise InitError(
                "The supervisor is PID 1 of this container and ends with it: stop the container instead, its jobs are "
                "stopped in order"
            )

    def prepare(self) -> None:
        """Do nothing: nobody has to be asked first."""

    def pending(self) -> tuple[Change, ...]:
        """Return nothing: the container's image says that it starts."""
        return ()

    def install(self) -> None:
        """Do nothing."""

    def traces(self) -> tuple[Change, ...]:
        """Return nothing."""
        return ()

    def remove(self) -> None:
        """Refuse."""
        self.verify(removing=True)

    def start(self) -> None:
        """Do nothing: it runs as long as the container does."""

    def stop(self, keep_jobs: bool) -> None:
        """Refuse."""
        self.verify(removing=True)

    def status(self) -> HostingStatus:
        """Return who answers at the socket."""
        pid = running.pid_of(self.layout)
        return HostingStatus(os.path.exists(self.layout.fosterd), True, pid is not None, pid)
