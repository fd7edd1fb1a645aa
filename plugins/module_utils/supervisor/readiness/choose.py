# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of a family's processes is the main one, and how sure that is. No I/O here, but what the callers bring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Optional

from ..tracking.proc import Stat

CERTAIN, LIKELY, GUESS = "certain", "likely", "guess"


class Choice(NamedTuple):
    """A main process. ``certainty``: certain, likely or guess. ``reason`` continues "It is the main process: "."""

    pid: int
    certainty: str
    reason: str


def started(pid: int) -> Choice:
    """Return the choice of the very process that was started."""
    return Choice(pid, CERTAIN, "it is what the job runs")


def heads(members: Sequence[Stat]) -> list[Stat]:
    """Return the members that are not descended from another one, the oldest first.

    They were looked at one after the other: where each seems to descend from another one, all are returned.
    """
    pids = {member.pid for member in members}
    found = [member for member in members if member.parent not in pids] or members
    return sorted(found, key=lambda member: (member.start_time, member.pid))


def choose(
    members: Sequence[Stat],
    named: Optional[Choice] = None,
    pidfile: Callable[[list[int]], Optional[Choice]] = lambda _pids: None,
) -> Optional[Choice]:
    """Return the main process among ``members``, None where there is nobody.

    ``named``: what the program itself has said, if anything. ``pidfile``: asked for the one of these pids that a
    pidfile names; only where ancestry leaves a doubt.
    """
    if not members:
        return None
    if named is not None and any(member.pid == named.pid for member in members):
        return named
    if len(members) == 1:
        return Choice(members[0].pid, CERTAIN, "it is the only process that is left")
    first = heads(members)
    if len(first) == 1:
        return Choice(first[0].pid, LIKELY, f"the other {len(members) - 1} that are left descend from it")
    found = pidfile([member.pid for member in members])
    if found is not None:
        return found
    return Choice(first[0].pid, GUESS, f"it is the oldest of {len(first)} that are left beside each other")
