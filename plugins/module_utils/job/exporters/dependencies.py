# SPDX-License-Identifier: GPL-3.0-or-later
"""``start on`` and ``stop on`` as dependencies, for the conditions that have an equivalent.

systemd has no events. But the ones that Upstart's jobs wait for most are the steps of a transaction: a job that starts
on ``started X`` is wanted by X and comes after it. Source: systemd.unit(5), systemd.special(7), bootup(7).
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from typing import NamedTuple, Optional

from ..model import Condition, Job, Match, Or
from .errors import CannotSay
from .target import Line, Target
from .unit_names import instance_unit, unit_name

RUNLEVELS = "0123456S"
# What the host emits as it comes up, and what a unit waits for instead.
HOST_EVENTS: dict[str, tuple[str, ...]] = {
    "startup": (),
    "virtual-filesystems": ("local-fs.target",),
    "local-filesystems": ("local-fs.target",),
    "remote-filesystems": ("remote-fs.target",),
    "filesystem": ("local-fs.target", "remote-fs.target"),
    "all-swaps": ("swap.target",),
    "static-network-up": ("network-online.target",),
    "net-device-up": ("network-online.target",),
}
JOB_EVENTS = ("starting", "started", "stopping", "stopped")
_ANY_DEVICE = ((), ("IFACE!=lo",))


class Term(NamedTuple):
    """One event: ``kind`` is host, starting, started or stopped; ``units``: what it is about."""

    kind: str
    units: tuple[str, ...]
    wanted_by: tuple[str, ...]


def start_lines(job: Job, target: Target) -> Iterable[Line]:
    """Return what says the job's ``start on``. Raises CannotSay."""
    if job.start_on is None:
        return
    choices = _choices(job.start_on, "start on", "start_on")
    terms = [[_start_term(match, target) for match in choice] for choice in choices]
    jobs = [[term for term in choice if term.kind != "host"] for choice in terms]
    if len(terms) > 1 and any(len(choice) > 1 for choice in terms):
        raise CannotSay("start on", "start_on", "a unit has nothing for an and inside of an or")
    if any(len(choice) > 1 and any(term.kind == "starting" for term in choice) for choice in terms):
        raise CannotSay("start on", "start_on", "a unit has nothing for starting together with another event")
    every = [term for choice in terms for term in choice]
    before = [unit for term in every if term.kind == "starting" for unit in term.units]
    after = [unit for term in every if term.kind != "starting" for unit in term.units]
    wanted = [unit for choice in terms for term in choice for unit in term.wanted_by]
    if len(terms) == 1 and jobs[0]:  # the host's own events have come by the time that a job starts
        wanted = [unit for term in jobs[0] for unit in term.wanted_by]
        if len(jobs[0]) > 1:
            required = _unique(unit for term in jobs[0] for unit in term.units)
            yield Line("Unit", "Requisite", " ".join(required))
    online = [unit for unit in after if unit == "network-online.target"]
    for directive, units in (("Wants", online), ("After", after), ("Before", before)):
        if units:
            yield Line("Unit", directive, " ".join(_unique(units)))
    yield Line("Install", "WantedBy", " ".join(_unique(wanted)))


def stop_lines(job: Job, target: Target) -> Iterable[Line]:
    """Return what says the job's ``stop on``. Raises CannotSay."""
    if job.stop_on is None:
        return
    before: list[str] = []
    after: list[str] = []
    for choice in _choices(job.stop_on, "stop on", "stop_on"):
        if len(choice) > 1:
            raise CannotSay("stop on", "stop_on", "a unit has nothing for an and")
        (match,) = choice
        if match.event == "runlevel":
            yield from _stop_levels(job, match)
            continue
        kind, unit = _job_event(match, "stop on", "stop_on", target)
        if kind not in ("stopping", "stopped"):
            raise CannotSay("stop on", "stop_on", f"a unit has nothing for {_shown(match)} that leaves the other alone")
        (after if kind == "stopping" else before).append(unit)
    ordered = [unit for line in start_lines(job, target) if line.directive in ("Before", "After")
               for unit in line.value.split() if unit in (before if line.directive == "After" else after)]  # fmt: skip
    if ordered or set(before) & set(after):
        first = _unique([*ordered, *before])[0]
        raise CannotSay("stop on", "stop_on", f"a unit stops in the order opposite to its start ({first})")
    for directive, units in (("BindsTo", [*before, *after]), ("After", after), ("Before", before)):
        if units:
            yield Line("Unit", directive, " ".join(_unique(units)))


def _choices(condition: Condition, stanza: str, field: str) -> list[list[Match]]:
    """Return the alternatives of a condition, each a list of the events that it needs all of."""
    if isinstance(condition, Match):
        return [[condition]]
    left, right = _choices(condition.left, stanza, field), _choices(condition.right, stanza, field)
    if isinstance(condition, Or):
        return left + right
    if len(left) * len(right) > 50:
        raise CannotSay(stanza, field, "the condition is too long for a unit")
    return [one + other for one in left for other in right]


def _start_term(match: Match, target: Target) -> Term:
    boot = ("default.target",) if target.user else ("multi-user.target",)
    if match.event == "runlevel" or (match.event == "stopped" and _argument(match, "JOB", 0) == "rc"):
        return Term("host", (), _start_levels(match, target))
    if match.event in HOST_EVENTS:
        if match.arguments not in (_ANY_DEVICE if match.event == "net-device-up" else ((),)):
            raise CannotSay("start on", "start_on", f"a unit has nothing for the variables in {_shown(match)}")
        return Term("host", () if target.user else HOST_EVENTS[match.event], boot)
    kind, unit = _job_event(match, "start on", "start_on", target)
    if kind == "stopping":
        raise CannotSay("start on", "start_on", f"a unit has nothing for {_shown(match)}")
    return Term(kind, (unit,), (unit,))


def _job_event(match: Match, stanza: str, field: str, target: Target) -> tuple[str, str]:
    """Return which of JOB_EVENTS a match is, and of which unit."""
    if match.event not in JOB_EVENTS:
        raise CannotSay(stanza, field, f"systemd has no event {match.event}, and no unit can wait for one")
    name, instance = _argument(match, "JOB", 0), _argument(match, "INSTANCE", 1)
    known = len([value for value in (name, instance) if value is not None])
    if name is None or known != len(match.arguments) or not _literal(name) or not _literal(instance or ""):
        raise CannotSay(stanza, field, f"a unit can name one other job, and nothing else in {_shown(match)}")
    other = target.others.get(name)
    task = other is not None and other.task
    if match.event == "stopped" and field == "start_on" and not task:
        raise CannotSay(stanza, field, f"a unit can start at the end of a task, and {name} is none here")
    if task and (match.event == "started" or field == "stop_on"):
        raise CannotSay(stanza, field, f"{name} is a task, whose unit is not there between its start and its end")
    if other is not None and other.instance and not instance:
        raise CannotSay(stanza, field, f"{name} has instances, and a unit can name only one: say which one")
    return match.event, instance_unit(name, instance) if instance else unit_name(name)


def _argument(match: Match, key: str, position: int) -> Optional[str]:
    """Return the value that a match asks of a variable, by name or by position; None where it asks nothing."""
    for index, argument in enumerate(match.arguments):
        name, equals, value = argument.partition("=")
        if equals and name == key:
            return value
        if not equals and index == position:
            return argument
    return None


def _literal(text: str) -> bool:
    return not set("*?[]$\\") & set(text)


def _levels(match: Match, stanza: str, field: str) -> str:
    """Return the runlevels that a match accepts."""
    position = 1 if match.event == "stopped" else 0
    pattern = _argument(match, "RUNLEVEL", position)
    others = [argument for argument in match.arguments if argument not in (pattern, f"RUNLEVEL={pattern}")]
    if match.event == "stopped":
        others = [argument for argument in others if argument not in ("rc", "JOB=rc")]
    if others or "$" in (pattern or ""):
        raise CannotSay(stanza, field, f"a unit has nothing for the variables in {_shown(match)}")
    return "".join(level for level in RUNLEVELS if fnmatch.fnmatchcase(level, "*" if pattern is None else pattern))


def _start_levels(match: Match, target: Target) -> tuple[str, ...]:
    levels = _levels(match, "start on", "start_on")
    if target.user:
        raise CannotSay("start on", "start_on", "a user's manager knows no runlevels: say start on startup")
    if set(levels) & set("06") or not levels:
        raise CannotSay("start on", "start_on", f"a unit cannot start in runlevel {levels[:1] or 'none at all'}")
    single = ("rescue.target",) if set(levels) & set("1S") else ()
    if set(levels) & set("234"):
        return (*single, "multi-user.target")
    return (*single, "graphical.target") if "5" in levels else single


def _stop_levels(job: Job, match: Match) -> Iterable[Line]:
    """Say when a change of the runlevel stops the job; the targets for that stop what they do not want."""
    levels = set(_levels(match, "stop on", "stop_on"))
    if not set("06") <= levels:
        raise CannotSay("stop on", "stop_on", f"a unit stops in the runlevels 0 and 6 at least, not on {_shown(match)}")
    if levels & set("2345") and not _only_levels(job, levels):
        raise CannotSay("stop on", "stop_on", f"a unit goes on while the host runs, also on {_shown(match)}")
    if "1" not in levels:
        yield Line("Unit", "IgnoreOnIsolate", "yes")


def _only_levels(job: Job, stopped: set[str]) -> bool:
    """Say whether the job starts on runlevels alone, in none of those that it stops in, and those are not apart."""
    condition = job.start_on
    if not isinstance(condition, Match) or condition.event not in ("runlevel", "stopped"):
        return False
    started = set(_levels(condition, "start on", "start_on"))
    return not started & stopped and (started == {"5"} or started <= set("1S"))


def _unique(units: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(units))


def _shown(match: Match) -> str:
    return " ".join((match.event, *match.arguments))
