# SPDX-License-Identifier: GPL-3.0-or-later
"""Who keeps an event from finishing: conditions that have half come true, and instances on their way."""

from __future__ import annotations

from typing import NamedTuple

from .engine import Engine
from .event import Event
from .instance import Instance


class Holder(NamedTuple):
    """``by``: what holds the event: "start on" or "stop on", which wait for more, or the instance's goal/state."""

    job: str
    instance: str
    by: str


def held_by(engine: Engine, event: Event) -> list[Holder]:
    """Return who holds ``event``, in the order of the jobs."""
    found = []
    for job_class in engine.jobs.values():
        if job_class.start_on is not None and event.number in job_class.start_on.taken():
            found.append(Holder(job_class.name, "", "start on"))
        for instance in job_class.instances.values():
            found += [Holder(job_class.name, instance.name, by) for by in _ways(instance, event)]
    return found


def _ways(instance: Instance, event: Event) -> list[str]:
    ways = []
    if instance.stop_on is not None and event.number in instance.stop_on.taken():
        ways.append("stop on")
    if any(waiter is event for waiter in instance.blocking):
        ways.append(f"{instance.goal}/{instance.state}")
    return ways
