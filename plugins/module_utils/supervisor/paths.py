# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the supervisor's files are: for the system, for a user, or for an Upstart-like session."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple, Optional

from ..dbus.sockets import SYSTEM_SOCKET, user_socket


class Paths(NamedTuple):
    """Folders, and the control socket (None in session mode, where an abstract address is used).

    Jobs below the run folder are transient: gone with the next boot.
    """

    jobs: tuple[str, ...]
    run: str
    logs: str
    socket: Optional[str]


def system() -> Paths:
    return Paths(("/etc/foster", "/run/foster/jobs"), "/run/foster", "/var/log/foster", SYSTEM_SOCKET)


def user(env: Mapping[str, str], uid: int) -> Paths:
    """Return a user's own folders (XDG Base Directory specification)."""
    home = env.get("HOME") or os.path.expanduser(f"~{uid}")
    config = env.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    state = env.get("XDG_STATE_HOME") or os.path.join(home, ".local", "state")
    run = os.path.dirname(user_socket(env, uid))
    return Paths(
        (os.path.join(config, "foster"), os.path.join(run, "jobs")),
        run,
        os.path.join(state, "foster", "log"),
        os.path.join(run, "control"),
    )


def with_run(paths: Paths, run: str) -> Paths:
    """Return ``paths`` with another run folder, and the socket in it."""
    jobs = tuple(
        os.path.join(run, "jobs") if folder == os.path.join(paths.run, "jobs") else folder for folder in paths.jobs
    )
    return paths._replace(jobs=jobs, run=run, socket=os.path.join(run, "control"))
