# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inits have in common that are told of the supervisor by files, links and lines."""

from __future__ import annotations

import os
from collections.abc import Sequence

from . import running
from .interface import Change, HostingStatus
from .layout import Layout
from .pieces import Piece, Pieces


class ByPieces:
    """Those parts of ``interface.Hosting`` that are about the ``pieces``; starting and stopping is each init's own."""

    name: str

    def __init__(self, layout: Layout, pieces: Sequence[Piece]) -> None:
        self.layout = layout
        self._pieces = Pieces(self.name, pieces)

    def verify(self, removing: bool = False) -> None:
        """Raise InitError for a piece that is somebody else's or cannot be written."""
        self._pieces.verify(removing)

    def prepare(self) -> None:
        """Do nothing: nobody has to be asked first."""

    def pending(self) -> tuple[Change, ...]:
        """Return the pieces that are not as wanted."""
        return self._pieces.pending()

    def install(self) -> None:
        """Write the pieces, and let the init see them."""
        os.makedirs(os.path.dirname(self.layout.log), mode=0o755, exist_ok=True)  # the init opens the log
        if self._pieces.put():
            self._changed()

    def traces(self) -> tuple[Change, ...]:
        """Return the pieces that are there."""
        return self._pieces.traces()

    def remove(self) -> None:
        """Take the pieces away, and let the init see that."""
        if self._pieces.take():
            self._changed()

    def status(self) -> HostingStatus:
        """Return whether a piece is there, and who answers."""
        pid = running.pid_of(self.layout)
        known = bool(self._pieces.traces())
        return HostingStatus(known, known, pid is not None, pid)

    def _changed(self) -> None:
        """Let the init look at what has changed; nothing where it does so by itself, or when it is next asked."""
