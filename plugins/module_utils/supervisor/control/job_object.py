# SPDX-License-Identifier: GPL-3.0-or-later
"""A job's object: its instances, and start, stop and restart with variables that select one."""

from __future__ import annotations

from ...dbus.errors import ERROR_INVALID_ARGS, BusError
from ...dbus.upstart import ERROR_PREFIX, JOB, instance_path
from ...engine import environment
from ...engine.messages import Reply, Restart, Start, Stop
from ...job.errors import ExpandError, UnknownParameter
from ...job.expand import expand
from .request import Answer, Request, check_env, handlers

_MODIFY = "modify job: %s"


def _get_instance(request: Request, env: list[str]) -> Answer:
    check_env(env)
    job = request.job.job
    try:
        table = environment.table(request.host.engine.environment)
        environment.add(table, job.env, {})
        environment.add(table, env, {})
        name = expand(job.instance, environment.values(table.values()))
    except (UnknownParameter, ExpandError) as error:
        usage = f"\nUsage: {job.usage}" if job.usage else ""
        raise BusError(ERROR_INVALID_ARGS, f"{error}{usage}") from None
    return _get_instance_by_name(request, name)


def _get_instance_by_name(request: Request, name: str) -> Answer:
    if name not in request.job.instances:
        raise BusError(ERROR_PREFIX + "UnknownInstance", f"Unknown instance: {name}")
    return (instance_path(request.names[0], name),)


def _get_all_instances(request: Request) -> Answer:
    return ([instance_path(request.names[0], name) for name in request.job.instances],)


def _path(reply: Reply) -> tuple[str]:
    job, instance = reply.value
    return (instance_path(job, instance),)


def _start(request: Request, env: list[str], wait: bool) -> Answer:
    check_env(env)
    return request.submit(Start(request.number(), request.names[0], tuple(env), wait), _path)


def _stop(request: Request, env: list[str], wait: bool) -> Answer:
    check_env(env)
    return request.submit(Stop(request.number(), request.names[0], tuple(env), wait))


def _restart(request: Request, env: list[str], wait: bool) -> Answer:
    check_env(env)
    return request.submit(Restart(request.number(), request.names[0], tuple(env), wait), _path)


HANDLERS = handlers(
    JOB,
    {
        "GetInstance": _get_instance,
        "GetInstanceByName": _get_instance_by_name,
        "GetAllInstances": _get_all_instances,
        "Start": _start,
        "Stop": _stop,
        "Restart": _restart,
    },
    {"Start": _MODIFY, "Stop": _MODIFY, "Restart": _MODIFY},
)
