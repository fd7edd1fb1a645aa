# SPDX-License-Identifier: GPL-3.0-or-later
"""Talk to our own supervisor, or to anybody with the API of com.ubuntu.Upstart0_6, over its socket."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ..dbus.client import Connection
from ..dbus.errors import BusUnreachable
from ..dbus.sockets import SYSTEM_SOCKET, user_socket
from ..dbus.upstart import (
    FOSTER_INTERFACE,
    INSTANCE_INTERFACE,
    JOB_INTERFACE,
    MANAGER_INTERFACE,
    MANAGER_PATH,
    PROPERTIES_INTERFACE,
    names_in,
)
from .interface import InstanceStatus

CONNECT_TIMEOUT = 10.0  # seconds for the connection and for calls that only read


def address(environ: Mapping[str, str], uid: int, system: bool = False, user: bool = False) -> str:
    """Return the D-Bus address of the supervisor to talk to.

    The session's that the caller runs in (UPSTART_SESSION), else the system's for root, else the user's own where it is
    there, else the system's. ``system`` or ``user`` insist.
    """
    if not system and not user and environ.get("UPSTART_SESSION"):
        return environ["UPSTART_SESSION"]
    own = user_socket(environ, uid)
    if user:
        return f"unix:path={own}"
    if system or uid == 0 or (not os.path.exists(own) and os.path.exists(SYSTEM_SOCKET)):
        return f"unix:path={SYSTEM_SOCKET}"
    return f"unix:path={own}"


def _advice(where: str, denied: bool) -> str:
    """Return the end of the sentence for a supervisor that cannot be reached at the address ``where``."""
    if denied:
        return "become its user, or give the supervisor the readers `everyone`, who may look and change nothing"
    if where == f"unix:path={SYSTEM_SOCKET}":
        return "start it as root with `fosterd`, or apply the role foster.init.supervisor"
    return "start it with `fosterd --user`"


class Foster:
    """One connection to a supervisor. Methods raise dbus.errors.BusError with the supervisor's own sentence."""

    name = "foster"

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @classmethod
    def open(cls, where: str, timeout: Optional[float] = CONNECT_TIMEOUT) -> Foster:
        """Connect to the D-Bus address ``where``; raise BusUnreachable with a sentence that says what to do."""
        try:
            connection = Connection.open(where, timeout)
        except BusUnreachable as error:
            raise BusUnreachable(f"{error}; {_advice(where, error.denied)}", error.denied) from error
        connection.timeout = None  # a start may take as long as it takes
        return cls(connection)

    def close(self) -> None:
        self.connection.close()

    # ---- the manager ----

    def manager(self, member: str, signature: str = "", *values: Any) -> tuple[Any, ...]:
        """Call a method of the manager object."""
        return self.connection.call(MANAGER_PATH, MANAGER_INTERFACE, member, signature, *values)

    def foster(self, member: str, signature: str = "", *values: Any, timeout: Optional[float] = None) -> Any:
        """Call a method of org.foster.Init1 and return the JSON that it answers, read; ``timeout``: seconds."""
        import json

        answer = self.connection.call(MANAGER_PATH, FOSTER_INTERFACE, member, signature, *values, timeout=timeout)
        return json.loads(answer[0])

    def describe(self, *jobs: str) -> list[dict[str, Any]]:
        """Return what the supervisor knows of ``jobs``, of all when there are none; see ARCHITECTURE.md."""
        described = self.foster("Describe", "as", list(jobs))
        if isinstance(described, dict):
            described = described.get("jobs", described)
        if isinstance(described, dict):
            described = [{"name": name, **each} for name, each in described.items()]
        return list(described)

    def job(self, name: str) -> str:
        """Return the object path of the job ``name``."""
        return str(self.manager("GetJobByName", "s", name)[0])

    def jobs(self) -> list[str]:
        """Return the object paths of all jobs, sorted by the names of the jobs."""
        return sorted(self.manager("GetAllJobs")[0], key=names_in)

    def emit(self, event: str, env: Sequence[str] = (), wait: bool = True) -> None:
        """Emit ``event`` with KEY=VALUE variables; with ``wait`` return when it is finished."""
        self.manager("EmitEvent", "sasb", event, list(env), wait)

    def reload_configuration(self) -> None:
        """Let the supervisor read its job files again."""
        self.manager("ReloadConfiguration")

    # ---- jobs and instances ----

    def instance(self, job_path: str, env: Sequence[str]) -> str:
        """Return the path of the instance that ``env`` selects."""
        return str(self.connection.call(job_path, JOB_INTERFACE, "GetInstance", "as", list(env))[0])

    def instance_by_name(self, job_path: str, name: str) -> str:
        """Return the path of the instance called ``name``."""
        return str(self.connection.call(job_path, JOB_INTERFACE, "GetInstanceByName", "s", name)[0])

    def instances(self, job_path: str) -> list[str]:
        """Return the paths of all instances of a job, sorted by name."""
        return sorted(self.connection.call(job_path, JOB_INTERFACE, "GetAllInstances")[0], key=names_in)

    def change(self, job_path: str, member: str, env: Sequence[str], wait: bool) -> str:
        """Call Start, Stop or Restart of a job; return the path of the instance ("" for Stop)."""
        answer = self.connection.call(job_path, JOB_INTERFACE, member, "asb", list(env), wait)
        return str(answer[0]) if answer else ""

    def change_instance(self, instance_path: str, member: str, wait: bool) -> None:
        """Call Start, Stop or Restart of an instance."""
        self.connection.call(instance_path, INSTANCE_INTERFACE, member, "b", wait)

    def reload_instance(self, instance_path: str) -> None:
        """Send the job's reload signal to the main process of an instance."""
        self.connection.call(instance_path, INSTANCE_INTERFACE, "Reload")

    def property(self, path: str, interface: str, name: str) -> Any:
        """Return one property of an object."""
        return self.connection.call(path, PROPERTIES_INTERFACE, "Get", "ss", interface, name)[0][1]

    def instance_status(self, job: str, instance_path: str) -> InstanceStatus:
        """Return goal, state and processes of an instance."""
        found = self.connection.call(instance_path, PROPERTIES_INTERFACE, "GetAll", "s", INSTANCE_INTERFACE)[0]
        values = {name: value for name, (_signature, value) in found.items()}
        processes = tuple((str(kind), int(pid)) for kind, pid in values["processes"])
        return InstanceStatus(job, values["name"], values["goal"], values["state"], processes)

    # ---- the interface of every init ----

    def start(self, name: str, env: Sequence[str] = (), wait: bool = True) -> None:
        """Start the instance of the job ``name`` that ``env`` selects; with ``wait`` return when it runs."""
        self.change(self.job(name), "Start", env, wait)

    def stop(self, name: str, env: Sequence[str] = (), wait: bool = True) -> None:
        """Stop an instance; with ``wait`` return when nothing of it is left."""
        self.change(self.job(name), "Stop", env, wait)

    def restart(self, name: str, env: Sequence[str] = (), wait: bool = True) -> None:
        """Stop and start a running instance."""
        self.change(self.job(name), "Restart", env, wait)

    def reload(self, name: str, env: Sequence[str] = ()) -> None:
        """Let a running instance read its configuration again."""
        self.reload_instance(self.instance(self.job(name), env))

    def status(self, name: str) -> list[InstanceStatus]:
        """Return the status of every instance of a job, in the order of their names."""
        return [self.instance_status(name, path) for path in self.instances(self.job(name))]
