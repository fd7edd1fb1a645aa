# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the supervisor's own files are, for the system and for one user."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from ...dbus.sockets import SYSTEM_SOCKET, user_socket


class Layout(NamedTuple):
    """Paths. ``library`` holds the bundle, ``programs`` the links to it, ``log`` what the supervisor itself says."""

    user: bool
    library: str
    programs: str
    jobs: str
    socket: str
    log: str

    @property
    def fosterd(self) -> str:
        """Return the path of the supervisor's program; next to it lies what was unpacked from it."""
        return os.path.join(self.library, "fosterd")

    @property
    def command(self) -> tuple[str, ...]:
        """Return the command that runs the supervisor."""
        return (self.fosterd, "--user") if self.user else (self.fosterd,)


SYSTEM = Layout(
    user=False,
    library="/usr/local/lib/foster",
    programs="/usr/local/bin",
    jobs="/etc/foster",
    socket=SYSTEM_SOCKET,
    log="/var/log/foster/fosterd.log",
)


def user_layout(environ: Mapping[str, str], home: str, uid: int) -> Layout:
    """Return the layout for one user: the XDG equivalents of the system's."""
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    state = environ.get("XDG_STATE_HOME") or os.path.join(home, ".local", "state")
    return Layout(
        user=True,
        library=os.path.join(home, ".local", "lib", "foster"),
        programs=os.path.join(home, ".local", "bin"),
        jobs=os.path.join(config, "foster"),
        socket=user_socket(environ, uid),
        log=os.path.join(state, "foster", "log", "fosterd.log"),
    )
