# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager object: jobs by name, events, the environment of jobs, the supervisor itself; and org.foster.Init1.

Names of errors and their texts are Upstart 1.13.2's, so that its clients print what they always did.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from ...dbus.errors import ERROR_INVALID_ARGS, BusError
from ...dbus.upstart import ERROR_PREFIX, FOSTER, MANAGER, job_path
from ...engine.messages import Emit, Env, InstanceKey, SetJobEnv
from . import events
from .request import PENDING, Answer, Request, check_env, find_job, handlers

ERROR_BAD_ADDRESS = "org.freedesktop.DBus.Error.BadAddress"


def _reload_configuration(request: Request) -> Answer:
    request.host.reload()
    return None


def _read_changes(request: Request) -> Answer:
    request.host.read_changes()
    return None


def _get_job_by_name(request: Request, name: str) -> Answer:
    if not name:
        raise BusError(ERROR_INVALID_ARGS, "Name may not be empty string")
    find_job(request.host.engine, name)
    return (job_path(name),)


def _get_all_jobs(request: Request) -> Answer:
    return ([job_path(name) for name in request.host.engine.jobs],)


def _get_state(request: Request) -> Answer:
    return (request.host.state_json(),)


def _restart(request: Request) -> Answer:
    request.host.reexec()
    return PENDING  # the connection ends before there could be an answer; Upstart's callers expect that


def _end_session(request: Request) -> Answer:
    request.host.shutdown()
    return None


# ---- the environment of jobs --------------------------------------------------------------------------------


def _selected(request: Request, details: Sequence[str]) -> Optional[InstanceKey]:
    """Return the instance that ``job_details`` names, None for the table of all jobs.

    Raise BusError for an unknown one.
    """
    if not details:
        return None
    if not details[0]:
        raise BusError(ERROR_INVALID_ARGS, "Job may not be empty string")
    job = find_job(request.host.engine, details[0])
    if len(details) < 2 or details[1] not in job.instances:
        instance = details[1] if len(details) > 1 else "(null)"
        raise BusError(ERROR_PREFIX + "UnknownJobInstance", f"Unknown instance: {instance} of job {details[0]}")
    return details[0], details[1]


def _table(request: Request, details: Sequence[str]) -> Env:
    key = _selected(request, details)
    engine = request.host.engine
    table: Env = engine.environment if key is None else engine.jobs[key[0]].instances[key[1]].env
    return table


def _get_env(request: Request, details: list[str], name: str) -> Answer:
    if not name:
        raise BusError(ERROR_INVALID_ARGS, "Variable may not be empty string")
    for entry in _table(request, details):
        key, _equals, value = entry.partition("=")
        if key == name:
            return (value,)
    raise BusError(ERROR_INVALID_ARGS, f"No such variable: {name}")


def _list_env(request: Request, details: list[str]) -> Answer:
    return (list(_table(request, details)),)


def _set_env_list(request: Request, details: list[str], variables: list[str], replace: bool) -> Answer:
    key = _selected(request, details)
    env = tuple(one if "=" in one else one + "=" for one in variables)
    return request.submit(SetJobEnv(request.number(), key, env, replace=replace))


def _set_env(request: Request, details: list[str], variable: str, replace: bool) -> Answer:
    return _set_env_list(request, details, [variable], replace)


def _unset_env_list(request: Request, details: list[str], names: list[str]) -> Answer:
    # A variable that is not there is no error; recorded with Upstart 1.13.2.
    return request.submit(SetJobEnv(request.number(), _selected(request, details), tuple(names), unset=True))


def _unset_env(request: Request, details: list[str], name: str) -> Answer:
    return _unset_env_list(request, details, [name])


def _reset_env(request: Request, details: list[str]) -> Answer:
    return request.submit(SetJobEnv(request.number(), _selected(request, details), reset=True))


# ---- events -------------------------------------------------------------------------------------------------


def _emit_event(request: Request, name: str, env: list[str], wait: bool) -> Answer:
    if not name:
        raise BusError(ERROR_INVALID_ARGS, "Name may not be empty string")
    check_env(env)
    return request.submit(Emit(request.number(), name, tuple(env), wait))


def _emit_event_with_file(request: Request, name: str, env: list[str], wait: bool, index: int) -> Answer:
    if not name:
        raise BusError(ERROR_INVALID_ARGS, "Name may not be empty string")
    check_env(env)
    return request.submit(Emit(request.number(), name, tuple(env), wait, file=request.take_file(index)))


# ---- what only Upstart as the init of a system needs --------------------------------------------------------


def _notify_disk_writeable(request: Request) -> Answer:
    return None  # logs are written from the start here, there is nothing to catch up with


def _notify_dbus_address(request: Request, address: str) -> Answer:
    if ":" not in address:
        raise BusError(ERROR_BAD_ADDRESS, "Address does not contain a colon")
    return None  # no other bus is joined


def _notify_cgroup_manager_address(request: Request, address: str) -> Answer:
    return None  # cgroups need no manager


# ---- org.foster.Init1 ---------------------------------------------------------------------------------------


def _describe(request: Request, names: list[str]) -> Answer:
    for name in names:
        find_job(request.host.engine, name)
    return _told(request, request.host.describe(names))


def _told(request: Request, text: str) -> Answer:
    """Answer with ``text``, for a stranger without what jobs wrote: their logs are not for every local user either."""
    if request.privileged:
        return (text,)
    import json  # only strangers pay for these

    from ..explain import SAID

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: strip(one) for key, one in value.items() if key != "log_tail"}
        if isinstance(value, list):
            return [strip(one) for one in value if not (isinstance(one, str) and one.startswith(SAID))]
        return value

    return (json.dumps(strip(json.loads(text))),)


def _capabilities(request: Request) -> Answer:
    return (request.host.capabilities(),)


def _history(request: Request, job: str) -> Answer:
    find_job(request.host.engine, job)
    return _told(request, request.host.history(job))


def _explain(request: Request, job: str, instance: str) -> Answer:
    find_job(request.host.engine, job)
    return _told(request, request.host.explain(job, instance))


HANDLERS = {
    **handlers(
        MANAGER,
        {
            "ReloadConfiguration": _reload_configuration,
            "GetJobByName": _get_job_by_name,
            "GetAllJobs": _get_all_jobs,
            "GetState": _get_state,
            "Restart": _restart,
            "GetEnv": _get_env,
            "SetEnv": _set_env,
            "SetEnvList": _set_env_list,
            "UnsetEnv": _unset_env,
            "UnsetEnvList": _unset_env_list,
            "ListEnv": _list_env,
            "ResetEnv": _reset_env,
            "EmitEvent": _emit_event,
            "EmitEventWithFile": _emit_event_with_file,
            "NotifyDiskWriteable": _notify_disk_writeable,
            "NotifyDBusAddress": _notify_dbus_address,
            "NotifyCGroupManagerAddress": _notify_cgroup_manager_address,
            "EndSession": _end_session,
        },
        {
            "ReloadConfiguration": "reload configuration",
            "GetState": "request state",
            "Restart": "request restart",
            "GetEnv": "query job environment",
            "ListEnv": "query job environment",
            "SetEnv": "modify job environment",
            "SetEnvList": "modify job environment",
            "UnsetEnv": "modify job environment",
            "UnsetEnvList": "modify job environment",
            "ResetEnv": "modify job environment",
            "EmitEvent": "emit an event",
            "EmitEventWithFile": "emit an event",
            "NotifyDiskWriteable": "notify disk is writeable",
            "NotifyDBusAddress": "notify D-Bus address",
            "NotifyCGroupManagerAddress": "notify cgroup manager address",
            "EndSession": "end session",
        },
    ),
    **handlers(
        FOSTER,
        {
            "Describe": _describe,
            "Capabilities": _capabilities,
            "History": _history,
            "Explain": _explain,
            "Emit": events.emit,
            "Foresee": events.foresee_event,
            "Events": events.events,
            "ReadChanges": _read_changes,
        },
        # Foresee changes nothing, but costs as much as all jobs together: not for every local user.
        {"Emit": "emit an event", "Foresee": "emit an event", "ReadChanges": "reload configuration"},
    ),
}
