# SPDX-License-Identifier: GPL-3.0-or-later
"""Where supervisors listen: known to the supervisor, which makes the socket, and to everybody who asks it."""

from __future__ import annotations

import os
from collections.abc import Mapping

SYSTEM_SOCKET = "/run/foster/control"


def user_socket(environ: Mapping[str, str], uid: int) -> str:
    """Return where the supervisor of ``uid`` listens: below XDG_RUNTIME_DIR, or the folder that takes its place."""
    for runtime in (environ.get("XDG_RUNTIME_DIR"), f"/run/user/{uid}"):
        if runtime and os.access(runtime, os.W_OK):  # a task that came in through su has no XDG_RUNTIME_DIR
            return f"{runtime}/foster/control"
    home = environ.get("HOME") or os.path.expanduser("~")
    return f"{environ.get('XDG_CACHE_HOME') or f'{home}/.cache'}/foster/control"


def bus_address(environ: Mapping[str, str], uid: int) -> str:
    """Return the name to connect to for the message bus that jobs of ``uid`` are on, as socket.connect takes it.

    Root's is the system's. Only unix:path= and unix:abstract= of DBUS_*_BUS_ADDRESS count.
    """
    if uid == 0:
        given, default = environ.get("DBUS_SYSTEM_BUS_ADDRESS"), "/run/dbus/system_bus_socket"
    else:
        runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}"
        given, default = environ.get("DBUS_SESSION_BUS_ADDRESS"), f"{runtime}/bus"
    for address in (given or "").split(";"):
        transport, _colon, rest = address.partition(":")
        for option in rest.split(",") if transport == "unix" else ():
            key, _equals, value = option.partition("=")
            if key in ("path", "abstract") and value:
                return value if key == "path" else "\0" + value
    return default
