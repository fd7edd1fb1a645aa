# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes out of an import, and what the importers have to know of the host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Callable, NamedTuple, Optional

from ..model import Job

PROTECTION, BEHAVIOUR, ORDER = "protection", "behaviour", "order"


class Lost(NamedTuple):
    """Something that was not carried over.

    ``kind``: protection (the daemon runs, but less shut in), behaviour (it may do something else) or order (what is
    started before and after it). ``matters``: whether an admin has to know it. ``where``: path:line.
    """

    directive: str
    value: str
    kind: str
    matters: bool
    sentence: str
    where: str = ""


class Check(NamedTuple):
    """A condition of a start: ``shown`` as it is written, ``test`` a shell command. ``fails``: unmet is an error."""

    shown: str
    test: str
    fails: bool = False


def _no_home(_user: str) -> Optional[str]:
    return None


@dataclass(frozen=True)
class Around:
    """The host: names for specifiers, and what the supervisor may do here.

    ``home`` returns a user's home folder, None where there is no such user. ``ceilings``: hard limits by their names in
    a job, for those that may not be raised. ``capabilities``: the mask of the supervisor's, as in /proc/PID/status.
    """

    hostname: str = "localhost"
    machine_id: str = ""
    boot_id: str = ""
    release: str = ""
    architecture: str = ""
    home: Callable[[str], Optional[str]] = _no_home
    ceilings: Mapping[str, Optional[int]] = field(default_factory=dict)
    capabilities: int = (1 << 64) - 1

    def may(self, capability: int) -> bool:
        """Say whether the supervisor holds the capability with this number (capabilities(7))."""
        return bool(self.capabilities >> capability & 1)


@dataclass(frozen=True)
class Imported:
    """A job, and what belongs to it. ``reload``: a task that makes it read its configuration again.

    ``reloads``: whether it says how that is done, with a command or with a signal. ``wanted``: whether it says itself
    when to start, so that it can be enabled. ``aliases``: other names of it. ``needs``: services that it requires.
    """

    job: Job
    reload: Optional[Job] = None
    reloads: bool = False
    lost: tuple[Lost, ...] = ()
    checks: tuple[Check, ...] = ()
    wanted: bool = False
    aliases: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
