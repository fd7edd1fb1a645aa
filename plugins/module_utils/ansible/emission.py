# SPDX-License-Identifier: GPL-3.0-or-later
"""Emit one event for a task, or foresee it in check mode, and tell what it moved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..dbus.errors import BusError
from .difference import Difference
from .errors import TaskError
from .failure import how, last_lines
from .supervisor import Supervisor


@dataclass(frozen=True)
class Emission:
    """What the task says; ``timeout``: seconds."""

    name: str
    env: Mapping[str, str] = field(default_factory=dict)
    wait: bool = True
    timeout: float = 60.0


def emit(emission: Emission, supervisor: Supervisor, check: bool) -> tuple[Difference, dict[str, Any]]:
    """Emit the event, or with ``check`` only foresee it; return what changed and the module's return values.

    Raises TaskError for an event that failed, or that has not finished in time.
    """
    variables = [f"{key}={value}" for key, value in emission.env.items()]
    if check:
        told = supervisor.foresee(emission.name, variables)
    else:
        try:
            told = supervisor.emit(emission.name, variables, emission.wait, emission.timeout)
        except BusError as error:
            if error.short != "Timeout":
                raise
            raise _late(emission, variables, supervisor) from error
    difference = Difference()
    for verb, before, after, moved in (
        ("start", "stop", "start", told["started"]),
        ("stop", "start", "stop", told["stopped"]),
    ):
        for title in map(_title, moved):
            difference.note(f"{verb} {title}", f"goal of {title}", f"{before}\n", f"{after}\n")
    values = {key: told[key] for key in ("started", "stopped", "failures", "finished")}
    if told["failed"]:
        raise _failed(emission, supervisor, {**values, **difference.result(with_diff=False)})
    return difference, values


def _title(instance: Mapping[str, str]) -> str:
    return f"{instance['job']} ({instance['instance']})" if instance["instance"] else instance["job"]


def _failed(emission: Emission, supervisor: Supervisor, values: dict[str, Any]) -> TaskError:
    reasons = []
    for each in values["failures"]:
        failure = (supervisor.describe(each["job"]).get(each["job"]) or {}).get("last_failure") or {}
        reasons.append(f"{_title(each)} failed: {how(failure)}.{last_lines(failure)}")
    because = " ".join(reasons) or "A job that it started failed."
    return TaskError(f"{emission.name}: the event has failed. {because}", **values)


def _late(emission: Emission, variables: list[str], supervisor: Supervisor) -> TaskError:
    """Return the error that says who still holds the event."""
    holders: Iterable[Mapping[str, str]] = next(
        (
            event["held_by"]
            for event in reversed(supervisor.events())
            if (event["name"], event["env"]) == (emission.name, variables)
        ),
        (),
    )
    held = ", ".join(
        f"the {each['by']} of {_title(each)}, which waits for more" if each["by"].endswith(" on")
        else f"{_title(each)} ({each['by']})"
        for each in holders
    )  # fmt: skip
    by = f"; it is held by {held}" if held else ""
    return TaskError(
        f"{emission.name}: the event has not finished after {emission.timeout:g} s{by}. It goes on; raise timeout, "
        "or set wait: false.",
        held_by=list(holders),
    )
