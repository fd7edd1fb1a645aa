# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor as a task sees it: one connection, asked for jobs and told to start and stop their instances."""

from __future__ import annotations

import itertools
import json
import os
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ..dbus import upstart
from ..dbus.client import Connection
from ..dbus.errors import BusError, BusUnreachable
from ..inits.foster import Foster
from ..inits.interface import Call, instances, main_pid
from ..inits.jobfolder import JobFolder
from .errors import NoSupervisor

_GONE = ("UnknownInstance", "UnknownJob", "AlreadyStopped", "UnknownObject", "UnknownMethod")
HELLO_TIMEOUT = 10.0  # seconds for a question that the supervisor answers at once


class Supervisor:
    """Talk to the supervisor: the JobInit (see inits.interface) that is ours. Times are seconds."""

    def __init__(self, connection: Connection, folder: str = "") -> None:
        self._connection = connection
        self._foster = Foster(connection)
        self.definitions = JobFolder(folder)
        self._pid = 0

    @classmethod
    def open(cls, address: str, folder: str = "") -> Supervisor:
        """Connect, or raise NoSupervisor with a sentence that says what to apply. ``folder``: where its jobs are."""
        try:
            return cls(Connection.open(address, HELLO_TIMEOUT), folder)
        except BusUnreachable as error:
            raise NoSupervisor(
                f"{str(error).rstrip('.')}. Apply the role foster.init.supervisor to this host, or the module "
                "foster.init.supervisor with state: started."
            ) from error

    @property
    def pid(self) -> int:
        """Return the pid of the process that listens at the other end."""
        if self._pid:
            return self._pid
        with socket.socket(fileno=os.dup(self._connection.fileno())) as sock:
            credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        self._pid = int(struct.unpack("3i", credentials)[0])
        return self._pid

    def close(self) -> None:
        """Close the connection; nothing that was started cares."""
        self._connection.close()

    def describe(self, *names: str) -> dict[str, dict[str, Any]]:
        """Return what is known of the named jobs, of all without names; an unknown one is left out."""
        try:
            jobs = self._foster.describe(*(names if len(names) == 1 else ()))  # of several one may be unknown
        except BusError as error:
            if names and error.short == "UnknownJob":
                return {}
            raise
        return {job["name"]: job for job in jobs if not names or job["name"] in names}

    def capabilities(self) -> dict[str, Any]:
        """Return what the supervisor found out about the host, and about itself."""
        found: dict[str, Any] = self._foster.foster("Capabilities")
        return found

    def explain(self, name: str, instance: str) -> dict[str, Any]:
        """Return why the instance is in its state, also when that is not running."""
        told: dict[str, Any] = self._foster.foster("Explain", "ss", name, instance)
        return told

    def explain_all(self, names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
        """Ask why each of the instances (job, instance) is in its state, together; a job that is gone is left out."""
        where = (upstart.MANAGER_PATH, upstart.FOSTER_INTERFACE, "Explain", "ss")
        sent = [(each, self._connection.send(*where, *each)) for each in names]
        told = {}
        for each, serial in sent:
            try:
                told[each] = json.loads(self._connection.wait(serial)[0])
            except BusError as error:
                if error.short not in _GONE:
                    raise
        return told

    def history(self, job: str) -> Any:
        """Return what has happened to the job."""
        return self._foster.foster("History", "s", job)

    def last_end(self, job: str, instance: str) -> Optional[dict[str, Any]]:
        """Return how a main process of the instance ended last, None where nobody knows."""
        ends = (self.history(job) or {}).get("processes", ())
        return next((e for e in reversed(ends) if e["instance"] == instance and e["process"] == "main"), None)

    def emit(self, name: str, env: list[str], wait: bool, timeout: float) -> dict[str, Any]:
        """Emit an event, with ``wait`` until it has finished; return what it led to. Raise BusError."""
        told: dict[str, Any] = self._foster.foster("Emit", "sasb", name, env, wait, timeout=timeout)
        return told

    def foresee(self, name: str, env: list[str]) -> dict[str, Any]:
        """Return what an event would lead to if all went well."""
        told: dict[str, Any] = self._foster.foster("Foresee", "sas", name, env)
        return told

    def events(self) -> list[dict[str, Any]]:
        """Return the events that have not finished, with who holds them, the oldest first."""
        found: list[dict[str, Any]] = self._foster.foster("Events")
        return found

    def load(self) -> None:
        """Let the supervisor read what has changed in its job folders, now."""
        try:
            self._connection.call(upstart.MANAGER_PATH, upstart.FOSTER_INTERFACE, "ReadChanges", timeout=60.0)
        except BusError as error:
            if error.short != "UnknownMethod":
                raise
            # A supervisor of an earlier version runs here; its way takes every job for changed.
            self._connection.call(upstart.MANAGER_PATH, upstart.MANAGER_INTERFACE, "ReloadConfiguration", timeout=60.0)

    def reexec(self) -> None:
        """Let the supervisor execute itself again from its bundle; jobs and their state stay."""
        try:
            self._connection.call(upstart.MANAGER_PATH, upstart.MANAGER_INTERFACE, "Restart")
        except BusError as error:
            if error.short not in ("NoReply", "Disconnected"):  # it may be gone before it answers
                raise

    def enabled(self, name: str) -> Optional[bool]:
        """Return None: a job's files say whether it starts with the host."""
        return None

    def enable(self, names: Sequence[str], wanted: bool) -> None:
        """Do nothing, see ``enabled``."""

    def start(self, job: str, instance: str, env: Mapping[str, str], timeout: float) -> None:
        """Start an instance and wait until it runs (a task: until it has ended). Raise BusError."""
        self._job(job, "Start", env, timeout)

    def restart(self, job: str, instance: str, env: Mapping[str, str], timeout: float) -> None:
        """Replace the process of a running instance and wait until it runs again. Raise BusError."""
        self._job(job, "Restart", env, timeout)

    def at_once(self, calls: Sequence[Call], timeout: float) -> list[Optional[Exception]]:
        """Ask for all of ``calls`` and then wait for them together; return what each has failed with, or None."""
        serials = [self._send(call) for call in calls]
        deadline = time.monotonic() + timeout
        answers: list[Optional[Exception]] = []
        for call, serial in zip(calls, serials):
            try:
                self._connection.wait(serial, max(deadline - time.monotonic(), 0.001))
                answers.append(None)
            except BusError as error:
                answers.append(None if call.verb == "stop" and error.short in _GONE else error)
        return answers

    def _send(self, call: Call) -> int:
        if call.verb in ("start", "restart"):
            env = [f"{key}={value}" for key, value in call.env.items()]
            path = upstart.job_path(call.job)
            return self._connection.send(path, upstart.JOB_INTERFACE, call.verb.title(), "asb", env, True)
        path = upstart.instance_path(call.job, call.instance)
        if call.verb == "reload":
            return self._connection.send(path, upstart.INSTANCE_INTERFACE, "Reload")
        return self._connection.send(path, upstart.INSTANCE_INTERFACE, "Stop", "b", True)

    def stop_instance(self, job: str, instance: str, timeout: float) -> None:
        """Stop an instance and wait until it is gone; that it is gone already is fine. Raise BusError."""
        try:
            path = self._foster.instance_by_name(self._foster.job(job), instance)
            self._connection.call(path, upstart.INSTANCE_INTERFACE, "Stop", "b", True, timeout=timeout)
        except BusError as error:
            if error.short not in _GONE:
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

    def look(self, name: str) -> str:
        """Return the command that shows what the job waits for."""
        return f"fosterctl status {name}"

    def _job(self, job: str, method: str, env: Mapping[str, str], timeout: float) -> None:
        listed = [f"{key}={value}" for key, value in env.items()]
        self._connection.call(
            self._foster.job(job), upstart.JOB_INTERFACE, method, "asb", listed, True, timeout=timeout
        )
