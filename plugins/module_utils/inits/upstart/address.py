# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an Upstart listens, and whether it is really that one: an abstract socket belongs to whoever binds it first."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from ...dbus.client import Connection, socket_names
from ...dbus.errors import BusError, BusUnreachable
from ...dbus.upstart import MANAGER_INTERFACE, MANAGER_PATH, PROPERTIES_INTERFACE, SYSTEM_ADDRESS
from .. import jobfile
from ..errors import InitError, InitUnreachable
from ..probes import Place, credentials_of, listener, look

TIMEOUT = 10.0  # seconds for what Upstart answers at once


def connect(environ: Mapping[str, str], user: bool) -> tuple[Connection, int]:
    """Connect to the Upstart that is PID 1, or to this user's session init; return also its pid.

    Raise InitUnreachable with one sentence where there is none, where somebody else listens, or where it refuses.
    """
    address = session_address(environ) if user else SYSTEM_ADDRESS
    before = next((pid for pid in map(listener, socket_names(address)) if pid is not None), None)
    if before is None:
        raise InitUnreachable(_nobody(address, user))
    hint = "; the init takes orders from root only, so use become" if not user and os.geteuid() != 0 else ""
    try:
        connection = Connection.open(address, TIMEOUT)
    except BusUnreachable as error:
        raise InitUnreachable(f"{str(error).rstrip('.')}{hint}.") from error
    with socket.socket(fileno=os.dup(connection.fileno())) as peer:
        pid, uid = credentials_of(peer)
    problem = ""
    if user and uid not in (os.geteuid(), 0):
        problem = f"who listens there (pid {pid}) is the user {uid}, and not this one"
    elif not user and pid != 1:
        problem = f"who listens there (pid {pid}) is not PID 1"
    elif pid == 0:
        problem = "who listens there is outside of this container"
    if problem:
        connection.close()
        raise InitUnreachable(f"{address}: {problem}, so nothing is asked of it.")
    try:
        # Upstart greets everybody and drops at the first message whom it does not obey.
        connection.call(MANAGER_PATH, PROPERTIES_INTERFACE, "Get", "ss", MANAGER_INTERFACE, "version")
    except BusError as error:
        connection.close()
        reason = "it closed the connection" if error.short == "NoReply" else error.message.rstrip(".")
        raise InitUnreachable(f"Cannot talk to the init at {address}: {reason}{hint}.") from error
    return connection, pid


def session_address(environ: Mapping[str, str]) -> str:
    """Return the address of this user's session init: UPSTART_SESSION, else the one that left a file and answers.

    Source: Upstart 1.13.2, init(5): $XDG_RUNTIME_DIR/upstart/sessions/PID.session. Raise InitUnreachable.
    """
    given = environ.get("UPSTART_SESSION")
    if given:
        return given
    folder = os.path.join(environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}", "upstart", "sessions")
    found = [address for address in _sessions(folder) if any(listener(n) is not None for n in socket_names(address))]
    if len(found) == 1:
        return found[0]
    if found:
        raise InitUnreachable(
            f"There are {len(found)} session inits of this user ({', '.join(found)}); say which one is meant with "
            "UPSTART_SESSION in the task's environment."
        )
    raise InitUnreachable(
        f"No session init answers here: UPSTART_SESSION is not set, and nobody left an address in {folder}. Start one "
        "with `init --user`, or use scope: system, or use: foster."
    )


def _sessions(folder: str) -> list[str]:
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".session"))
    except OSError:
        return []
    found = []
    for name in names:
        try:
            text = jobfile.read(os.path.join(folder, name)) or ""
        except InitError:
            continue
        key, _equals, value = text.strip().partition("=")
        found += [value] if key == "UPSTART_SESSION" and value else []
    return found


def _nobody(address: str, user: bool) -> str:
    if user:
        return f"Nobody listens at {address}: that session init has ended."
    return (
        f"There is no Upstart here: nobody listens at {address}, and PID 1 is {look(Place()).name or 'hidden'}. "
        "With use: foster the supervisor runs this job."
    )
