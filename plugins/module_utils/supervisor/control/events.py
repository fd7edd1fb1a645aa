# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of org.foster.Init1 about events: emit one and tell what it led to, foresee that, and say who holds one.

JSON shapes: an instance is ``{"job", "instance"}``; consequences are ``{"started", "stopped", "failures": [instances],
"finished", "failed": bool}``; an event under way is ``{"name", "env", "held_by": [{"job", "instance", "by"}]}``.
"""

from __future__ import annotations

import json
from typing import Any

from ...dbus.errors import ERROR_INVALID_ARGS, BusError
from ...engine.foresight import foresee
from ...engine.holding import held_by
from ...engine.messages import Consequences, Emit, InstanceKey
from .request import Answer, Request, check_env


def emit(request: Request, name: str, env: list[str], wait: bool) -> Answer:
    """Emit an event; answer with what it has led to when it is finished, or without ``wait`` at once."""
    _check(name, env)
    message = Emit(request.number(), name, tuple(env), wait, tell=True)
    return request.submit(message, lambda reply: (_text(reply.value),))


def foresee_event(request: Request, name: str, env: list[str]) -> Answer:
    """Answer with what an event would lead to if all went well; nothing happens."""
    _check(name, env)
    return (_text(foresee(request.host.engine, name, tuple(env), request.host.now())),)


def events(request: Request) -> Answer:
    """Answer with the events that have not finished, the oldest first."""
    engine = request.host.engine
    under_way = [
        {
            "name": event.name,
            "env": list(event.env),
            "held_by": [holder._asdict() for holder in held_by(engine, event)],
        }
        for event in engine.events.events.values()
    ]
    return (json.dumps(under_way),)


def _check(name: str, env: list[str]) -> None:
    if not name:
        raise BusError(ERROR_INVALID_ARGS, "Name may not be empty string")
    check_env(env)


def _text(found: Consequences) -> str:
    told: dict[str, Any] = {
        "started": _instances(found.started),
        "stopped": _instances(found.stopped),
        "failures": _instances(found.failures),
        "finished": found.finished,
        "failed": found.failed,
    }
    return json.dumps(told)


def _instances(keys: tuple[InstanceKey, ...]) -> list[dict[str, str]]:
    return [{"job": job, "instance": instance} for job, instance in keys]
