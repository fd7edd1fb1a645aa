# SPDX-License-Identifier: GPL-3.0-or-later
"""Which signals end a process, how long each may take, and how what is left of an instance is ended."""

from __future__ import annotations

from typing import Optional

from ..job.model import Job, ProcessKind
from .instance import Instance
from .messages import EndFamily, Signal
from .turn import Turn

_UNKILLABLE = 10.0  # seconds after SIGKILL in which a process has to be gone


def kill_steps(job: Job) -> list[tuple[str, float]]:
    """Return signals and the seconds to wait after each; the last is always KILL, so that a stop has an end."""
    steps: list[tuple[str, float]] = []
    for entry in job.kill_schedule or (job.kill_signal, job.kill_timeout):
        if steps and isinstance(entry, int) and steps[-1][1] == 0:
            steps[-1] = (steps[-1][0], float(entry))
        else:
            steps.append((str(entry), 0.0))
    if not steps or steps[-1][0] not in ("KILL", "9"):
        steps.append(("KILL", 0.0))
    return steps


def kill_main(turn: Turn, instance: Instance) -> bool:
    """Send main the signal of ``instance.kill_step`` and give it its time; tell whether there was such a step."""
    steps = kill_steps(instance.job)
    if instance.kill_step >= len(steps):
        return False
    name, seconds = steps[instance.kill_step]
    last = instance.kill_step == len(steps) - 1
    turn.effects.append(Signal(instance.key, ProcessKind.MAIN, name, last and not instance.job.keep_leftovers))
    turn.set_timer(instance, "kill", max(seconds, _UNKILLABLE) if last else seconds)
    return True


def end_family(turn: Turn, instance: Instance, signal: Optional[str] = None, grace: Optional[float] = None) -> bool:
    """End what the instance has left behind; tell whether there is anything to wait for.

    ``signal`` and ``grace``: without them the first step of the job's kill schedule.
    """
    if instance.job.keep_leftovers or (instance.alone and not instance.spawning):
        return False
    first, seconds = kill_steps(instance.job)[0]
    signal = first if signal is None else signal
    if grace is None:
        grace = 0.0 if signal == "KILL" else seconds
    instance.ending_family = True
    turn.effects.append(EndFamily(instance.key, signal, grace))
    return True
