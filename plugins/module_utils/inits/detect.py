# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is in charge on this host, found out by asking: what is installed says nothing about what runs.

``describe`` tells two things apart. Who PID 1 is, with the reason (``probes`` has the table). And who answers here when
a job is to be started: our supervisor, a systemd, an Upstart, the system's or the user's own.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import NamedTuple, Optional

from ..dbus.client import Connection, socket_names
from ..dbus.errors import BusError, BusUnreachable
from ..dbus.sockets import SYSTEM_SOCKET, user_socket
from .probes import (
    KINDS,
    SYSTEMD_OPEN_SOCKETS,
    SYSTEMD_SOCKET,
    UPSTART_SOCKET,
    Place,
    listener,
    look,
    peer_of,
    recognise,
)

HERE = Place()
SYSTEM_BUS = "unix:path=/run/dbus/system_bus_socket"
_BUS = "org.freedesktop.DBus"
_TIMEOUT = 2.0  # seconds; who lives answers a greeting in microseconds


class Host(NamedTuple):
    """Who answers: pids, or None. ``pid_one`` is the name of PID 1. ``foster`` is a supervisor of ours."""

    pid_one: str
    foster: Optional[int]
    systemd: Optional[int]
    upstart: Optional[int]


class Answer(NamedTuple):
    """Somebody who can be asked to start a job: ``name`` foster, systemd or upstart, ``scope`` system or user.

    ``pid``: who listens at ``address``, 0 when outside of our PID namespace. ``problem``: "" for one that greets back,
    else why it is of no use.
    """

    name: str
    scope: str
    address: str
    pid: int
    problem: str = ""


class Detected(NamedTuple):
    """Who PID 1 is: ``kind`` is one of KINDS, ``reason`` the sentence that says how that is known.

    ``answers``: who can be asked, the best first. An OpenRC or a sysvinit can start what it has a script for, but
    nobody can ask it to start a program, so it never answers.
    """

    kind: str
    pid_one: str
    reason: str
    answers: tuple[Answer, ...] = ()


def describe(environ: Mapping[str, str], place: Place = HERE) -> Detected:
    """Find out who PID 1 is and who answers, for the user that this process runs as."""
    one = look(place)
    kind, reason = recognise(place, one)
    found = [_answer(*asked) for asked in _addresses(environ, place, kind)]
    return Detected(kind, one.name, reason, tuple(answer for answer in found if answer is not None))


def _addresses(environ: Mapping[str, str], place: Place, kind: str) -> list[tuple[str, str, str, Optional[int]]]:
    """Return (name, scope, D-Bus address, who has to listen there or None for anybody) of everybody to ask."""
    uid = os.geteuid()
    asked: list[tuple[str, str, str, Optional[int]]] = [
        ("foster", "system", f"unix:path={place.root}{SYSTEM_SOCKET}", None),
        ("foster", "user", f"unix:path={user_socket(environ, uid)}", None),
        ("systemd", "system", f"unix:path={place.root}{SYSTEMD_SOCKET}", place.init),
        ("systemd", "user", f"unix:path={_runtime(environ)}/systemd/private", None),
        ("upstart", "system", f"unix:abstract={place.upstart[1:]}", place.init),
    ]
    if kind == "systemd" and uid != 0:  # to whom the private socket is closed; a bus speaks for it
        asked[2] = ("systemd", "system", SYSTEM_BUS, None)
    if environ.get("UPSTART_SESSION"):
        asked.append(("upstart", "user", environ["UPSTART_SESSION"], None))
    return asked


def _answer(name: str, scope: str, address: str, expected: Optional[int]) -> Optional[Answer]:
    """Greet who listens at ``address``; None when nobody does, or another process than ``expected``."""
    pid = next((pid for pid in map(listener, socket_names(address)) if pid is not None), None)
    if pid is None or expected not in (None, pid):
        return None
    if address == SYSTEM_BUS:
        pid = bus_systemd()
        return None if pid is None else Answer(name, scope, address, pid)
    try:
        Connection.open(address, _TIMEOUT).close()
    except BusUnreachable as error:  # it accepted, so it is there: stopped, frozen, or not for this user
        return Answer(name, scope, address, pid, str(error))
    return Answer(name, scope, address, pid)


def _runtime(environ: Mapping[str, str]) -> str:
    return environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"


def peer(descriptor: int) -> Optional[int]:
    """Return the pid of who listened for the connection ``descriptor``, which stays open."""
    with socket.socket(fileno=os.dup(descriptor)) as client:
        return peer_of(client)


def pid_one(proc: str = "/proc") -> str:
    """Return the name of PID 1, "" when it cannot be seen."""
    return look(Place(proc[: -len("/proc")])).name


def systemd(user: bool = False) -> Optional[int]:
    """Return the pid of the systemd that answers: the system's, or this user's manager.

    The private socket is asked, which needs no D-Bus daemon. It is closed to plain users: for them one of the sockets
    that PID 1 holds open for everybody, or the bus.
    """
    if user:
        return listener(os.path.join(_runtime(os.environ), "systemd/private"))
    for path in (SYSTEMD_SOCKET, *(SYSTEMD_OPEN_SOCKETS if os.geteuid() else ())):
        if listener(path) == 1:
            return 1
    return bus_systemd() if os.geteuid() else None


def bus_systemd() -> Optional[int]:
    """Return the pid of the systemd that the system's D-Bus daemon knows, None without a daemon or a systemd."""
    try:
        with Connection.open(SYSTEM_BUS, _TIMEOUT) as bus:
            bus.call("/org/freedesktop/DBus", _BUS, "Hello", destination=_BUS)
            found = bus.call(
                "/org/freedesktop/DBus",
                _BUS,
                "GetConnectionUnixProcessID",
                "s",
                "org.freedesktop.systemd1",
                destination=_BUS,
            )
    except (BusError, BusUnreachable):
        return None
    return int(found[0]) if found[0] == 1 else None


def upstart() -> Optional[int]:
    """Return the pid of the Upstart that is PID 1 here; an abstract socket could be anybody's."""
    pid = listener(UPSTART_SOCKET)
    return pid if pid == 1 else None


def foster(environ: Mapping[str, str], user: bool = False) -> Optional[int]:
    """Return the pid of the running supervisor, the system's or the user's own."""
    return listener(user_socket(environ, os.geteuid()) if user else SYSTEM_SOCKET)


def host(environ: Mapping[str, str], user: bool = False) -> Host:
    """Ask everybody."""
    return Host(pid_one(), foster(environ, user), systemd(user), upstart())


def cgroup_root(controllers: str, mounts: str = "/proc/self/mounts") -> Optional[str]:
    """Return where the hierarchy with ``controllers`` (as in /proc/PID/cgroup; "" is cgroup v2) is mounted, or None."""
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as file:
            lines = [line.split() for line in file]
    except OSError:
        return None
    for words in lines:
        if len(words) < 4:
            continue
        if controllers == "" and words[2] == "cgroup2":
            return words[1]
        if controllers and words[2] == "cgroup" and set(controllers.split(",")) <= set(words[3].split(",")):
            return words[1]
    return None


__all__ = ["KINDS", "Answer", "Detected", "Host", "Place", "cgroup_root", "describe", "foster", "host", "listener"]
