# SPDX-License-Identifier: GPL-3.0-or-later
"""The properties of every object, and org.freedesktop.DBus.Properties, which reads and sets them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional

from ...dbus.errors import ERROR_ACCESS_DENIED, ERROR_INVALID_ARGS, BusError
from ...dbus.upstart import INSTANCE, JOB, MANAGER, PERMISSION_DENIED, PROPERTIES, Interface, Property
from ...job.model import And, Condition, Match, ProcessKind
from .request import Answer, Request, handlers

_LOG_PRIORITIES = ("debug", "info", "message", "warn", "error", "fatal")
_PROCESS_ORDER = {kind: position for position, kind in enumerate(ProcessKind)}


class NoSuchProperty(Exception):
    """The object has no property of that name: libnih then acts as if there were no such method."""


def condition_words(condition: Optional[Condition]) -> list[list[str]]:
    """Return a condition as Upstart shows it: events with their arguments and ``/AND``, ``/OR``, operands first."""
    words: list[list[str]] = []
    todo: list[Any] = [condition] if condition is not None else []
    while todo:
        one = todo.pop()
        if isinstance(one, list):
            words.append(one)
        elif isinstance(one, Match):
            words.append([one.event, *one.arguments])
        else:
            todo += [["/AND" if isinstance(one, And) else "/OR"], one.right, one.left]
    return words


def _processes(request: Request) -> list[tuple[str, int]]:
    found = request.instance.processes
    return [(kind.value, found[kind]) for kind in sorted(found, key=_PROCESS_ORDER.__getitem__)]


Getter = Callable[[Request], Any]

_MANAGER_GETTERS: dict[str, Getter] = {
    "version": lambda request: request.host.version,
    "log_priority": lambda request: request.host.log_priority,
}
_JOB_GETTERS: dict[str, Getter] = {
    "name": lambda request: request.job.job.name,
    "description": lambda request: request.job.job.description or "",
    "author": lambda request: request.job.job.author or "",
    "version": lambda request: request.job.job.version or "",
    "usage": lambda request: request.job.job.usage or "",
    "start_on": lambda request: condition_words(request.job.job.start_on),
    "stop_on": lambda request: condition_words(request.job.job.stop_on),
    "emits": lambda request: list(request.job.job.emits),
}
_INSTANCE_GETTERS: dict[str, Getter] = {
    "name": lambda request: request.names[1],
    "goal": lambda request: request.instance.goal,
    "state": lambda request: request.instance.state,
    "processes": _processes,
}

# By the number of names in the object's path: manager, job, instance.
_OBJECTS: tuple[tuple[Interface, dict[str, Getter]], ...] = (
    (MANAGER, _MANAGER_GETTERS),
    (JOB, _JOB_GETTERS),
    (INSTANCE, _INSTANCE_GETTERS),
)


def _find(request: Request, interface_name: str, name: str) -> tuple[Property, Getter]:
    interface, getters = _OBJECTS[len(request.names)]
    if interface_name in ("", interface.name):
        for one in interface.properties:
            if one.name == name:
                return one, getters[name]
    raise NoSuchProperty(name)


def _get(request: Request, interface_name: str, name: str) -> Answer:
    one, getter = _find(request, interface_name, name)
    return ((one.signature, getter(request)),)


def _get_all(request: Request, interface_name: str) -> Answer:
    interface, getters = _OBJECTS[len(request.names)]
    if interface_name not in ("", interface.name):
        return ({},)
    return ({one.name: (one.signature, getters[one.name](request)) for one in interface.properties},)


def _set(request: Request, interface_name: str, name: str, value: tuple[str, Any]) -> Answer:
    one, _getter = _find(request, interface_name, name)
    if not one.writable:
        raise BusError(ERROR_ACCESS_DENIED, f"The {name} property is read-only")
    if value[0] != one.signature:
        raise BusError(ERROR_INVALID_ARGS, f"Invalid arguments to {name} property")
    if not request.privileged:
        raise BusError(PERMISSION_DENIED, "You do not have permission to set log priority")
    if value[1] not in _LOG_PRIORITIES:
        raise BusError(ERROR_INVALID_ARGS, "The log priority given was not recognised")
    request.host.log_priority = value[1]
    return None


HANDLERS = handlers(PROPERTIES, {"Get": _get, "Set": _set, "GetAll": _get_all}, {})
