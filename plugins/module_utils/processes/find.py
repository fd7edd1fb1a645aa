# SPDX-License-Identifier: GPL-3.0-or-later
"""Look for a daemon among the processes of this host."""

from __future__ import annotations

import os
from functools import partial
from typing import NamedTuple, Optional

from .ancestry import chain
from .candidate import Candidate, Processes
from .identity import Identity
from .matching import Pattern, Verdict, judge, may_be


class Search(NamedTuple):
    """``found``: the processes that are meant, in order of their pids, with the verdict on each.

    ``refused``: the one that a pid or a pidfile names and that is not meant, with the reason; None where there is none.
    """

    found: list[tuple[Candidate, Verdict]]
    refused: Optional[tuple[Candidate, str]] = None

    @property
    def processes(self) -> list[Candidate]:
        """Return the processes that are meant."""
        return [process for process, _verdict in self.found]

    @property
    def outdated(self) -> bool:
        """Say whether one of them runs something else than what is on disk now."""
        return any(verdict.outdated for _process, verdict in self.found)


def find(pattern: Pattern, processes: Processes, recorded: Optional[Identity] = None) -> Search:
    """Return who is meant. ``recorded``: the process that an earlier task started, as long as it is that very one.

    This process and its ancestors are never meant: a task for ``exec: /usr/bin/python3`` is a python itself.
    """
    own = {stat.pid for stat in chain(os.getpid(), processes.proc)}
    found: dict[int, tuple[Candidate, Verdict]] = {}
    refused = None
    if recorded is not None:
        process = _recorded(recorded, processes)
        if process is not None and process.pid not in own:
            verdict = judge(pattern, process, recorded=True)
            if verdict.matches:
                found[process.pid] = (process, verdict)
    exact = pattern.named if pattern.by_pidfile else pattern.pid
    if exact is None and pattern.by_pidfile:
        return Search(list(found.values()))
    # Twice, because a daemon that is about to fork may end after its child had no number yet in the first list.
    for _time in range(2 if exact is None else 1):
        every = processes.all(partial(may_be, pattern)) if exact is None else filter(None, [processes.read(exact)])
        for process in every:
            if process.pid in found:
                continue
            verdict = judge(pattern, process)
            if verdict.matches and process.pid in own:
                verdict = Verdict(False, "it is the task itself, or the login that the task came in through")
            if verdict.matches:
                found[process.pid] = (process, verdict)
            elif exact is not None:
                refused = (process, verdict.reason)
        if found:
            break
    return Search([found[pid] for pid in sorted(found)], refused)


def _recorded(identity: Identity, processes: Processes) -> Optional[Candidate]:
    process = processes.read(identity.pid)
    if process is None or (process.start_time, processes.boot_id) != (identity.start_time, identity.boot_id):
        return None
    return process


def identity_of(process: Candidate, processes: Processes) -> Identity:
    """Return which process that is, for all time."""
    return Identity(process.pid, process.start_time, processes.boot_id)
