# SPDX-License-Identifier: GPL-3.0-or-later
"""An instance's object: start, stop, restart and reload of exactly this one."""

from __future__ import annotations

from ...dbus.upstart import INSTANCE
from ...engine.messages import Reload, Restart, Start, Stop
from .request import Answer, Request, handlers

_MODIFY = "modify job: %s"


def _start(request: Request, wait: bool) -> Answer:
    job, instance = request.names
    return request.submit(Start(request.number(), job, (), wait, instance))


def _stop(request: Request, wait: bool) -> Answer:
    job, instance = request.names
    return request.submit(Stop(request.number(), job, (), wait, instance))


def _restart(request: Request, wait: bool) -> Answer:
    job, instance = request.names
    return request.submit(Restart(request.number(), job, (), wait, instance))


def _reload(request: Request) -> Answer:
    job, instance = request.names
    return request.submit(Reload(request.number(), job, instance))


HANDLERS = handlers(
    INSTANCE,
    {"Start": _start, "Stop": _stop, "Restart": _restart, "Reload": _reload},
    {"Start": _MODIFY, "Stop": _MODIFY, "Restart": _MODIFY, "Reload": _MODIFY},
)
