# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of a run: the lines, the processes, the conclusion and what else could have been. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

from . import events as seen
from .alternatives import Alternative, alternatives
from .conclusion import NONE, Conclusion, conclude
from .events import Event, Observation
from .family import Family, Process


class Report(NamedTuple):
    """The result of a run."""

    observation: Observation
    family: Family
    conclusion: Conclusion
    alternatives: tuple[Alternative, ...]


def report(observation: Observation) -> Report:
    """Decide what fits what was seen."""
    family = Family(observation)
    conclusion = conclude(observation, family)
    return Report(observation, family, conclusion, alternatives(conclusion, family))


def lines(events: tuple[Event, ...]) -> list[str]:
    """Return ``COUNT PID NAME fork|exec|exit`` for each; COUNT is the number of forks up to then.

    The pid of a fork is the new process's. The first process, which we made, is no fork of the program.
    """
    found = []
    count = 0
    for event in events:
        if event.kind not in seen.SHOWN or (event.kind == seen.FORK and not event.parent):
            continue
        count += event.kind == seen.FORK
        found.append(f"{count} {event.pid} {event.name.replace(' ', '_')} {event.kind}")
    return found


def as_data(result: Report) -> dict[str, Any]:
    """Return it all as what JSON can carry."""
    observation, conclusion = result.observation, result.conclusion
    return {
        "expect": conclusion.expect,
        "task": conclusion.task,
        "reason": conclusion.reason,
        "sure": conclusion.sure,
        "failed": conclusion.sure == NONE,
        "main": _process(conclusion.main) if conclusion.main is not None else None,
        "hops": conclusion.hops,
        "lines": lines(observation.events),
        "processes": [_process(process) for process in result.family.processes],
        "alternatives": [each._asdict() for each in result.alternatives],
        "method": observation.method,
        "settled": observation.settled,
        "seconds": round(observation.seconds, 3),
        "output": observation.output,
        "warnings": [*conclusion.warnings, *observation.notes],
    }


def _process(process: Process) -> dict[str, Any]:
    return {
        "pid": process.pid,
        "name": process.name,
        "command": process.command,
        "parent": process.parent.pid if process.parent is not None else 0,
        "forked": round(process.born, 4),
        "exited": None if process.ended is None else round(process.ended, 4),
        "exit_status": process.status,
        "threads": process.threads,
        "session_leader": process.leads_session,
        "stopped_itself": process.stopped_at is not None,
        "notified_ready": process.ready_at is not None,
        "listens": list(process.listens),
        "pidfiles": list(process.pidfiles),
    }
