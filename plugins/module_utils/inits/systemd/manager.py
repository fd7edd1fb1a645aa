# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask systemd: units, their properties and jobs. Source: org.freedesktop.systemd1(5)."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, Union

from ...dbus.client import Connection
from ...dbus.errors import ERROR_TIMEOUT, BusError, BusUnreachable
from .. import detect
from ..errors import InitError, InitUnreachable
from .lingering import user_name

DESTINATION = "org.freedesktop.systemd1"
PATH = "/org/freedesktop/systemd1"
MANAGER = "org.freedesktop.systemd1.Manager"
UNIT = "org.freedesktop.systemd1.Unit"
SERVICE = "org.freedesktop.systemd1.Service"
_PROPERTIES = "org.freedesktop.DBus.Properties"
_BUS = "org.freedesktop.DBus"
_BUS_PATH = "/org/freedesktop/DBus"
TIMEOUT = 90.0  # seconds for a question; reading all units again takes a few on a large host
SOCKET = "/run/systemd/private"
BUS_SOCKET = "/run/dbus/system_bus_socket"


def runtime_folder(environ: Mapping[str, str]) -> str:
    """Return the user's XDG_RUNTIME_DIR, which a task that came in through su does not have in its environment."""
    return environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"


class Manager:
    """One connection to a systemd. ``user``: to the manager of the user that we are."""

    def __init__(self, connection: Connection, user: bool, pid: int) -> None:
        self._connection = connection
        self.user = user
        self.pid = pid

    @classmethod
    def open(cls, environ: Mapping[str, str], user: bool = False) -> Manager:
        """Connect to the private socket, else to the bus. Raise InitUnreachable."""
        if not user and os.geteuid() != 0:
            raise InitUnreachable("systemd takes system jobs from root alone: use become, or scope: user for your own")
        runtime = runtime_folder(environ)
        private, bus = (f"{runtime}/systemd/private", f"{runtime}/bus") if user else (SOCKET, BUS_SOCKET)
        try:
            connection = Connection.open(f"unix:path={private}", TIMEOUT)
            return cls(connection, user, detect.peer(connection.fileno()) or 0)
        except BusUnreachable as error:
            try:
                return cls._by_bus(Connection.open(f"unix:path={bus}", TIMEOUT), user)
            except (BusUnreachable, BusError):
                hint = f". {_no_manager()}" if user else ""
                raise InitUnreachable(f"{error}{hint}") from error

    @classmethod
    def _by_bus(cls, connection: Connection, user: bool) -> Manager:
        def bus(member: str, signature: str = "", *values: Any) -> tuple[Any, ...]:
            return connection.call(_BUS_PATH, _BUS, member, signature, *values, destination=_BUS)

        bus("Hello")
        bus("AddMatch", "s", f"type='signal',sender='{DESTINATION}',interface='{MANAGER}',member='JobRemoved'")
        manager = cls(connection, user, int(bus("GetConnectionUnixProcessID", "s", DESTINATION)[0]))
        manager.call("Subscribe")
        return manager

    def close(self) -> None:
        """Close the connection; what runs goes on."""
        self._connection.close()

    # ---- questions ----

    def call(self, member: str, signature: str = "", *values: Any) -> tuple[Any, ...]:
        """Call a method of the manager. Raise BusError."""
        return self._connection.call(PATH, MANAGER, member, signature, *values, destination=DESTINATION)

    def version(self) -> int:
        """Return the version of systemd: 252 for ``252.39-1~deb12u2``."""
        text = str(self._get(PATH, MANAGER, ["Version"])["Version"])
        found = re.search(r"\d+", text)
        return int(found.group()) if found else 0

    def unit(self, name: str, properties: Sequence[str] = (), service: Sequence[str] = ()) -> dict[str, Any]:
        """Return properties of a unit, those of ``service`` from its interface Service; it is loaded if it is not."""
        path = str(self.call("LoadUnit", "s", name)[0])
        return {**self._get(path, UNIT, properties), **self._get(path, SERVICE, service)}

    def units(self, pattern: str) -> list[str]:
        """Return the names of the loaded units that match ``pattern``, sorted."""
        return sorted(str(unit[0]) for unit in self.call("ListUnitsByPatterns", "asas", [], [pattern])[0])

    def file_state(self, name: str) -> str:
        """Return the state of a unit's file (enabled, static, masked, ...), "" where there is no such file."""
        try:
            return str(self.call("GetUnitFileState", "s", name)[0])
        except BusError as error:
            if error.short in ("FileNotFound", "NoSuchUnit", "NoSuchFile"):
                return ""
            raise

    def _get(self, path: str, interface: str, names: Sequence[str]) -> dict[str, Any]:
        serials = [
            self._connection.send(path, _PROPERTIES, "Get", "ss", interface, name, destination=DESTINATION)
            for name in names
        ]
        return {name: self._connection.wait(serial)[0][1] for name, serial in zip(names, serials)}

    # ---- changes ----

    def reload(self) -> None:
        """Let systemd read its unit files again."""
        self.call("Reload")

    def enable(self, units: Sequence[str], wanted: bool, runtime: bool) -> None:
        """Set the links of the units as their [Install] says, or remove them, and let systemd see them.

        ``runtime``: those that the next boot forgets.
        """
        self.call("DisableUnitFiles", "asb", list(units), runtime)
        if wanted:
            self.call("EnableUnitFiles", "asbb", list(units), runtime, False)
        self.reload()

    def forget_failure(self, unit: str) -> None:
        """Take back that the unit has failed, and the count of its starts."""
        try:
            self.call("ResetFailedUnit", "s", unit)
        except BusError as error:
            if error.short != "NoSuchUnit":
                raise

    def run(self, member: str, unit: str, timeout: float) -> str:
        """Let systemd do one job and return its result; see ``run_all``. Raise BusError or InitError."""
        result = self.run_all([(member, unit)], timeout)[0]
        if isinstance(result, Exception):
            raise result
        return result

    def run_all(self, asked: Sequence[tuple[str, str]], timeout: float) -> list[Union[str, Exception]]:
        """Let systemd do jobs, each a method (StartUnit, ...) and a unit, and wait for them together.

        Return for each its result when it is removed (done, failed, ...), or a BusError or InitError. That of a job
        that takes longer than ``timeout`` seconds has the name Timeout.
        """
        deadline = time.monotonic() + timeout
        results: list[Union[str, Exception]] = []
        under_way: dict[str, list[int]] = {}  # two that ask for the same get the same job of systemd
        serials = [
            self._connection.send(PATH, MANAGER, member, "ss", unit, "replace", destination=DESTINATION)
            for member, unit in asked
        ]
        for position, serial in enumerate(serials):
            try:
                under_way.setdefault(str(self._connection.wait(serial)[0]), []).append(position)
                member, unit = asked[position]
                results.append(BusError(ERROR_TIMEOUT, f"systemd has not done {member} of {unit} within {timeout:g} s"))
            except BusError as error:
                results.append(error)
        if under_way:
            for signal in self._connection.signals(max(0.0, deadline - time.monotonic()), member="JobRemoved"):
                for position in under_way.pop(str(signal.arguments[1]), ()):
                    results[position] = str(signal.arguments[3])
                if not under_way:
                    break
        if under_way and time.monotonic() < deadline:
            for position in (each for positions in under_way.values() for each in positions):
                results[position] = InitError(f"systemd ended the connection while it worked at {asked[position][1]}")
        return results


def _no_manager() -> str:
    name = user_name()
    return f"No systemd of the user {name} runs; `loginctl enable-linger {name}` as root starts one"
