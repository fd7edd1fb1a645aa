# SPDX-License-Identifier: GPL-3.0-or-later
"""What an event would lead to, found out on a twin of the engine: nothing happens to the real one.

The twin starts from the records of the engine. What it asks for is answered as if all went well: programs start, tasks
and scripts end with 0, services become ready and stay, and what is told to end ends.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator

from ..job.model import ProcessKind
from .engine import Engine
from .messages import (
    Consequences,
    Effect,
    Emit,
    EndFamily,
    Env,
    FamilyEnded,
    Input,
    ProcessExited,
    Ready,
    Reply,
    Signal,
    Spawn,
    Spawned,
)  # fmt: skip
from .signals import signal_number

_REQUEST = 1
_FIRST_PID = 1 << 30  # above any pid of Linux (proc_pid_max, proc(5)): the twin's processes are not those of the host
_STEPS_PER_JOB = 50  # jobs that start and stop each other in a circle would go on for ever


def foresee(engine: Engine, name: str, env: Env, now: float) -> Consequences:
    """Return what an event ``name`` with the variables ``env`` would lead to; ``now``: seconds, monotonic.

    ``finished`` is False where it would be held: by half a condition, or by what waits for something else.
    """
    twin = engine.twin(now)
    pids = itertools.count(_FIRST_PID)
    inputs: deque[Input] = deque([Emit(_REQUEST, name, env, tell=True)])
    for _step in range(_STEPS_PER_JOB * (len(twin.jobs) + 1)):
        if not inputs:
            break
        for effect in twin.handle(inputs.popleft(), now):
            if isinstance(effect, Reply) and effect.request == _REQUEST:
                reply: Consequences = effect.value
                return reply
            inputs.extend(_answers(twin, effect, pids))
    held = next(event for event in twin.events.events.values() if _REQUEST in event.waiting)
    return held.told.consequences(finished=False) if held.told is not None else Consequences(finished=False)


def _answers(twin: Engine, effect: Effect, pids: Iterator[int]) -> list[Input]:
    """Return what the host would answer to ``effect`` if all went well."""
    if isinstance(effect, Spawn):
        key, kind, pid = effect.key, effect.kind, next(pids)
        answers: list[Input] = [Spawned(key, kind, pid)]
        if kind is ProcessKind.MAIN and effect.job.expect.kind != "none":
            answers.append(Ready(key, pid))
        if kind is not ProcessKind.MAIN or effect.job.task:
            answers.append(ProcessExited(key, kind, pid, code=0))
        return answers
    if isinstance(effect, EndFamily):
        return [FamilyEnded(effect.key)]
    if isinstance(effect, Signal) and not effect.alone:
        instance = twin.instance(effect.key)
        pid_or_none = instance.processes.get(effect.kind) if instance is not None else None
        if pid_or_none is not None:
            return [ProcessExited(effect.key, effect.kind, pid_or_none, signal=signal_number(effect.signal))]
    return []
