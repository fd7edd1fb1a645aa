# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ``expect`` fits what was seen, and why. Pure.

The main process is whoever is left at the top: follow the first process, and from each one that has ended whoever of
its children goes on. ``fork`` and ``daemon`` are said only where Upstart, which counts, finds the same process by them:
it takes the first child, and for ``daemon`` that one's first child, unless it executes another program before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from .events import Observation
from .family import Family, Process

CERTAIN, LIKELY, NONE = "certain", "likely", "none"
_TOLD = 5  # processes of a chain that are named


@dataclass(frozen=True)
class Conclusion:
    """``expect``: the words after the stanza's name, "" where nothing fits (it failed).

    ``sure``: certain, likely, none. ``links``: the processes from the first to the main one. ``task``: it has done its
    work and left nothing.
    """

    expect: str
    reason: str
    sure: str
    main: Optional[Process] = None
    links: tuple[Process, ...] = ()
    task: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def hops(self) -> int:
        """Return how many processes leave before the main one is there."""
        return max(len(self.links) - 1, 0)


def conclude(observation: Observation, family: Family) -> Conclusion:
    """Return the ``expect`` that fits, for a family of at least one process."""
    first = family.first
    sure = CERTAIN if observation.method == "ptrace" and observation.settled else LIKELY
    if not first.alive and first.status != 0:
        return Conclusion("", f"{said(first)} {ended_how(first)}: the program did not start", NONE)
    if first.alive:
        return _foreground(observation, first, sure)
    tops = family.tops()
    if not tops:
        return _nothing_left(family, sure)
    main, doubt = _main(tops, family)
    links = (*reversed(list(main.ancestors())), main)
    if links[0] is not first:  # its parent was not seen: it was made between two looks
        links = (first, *links)
    inner = _named_below(main, family)
    if inner is not None:
        path = inner.pidfiles[0]
        reason = f"{path} names {said(inner)}, which is not the process that is left at the top ({said(main)})"
        return Conclusion(f"pidfile {path}", reason, LIKELY, inner, (*links, inner))
    warnings = (*_unsettled(observation), *((doubt,) if doubt else ()))
    expect, reason = _forking(links)
    return Conclusion(expect, reason, LIKELY if doubt else sure, main, links, warnings=warnings)


def _foreground(observation: Observation, first: Process, sure: str) -> Conclusion:
    warnings = _unsettled(observation)
    if first.stopped_at is not None:
        reason = f"{said(first)} does not fork itself away, and stops itself with SIGSTOP when it is ready"
        return Conclusion("stop", reason, sure, first, (first,), warnings=warnings)
    if first.ready_at is not None:
        reason = f"{said(first)} stays in the foreground and says READY=1 to the notify socket"
        return Conclusion("notify", reason, sure, first, (first,), warnings=warnings)
    wrapped = _wrapped(first)
    if wrapped is not None:
        path = wrapped.pidfiles[0]
        reason = f"{said(first)} stays in the foreground and has one child, and {path} names {said(wrapped)}"
        return Conclusion(f"pidfile {path}", reason, LIKELY, wrapped, (first, wrapped), warnings=warnings)
    reason = f"{said(first)} stays in the foreground"
    return Conclusion("none", reason, sure, first, (first,), warnings=warnings)


def _unsettled(observation: Observation) -> tuple[str, ...]:
    if observation.settled:
        return ()
    return (f"it was still busy after {observation.seconds:.0f} s; give it more time",)


def _nothing_left(family: Family, sure: str) -> Conclusion:
    first = family.first
    failed = [process for process in family.processes if process.status not in (0, None)]
    handed_over = [process for process in failed if process.leads_session and process is not first]
    if handed_over:
        last = handed_over[-1]
        reason = f"{said(first)} exited with 0, but {said(last)}, which it had started, {ended_how(last)}"
        return Conclusion("", f"{reason}: the program did not start", NONE)
    reason = f"{said(first)} exited with 0 and left no process behind: it is no daemon, write `task`"
    return Conclusion("none", reason, sure, None, (first,), task=True)


def _main(tops: list[Process], family: Family) -> tuple[Process, str]:
    """Return the main process among those that are left at the top, and what makes it doubtful ("" for nothing)."""
    if len(tops) == 1:
        return tops[0], ""
    told = {process.named_main for process in family.processes if process.named_main}
    ranks = (
        ("is named by a pidfile", lambda process: bool(process.pidfiles)),
        ("is the MAINPID of a notify message", lambda process: process.pid in told),
        ("says READY=1", lambda process: process.ready_at is not None),
        ("listens", lambda process: bool(process.listens)),
        ("leads a session", lambda process: process.leads_session),
    )
    others = f"{len(tops)} processes are left without a common parent"
    for why, holds in ranks:
        found = [process for process in tops if holds(process)]
        if len(found) == 1:
            return found[0], f"{others}; {said(found[0])} is taken for the main one because it alone {why}"
    return tops[0], f"{others}; {said(tops[0])} is taken for the main one because it is the oldest"


def _wrapped(first: Process) -> Optional[Process]:
    """Return the only child that is left of a process that stays, if a pidfile names it and none its parent."""
    left = [child for child in first.children if child.alive]
    return left[0] if len(left) == 1 and left[0].pidfiles and not first.pidfiles else None


def _named_below(main: Process, family: Family) -> Optional[Process]:
    """Return the one process below ``main`` that pidfiles name, where none names ``main``."""
    if main.pidfiles:
        return None
    named = [process for process in family.alive() if process.pidfiles and main in process.ancestors()]
    return named[0] if len(named) == 1 else None


def _forking(links: tuple[Process, ...]) -> tuple[str, str]:
    """Return the stanza for a chain of processes that leave with 0, and the reason."""
    hops = len(links) - 1
    main = links[-1]
    if hops == 1:
        told = f"{said(links[0])} forks and exits, {said(main)} is left"
    else:
        leaving = [said(link) for link in links[:-1]]
        if hops > _TOLD:
            leaving[_TOLD - 1 : -1] = ["..."]
        told = f"{hops} processes leave one after the other ({', '.join(leaving)}), {said(main)} is left"
    if any(link.guessed for link in links):
        return "auto", f"{told}; not every fork was seen, and this kind need not count them"
    miss = miscounted(links)
    if miss:
        return "auto", f"{told}; {miss}, so that counting forks finds another process"
    return {1: "fork", 2: "daemon"}.get(hops, f"fork {hops}"), told


def miscounted(links: tuple[Process, ...]) -> str:
    """Return why counting forks along ``links`` does not lead to the last of them, "" where it does."""
    for number, (parent, child) in enumerate(zip(links, links[1:])):
        if parent.children and parent.children[0] is not child:
            return f"the first fork of {said(parent)} is {said(parent.children[0])}"
        if number and parent.execs_before and parent.execs_before[0]:
            return f"{said(parent)} executes a program before it forks"
    return ""


def said(process: Process) -> str:
    """Return how a process is spoken of."""
    return f"{process.name} ({process.pid})"


def ended_how(process: Process) -> str:
    """Return how a process ended, in words."""
    status = process.status
    if status is None:
        return "ended"
    return f"was ended by signal {-status}" if status < 0 else f"exited with {status}"
