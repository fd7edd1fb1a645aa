# SPDX-License-Identifier: GPL-3.0-or-later
"""What every way of hosting the supervisor can do."""

from __future__ import annotations

from typing import NamedTuple, Optional, Protocol


class HostingStatus(NamedTuple):
    """``installed``: the init knows of it; ``enabled``: it comes up with the host; ``running`` with ``pid``."""

    installed: bool
    enabled: bool
    running: bool
    pid: Optional[int]


class Hosting(Protocol):
    """One way to host the supervisor. What changes something returns whether it did, or raises InitError."""

    name: str

    def install(self) -> bool:
        """Let the init know of the supervisor, and start it with the host from now on."""

    def remove(self) -> bool:
        """Let the init forget the supervisor, which was stopped before."""

    def start(self) -> bool:
        """Start it and return when it is ready."""

    def stop(self) -> bool:
        """Stop it and return when it has ended. Jobs go on or end as the supervisor decides."""

    def status(self) -> HostingStatus:
        """Look, and change nothing."""

    def is_running(self) -> bool:
        """Return whether the supervisor runs."""

    def pending(self) -> dict[str, str]:
        """Return the files that install() would change, path to content, for check mode and diffs."""
