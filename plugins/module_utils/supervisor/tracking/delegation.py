# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether systemd has delegated a cgroup to the supervisor: else it would take what is made below it for its own.

systemd marks a delegated cgroup with an attribute (its CGROUP_DELEGATION.md). But ``trusted.delegate`` takes
CAP_SYS_ADMIN, which most containers lack, and ``user.delegate`` came with systemd 251. Without a mark it is asked.
"""

from __future__ import annotations

import os

_SOCKET = "/run/systemd/private"
_DESTINATION, _PATH = "org.freedesktop.systemd1", "/org/freedesktop/systemd1"
_TIMEOUT = 5.0  # seconds; it answers in a millisecond, also while it waits until this supervisor is ready


def problem(folder: str, socket: str = _SOCKET) -> str:
    """Return why nothing may be made in the cgroup ``folder``, "" where it may."""
    if not os.path.isdir("/run/systemd/system"):
        return ""
    for attribute in ("trusted.delegate", "user.delegate"):
        try:
            if os.getxattr(folder, attribute) == b"1":
                return ""
        except OSError:
            continue
    if os.geteuid() != 0:
        return ""  # below user@.service everything that is writable was delegated
    return _asked(folder, socket)


def _asked(folder: str, socket: str) -> str:
    from ...dbus.client import Connection
    from ...dbus.errors import BusError, BusUnreachable

    try:
        with Connection.open(f"unix:path={socket}", _TIMEOUT) as systemd:
            unit = systemd.call(
                _PATH, f"{_DESTINATION}.Manager", "GetUnitByPID", "u", os.getpid(), destination=_DESTINATION
            )[0]
            delegated = systemd.call(
                str(unit), "org.freedesktop.DBus.Properties", "Get", "ss", f"{_DESTINATION}.Service", "Delegate",
                destination=_DESTINATION,
            )[0][1]  # fmt: skip
    except BusUnreachable as error:
        return (
            f"whether systemd has delegated {folder} cannot be seen: it has no mark, which a systemd before 251 cannot "
            f"set without CAP_SYS_ADMIN, and systemd does not answer ({str(error).rpartition(': ')[2]})"
        )
    except BusError as error:
        return f"systemd has not delegated {folder}: this process is of no service ({error.message.rstrip('.')})"
    return "" if delegated else f"systemd has not delegated {folder}: its unit needs Delegate=yes"
