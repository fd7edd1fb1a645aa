# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor as a task sees it: one connection, asked for jobs and told to start and stop their instances."""

from __future__ import annotations

import itertools
import os
import socket
import struct
import time
from collections.abc import Mapping
from typing import Any, Optional

from ..dbus import upstart
from ..dbus.client import Connection
from ..dbus.errors import BusError, BusUnreachable
from ..inits.foster import Foster
from .errors import NoSupervisor

HELLO_TIMEOUT = 10.0  # seconds for a question that the supervisor answers at once


class Supervisor:
    """Talk to the supervisor at ``address``; times are seconds."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._foster = Foster(connection)

    @classmethod
    def open(cls, address: str) -> Supervisor:
        """Connect, or raise NoSupervisor with a sentence that says what to apply."""
        try:
            return cls(Connection.open(address, HELLO_TIMEOUT))
        except BusUnreachable as error:
            raise NoSupervisor(
                f"{str(error).rstrip('.')}. Apply the role foster.init.supervisor to this host, or the module "
                "foster.init.supervisor with state: started."
            ) from error

    @property
    def pid(self) -> int:
        """Return the pid of the process that listens at the other end."""
        with socket.socket(fileno=os.dup(self._connection.fileno())) as sock:
            credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", credentials)[0])

    def close(self) -> None:
        """Close the connection; nothing that was started cares."""
        self._connection.close()

    def describe(self, *names: str) -> dict[str, dict[str, Any]]:
        """Return what is known of the named jobs, of all without names; an unknown one is left out."""
        try:
            jobs = self._foster.describe(*names)
        except BusError as error:
            if names and error.short == "UnknownJob":
                return {}
            raise
        return {job["name"]: job for job in jobs if not names or job["name"] in names}

    def capabilities(self) -> dict[str, Any]:
        """Return what the supervisor found out about the host, and about itself."""
        found: dict[str, Any] = self._foster.foster("Capabilities")
        return found

    def explain(self, job: str, instance: str) -> Any:
        """Return why the instance is not running."""
        return self._foster.foster("Explain", "ss", job, instance)

    def history(self, job: str) -> Any:
        """Return what has happened to the job."""
        return self._foster.foster("History", "s", job)

    def last_end(self, job: str, instance: str) -> Optional[dict[str, Any]]:
        """Return how a main process of the instance ended last, None where nobody knows."""
        ends = (self.history(job) or {}).get("processes", ())
        return next((e for e in reversed(ends) if e["instance"] == instance and e["process"] == "main"), None)

    def load(self) -> None:
        """Let the supervisor read its job folders now."""
        self._connection.call(upstart.MANAGER_PATH, upstart.MANAGER_INTERFACE, "ReloadConfiguration", timeout=60.0)

    def reexec(self) -> None:
        """Let the supervisor execute itself again from its bundle; jobs and their state stay."""
        try:
            self._connection.call(upstart.MANAGER_PATH, upstart.MANAGER_INTERFACE, "Restart")
        except BusError as error:
            if error.short not in ("NoReply", "Disconnected"):  # it may be gone before it answers
                raise

    def start(self, job: str, env: Mapping[str, str], timeout: float) -> None:
        """Start an instance and wait until it runs (a task: until it has ended). Raise BusError."""
        self._job(job, "Start", env, timeout)

    def restart(self, job: str, env: Mapping[str, str], timeout: float) -> None:
        """Replace the process of a running instance and wait until it runs again. Raise BusError."""
        self._job(job, "Restart", env, timeout)

    def stop_instance(self, job: str, instance: str, timeout: float) -> None:
        """Stop an instance and wait until it is gone; that it is gone already is fine. Raise BusError."""
        try:
            path = self._foster.instance_by_name(self._foster.job(job), instance)
            self._connection.call(path, upstart.INSTANCE_INTERFACE, "Stop", "b", True, timeout=timeout)
        except BusError as error:
            if error.short not in ("UnknownInstance", "UnknownJob", "AlreadyStopped", "UnknownObject", "UnknownMethod"):
                raise

    def reload_instance(self, job: str, instance: str) -> None:
        """Send the reload signal to the instance. Raise BusError."""
        path = self._foster.instance_by_name(self._foster.job(job), instance)
        self._foster.reload_instance(path)

    def environment(self, job: str, instance: str) -> dict[str, str]:
        """Return the variables that the instance was started with."""
        details = [job, instance] if instance else [job]
        listed = self._connection.call(upstart.MANAGER_PATH, upstart.MANAGER_INTERFACE, "ListEnv", "as", details)[0]
        return dict(each.partition("=")[::2] for each in listed)

    def settle(self, job: str, instance: str, timeout: float) -> Optional[dict[str, Any]]:
        """Wait until the instance runs or is given up; return it as it is then, None when it is gone."""
        deadline = time.monotonic() + timeout
        while True:
            found = self.instance(job, instance)
            left = deadline - time.monotonic()
            if found is None or found["goal"] != "start" or found["state"] == "running" or left <= 0:
                return found
            # Whatever happens next may be what is waited for; a second covers a signal that came before the question.
            next(self._connection.signals(min(left, 1.0)), None)

    def stays(self, job: str, instance: str, seconds: float) -> bool:
        """Return whether the instance runs on with the same main process for that long."""
        deadline = time.monotonic() + seconds
        path = upstart.instance_path(job, instance)
        before = main_pid(self.instance(job, instance))
        while before is not None and time.monotonic() < deadline:
            happened = self._connection.signals(deadline - time.monotonic())
            if any(signal.path == path or path in signal.arguments for signal in itertools.islice(happened, 1)):
                found = self.instance(job, instance)
                if main_pid(found) != before:
                    return False
        return before is not None and main_pid(self.instance(job, instance)) == before

    def instance(self, job: str, instance: str) -> Optional[dict[str, Any]]:
        """Return one instance as the supervisor describes it, None when there is none."""
        return instances(self.describe(job).get(job)).get(instance)

    def _job(self, job: str, method: str, env: Mapping[str, str], timeout: float) -> None:
        listed = [f"{key}={value}" for key, value in env.items()]
        self._connection.call(
            self._foster.job(job), upstart.JOB_INTERFACE, method, "asb", listed, True, timeout=timeout
        )


def instances(description: Optional[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the instances in a job's description by name; the singleton's name is the empty string."""
    return {each["name"]: each for each in (description or {}).get("instances", ())}


def main_pid(instance: Optional[dict[str, Any]]) -> Optional[int]:
    """Return the pid of an instance's main process, None where there is none."""
    return next((each["pid"] for each in (instance or {}).get("processes", ()) if each["kind"] == "main"), None)
