# SPDX-License-Identifier: GPL-3.0-or-later
"""Let a live systemd start a program as a transient unit, over its private socket, without a file or a D-Bus daemon.

Signals of its jobs reach each private connection without having been asked for.
Source: org.freedesktop.systemd1(5), systemd.exec(5), "Process Exit Codes".
"""

from __future__ import annotations

import os
import select
import signal
import time
from typing import Any, Optional

from ..dbus.client import Connection
from ..dbus.errors import BusError, BusUnreachable
from ..processes.identity import identify, open_pidfd
from .errors import InitError, InitUnreachable
from .launch import Launch, Started

DESTINATION = "org.freedesktop.systemd1"
PATH = "/org/freedesktop/systemd1"
MANAGER = "org.freedesktop.systemd1.Manager"
_SERVICE = "org.freedesktop.systemd1.Service"
_MARGIN = 30.0  # seconds more than systemd itself waits
# What systemd's own exit statuses mean for the options of a launch.
_STEPS = {
    200: "its working directory cannot be entered",
    201: "its niceness cannot be set",
    203: "its program cannot be executed",
    209: "its output cannot be opened",
    210: "its root directory cannot be entered",
    211: "its input/output priority cannot be set",
    214: "its scheduling policy cannot be set",
    216: "its group cannot be taken on",
    217: "its user cannot be taken on",
    226: "its file system namespace cannot be set up",
}
Value = tuple[str, Any]


def properties(launch: Launch) -> list[tuple[str, Value]]:
    """Return the properties of the unit, in D-Bus types. ``exec`` tells of a program that cannot be executed."""
    kind = "notify" if launch.notify else "forking" if launch.forking else "exec"
    found: list[tuple[str, Value]] = [
        ("Description", ("s", f"{launch.command[0]}, started by foster.init.daemon")),
        ("Type", ("s", kind)),
        ("ExecStart", ("a(sasb)", [(launch.command[0], list(launch.command), False)])),
        ("WorkingDirectory", ("s", launch.folder)),
        ("KillSignal", ("i", launch.stop[0])),
        ("TimeoutStopUSec", ("t", int(launch.stop[1] * 1e6))),
        ("TimeoutStartUSec", ("t", int(launch.timeout * 1e6))),
    ]
    optional: list[tuple[str, str, Any]] = [
        # Of a daemon that forks twice systemd may guess the process between, and end the daemon along with it.
        ("GuessMainPID", "b", False if launch.forking else None),
        ("NotifyAccess", "s", "all" if launch.notify else None),
        ("User", "s", launch.user or None),
        ("Group", "s", launch.group or None),
        ("RootDirectory", "s", launch.root or None),
        ("UMask", "u", launch.umask),
        ("Nice", "i", launch.nice),
        ("Environment", "as", list(launch.environment) or None),
        ("StandardOutputFileToAppend", "s", launch.output or None),
        ("StandardErrorFileToAppend", "s", launch.output or None),
    ]
    if launch.policy is not None:
        optional += [("CPUSchedulingPolicy", "i", launch.policy[0]), ("CPUSchedulingPriority", "i", launch.policy[1])]
    if launch.io is not None:
        optional += [("IOSchedulingClass", "i", launch.io[0]), ("IOSchedulingPriority", "i", launch.io[1])]
    return found + [(name, (types, value)) for name, types, value in optional if value is not None]


class Transient:
    """Transient units of the systemd that listens at the D-Bus address ``address``, pid ``pid``."""

    name = "systemd"

    def __init__(self, address: str, pid: int, user: bool = False) -> None:
        self.pid = pid
        self.user = user
        try:
            self._systemd = Connection.open(address, 10.0)
        except BusUnreachable as error:
            raise InitUnreachable(str(error)) from error

    def close(self) -> None:
        """Close the connection; what runs goes on."""
        self._systemd.close()

    def start(self, launch: Launch) -> Started:
        """Start it and return when it runs: executed, in the background or ready, and still there after ``stay_up``.

        Raise InitError with what systemd says, and then nothing of it is left.
        """
        unit = f"{launch.unit}.service"
        self._quietly("ResetFailedUnit", unit)
        job = self._call("StartTransientUnit", "ssa(sv)a(sa(sv))", unit, "fail", properties(launch), [])[0]
        result = self._result(job, launch.timeout + _MARGIN)
        if result != "done":
            self._fail(launch, unit, result)
        pid = int(self._property(unit, _SERVICE, "MainPID") or 0)
        if pid and not launch.notify and _ends_within(pid, launch.stay_up):
            self._fail(launch, unit, "ended")
        return Started(pid, self.name, unit)

    def stop(self, name: str, timeout: float) -> bool:
        """End what is left of a unit and return when it is gone; return whether there was something."""
        unit = f"{name}.service"
        try:
            job = self._call("StopUnit", "ss", unit, "replace")[0]
        except InitError:
            return False  # there is no such unit: the usual case
        self._result(job, timeout + _MARGIN)
        self._quietly("ResetFailedUnit", unit)
        return True

    def main_pid(self, name: str) -> int:
        """Return the main process of a unit, 0 where there is none."""
        return int(self._property(f"{name}.service", _SERVICE, "MainPID") or 0)

    def _fail(self, launch: Launch, unit: str, result: str) -> None:
        status = self._property(unit, _SERVICE, "ExecMainStatus")
        code = self._property(unit, _SERVICE, "ExecMainCode")
        reason = self._property(unit, _SERVICE, "Result")
        self._quietly("StopUnit", unit, "replace")
        self._quietly("ResetFailedUnit", unit)
        how = explain(launch, result, str(reason), int(code or 0), int(status or 0))
        logs = launch.output or f"`journalctl {'--user ' if self.user else ''}-u {unit}`"
        raise InitError(f"{launch.command[0]} does not run: {how}; see {logs} for what it wrote")

    def _result(self, job: Any, timeout: float) -> str:
        for told in self._systemd.signals(timeout, member="JobRemoved"):
            if told.arguments[1] == job:
                return str(told.arguments[3])
        return "timeout"

    def _property(self, unit: str, interface: str, name: str) -> Any:
        try:
            path = self._call("GetUnit", "s", unit)[0]
            value = self._systemd.call(
                path, "org.freedesktop.DBus.Properties", "Get", "ss", interface, name, destination=DESTINATION
            )[0]
        except (InitError, BusError):
            return None
        return value[1]

    def _call(self, member: str, signature: str, *values: Any) -> tuple[Any, ...]:
        try:
            return self._systemd.call(PATH, MANAGER, member, signature, *values, destination=DESTINATION)
        except BusError as error:
            raise InitError(f"systemd refuses {member}: {error.message.rstrip('.')}") from error

    def _quietly(self, member: str, *values: str) -> Optional[tuple[Any, ...]]:
        try:
            return self._call(member, "s" * len(values), *values)
        except InitError:
            return None


def explain(launch: Launch, result: str, reason: str, code: int, status: int) -> str:
    """Return how a start has failed, from what systemd says. ``code``: 1 exited, 2 killed, 3 dumped core."""
    if reason == "timeout" or result == "timeout":
        waits = "said that it is ready" if launch.notify else "gone into the background by itself"
        hint = "" if launch.notify else ": with background: true it need not"
        return f"it has not {waits} within {launch.timeout:g} s{hint}"
    if reason == "protocol":
        return "it ended without saying that it is ready"
    if code == 1 and status in _STEPS:
        return _STEPS[status]
    if code == 1:
        return f"it ended at once, with exit status {status}"
    if code in (2, 3):
        return f"it was ended by {signal.Signals(status).name}"
    return f"systemd says {reason or result}"


def _ends_within(pid: int, seconds: float) -> bool:
    """Return whether the process ends within that time."""
    identity = identify(pid)
    if identity is None:
        return True
    try:
        descriptor = open_pidfd(identity)
    except OSError:
        time.sleep(seconds)  # an old kernel, on which there is nothing to wait for
        return identify(pid) != identity
    if descriptor is None:
        return True
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    try:
        return bool(poller.poll(seconds * 1000))
    finally:
        os.close(descriptor)
