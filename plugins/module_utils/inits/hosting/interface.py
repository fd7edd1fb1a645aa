# SPDX-License-Identifier: GPL-3.0-or-later
"""What every way of hosting the supervisor can do."""

from __future__ import annotations

from typing import NamedTuple, Optional, Protocol


class Change(NamedTuple):
    """One thing that is not as wanted: the ``action`` in words, and the text at ``path`` before and after it.

    None stands for absent; a link's text is where it leads to.
    """

    action: str
    path: str
    before: Optional[str]
    after: Optional[str]


class HostingStatus(NamedTuple):
    """``installed``: the init knows of it; ``enabled``: it comes up with the host; ``running`` with ``pid``."""

    installed: bool
    enabled: bool
    running: bool
    pid: Optional[int]


class Hosting(Protocol):
    """One way to host the supervisor. What cannot be done raises InitError, with one sentence that says why."""

    name: str

    def verify(self, removing: bool = False) -> None:
        """Raise InitError when installing or ``removing`` it would fail for a reason that shows already."""

    def prepare(self) -> None:
        """Ask for what somebody else has to grant, before anything is installed."""

    def pending(self) -> tuple[Change, ...]:
        """Return what install() would change."""

    def install(self) -> None:
        """Let the init start the supervisor with the host from now on."""

    def traces(self) -> tuple[Change, ...]:
        """Return what remove() would change."""

    def remove(self) -> None:
        """Let the init forget the supervisor, which was stopped before."""

    def start(self) -> None:
        """Let the init start it, and return when it listens and is seen to hang on no login."""

    def stop(self, keep_jobs: bool) -> None:
        """Let the init end it without starting it again, and return when it has ended; it is up with the next boot."""

    def status(self) -> HostingStatus:
        """Look, and change nothing."""
