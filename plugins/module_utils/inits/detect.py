# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is in charge on this host, found out by asking: what is installed says nothing about what runs.

An init that listens accepts a connection, and the kernel says who listens there: SO_PEERCRED, unix(7).
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Mapping
from typing import NamedTuple, Optional

from ..dbus.sockets import SYSTEM_SOCKET, user_socket
from ..processes.identity import read_stat

SYSTEMD_SOCKET = "/run/systemd/private"
UPSTART_SOCKET = "\0/com/ubuntu/upstart"
_TIMEOUT = 2.0  # seconds; a connection to a living listener takes microseconds


class Host(NamedTuple):
    """Who answers: pids, or None. ``pid_one`` is the name of PID 1. ``foster`` is a supervisor of ours."""

    pid_one: str
    foster: Optional[int]
    systemd: Optional[int]
    upstart: Optional[int]


def listener(path: str) -> Optional[int]:
    """Return the pid of who listens at a Unix socket (0 if it is outside of our PID namespace), None for nobody.

    ``path``: an abstract one begins with a zero character.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(_TIMEOUT)
        try:
            client.connect(path)
            return _peer(client)
        except OSError:
            return None


def peer(descriptor: int) -> Optional[int]:
    """Return the pid of who listened for the connection ``descriptor``, which stays open."""
    with socket.socket(fileno=os.dup(descriptor)) as client:
        return _peer(client)


def _peer(client: socket.socket) -> int:
    credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[0])


def pid_one(proc: str = "/proc") -> str:
    """Return the name of PID 1, "" when it cannot be seen."""
    stat = read_stat(1, proc)
    return stat.name if stat else ""


def systemd(user: bool = False) -> Optional[int]:
    """Return the pid of the systemd that answers on its private socket: the system's, or this user's manager.

    For a plain user, to whom the system's socket is closed, PID 1's name decides.
    """
    if user:
        runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
        return listener(os.path.join(runtime, "systemd/private"))
    if os.geteuid() == 0:
        return listener(SYSTEMD_SOCKET)
    return 1 if pid_one() == "systemd" and os.path.isdir("/run/systemd/system") else None


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
