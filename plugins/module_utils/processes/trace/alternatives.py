# SPDX-License-Identifier: GPL-3.0-or-later
"""What each kind of ``expect`` would have done with what was seen. Pure."""

from __future__ import annotations

from typing import NamedTuple, Optional

from .conclusion import Conclusion, said
from .family import Family, Process


class Alternative(NamedTuple):
    """One kind of ``expect``: whether it leads to the main process, ready, and one sentence of what it does."""

    expect: str
    fits: bool
    outcome: str


def alternatives(conclusion: Conclusion, family: Family) -> tuple[Alternative, ...]:
    """Return one for each kind, the one that was concluded included."""
    main = conclusion.main
    if main is None:
        return ()
    found = [
        _none(conclusion, family.first),
        _counting("fork", 1, main, family.first),
        _counting("daemon", 2, main, family.first),
        _stop(main, family.first),
        _notify(main, family),
        _listen(main, family),
        *(_pidfile(path, main, process) for process in family.alive() for path in process.pidfiles[:1]),
        _auto(main, conclusion),
    ]
    return tuple(found)


def counted(first: Process, forks: int) -> Optional[Process]:
    """Return the process that Upstart follows to when it counts ``forks`` (1 or 2); None where it waits for ever.

    Upstart 1.13 (init/job_process.c): the first child of each process, and no further once a child has executed a
    program.
    """
    process = first
    for number in range(forks):
        if number and process.execs and (not process.children or process.execs_before[0]):
            return process
        if not process.children:
            return None
        process = process.children[0]
    return process


def _none(conclusion: Conclusion, first: Process) -> Alternative:
    if conclusion.main is first:
        return Alternative("none", True, f"{said(first)} is the main process, and counts as ready at once")
    after = f"after {first.ended:.2f} s" if first.ended is not None else "later"
    return Alternative("none", False, f"the job ends {after} with {said(first)}, and what it left is ended or lost")


def _counting(kind: str, forks: int, main: Process, first: Process) -> Alternative:
    found = counted(first, forks)
    if found is None:
        return Alternative(kind, False, "Upstart waits for a fork that never comes, and the job is stuck")
    if found is main:
        return Alternative(kind, True, f"leads to {said(main)}")
    ended = ", which has ended," if not found.alive else ""
    return Alternative(kind, False, f"Upstart takes {said(found)}{ended} for the main process and loses {said(main)}")


def _stop(main: Process, first: Process) -> Alternative:
    if first.stopped_at is not None and main is first:
        return Alternative("stop", True, f"{said(main)} stops itself after {first.stopped_at:.2f} s")
    if first.stopped_at is not None:
        return Alternative("stop", False, f"{said(first)} stops itself, but is not the main process")
    return Alternative("stop", False, "waits until `start timeout`: the first process never stops itself")


def _notify(main: Process, family: Family) -> Alternative:
    senders = [process for process in family.processes if process.ready_at is not None]
    if not senders:
        return Alternative("notify", False, "waits until `start timeout`: nobody says READY=1")
    sender = senders[0]
    told = next((process.named_main for process in family.processes if process.named_main), None)
    when = f"{said(sender)} says READY=1 after {sender.ready_at:.2f} s"
    if told == main.pid:
        return Alternative("notify", True, f"{when}, and MAINPID names {said(main)}")
    first = family.first
    if main is first or (first.ended is not None and sender.ready_at is not None and first.ended <= sender.ready_at):
        return Alternative("notify", sender is main, when)
    return Alternative("notify", False, f"{when}, while {said(first)} still counts as the main process")


def _listen(main: Process, family: Family) -> Alternative:
    holders = [process for process in family.alive() if process.listens]
    if not holders:
        return Alternative("listen", False, "waits until `start timeout`: nobody listens on a socket")
    holder = main if main in holders else holders[0]
    where = ", ".join(address for address in holder.listens[:3] if address) or "a socket"
    return Alternative("listen", holder is main, f"{said(holder)} listens on {where}")


def _pidfile(path: str, main: Process, named: Process) -> Alternative:
    return Alternative(f"pidfile {path}", named is main, f"names {said(named)}")


def _auto(main: Process, conclusion: Conclusion) -> Alternative:
    top = next((link for link in conclusion.links if link.alive), main)
    if top is main:
        return Alternative("auto", True, f"finds {said(main)}, whatever the number of forks")
    return Alternative("auto", False, f"finds {said(top)}, which is left at the top")
