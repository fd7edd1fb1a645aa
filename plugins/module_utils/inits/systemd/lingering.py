# SPDX-License-Identifier: GPL-3.0-or-later
# pylint: disable=ansible-bad-function  # used by more than modules, so there is no run_command
"""Whether a user's systemd goes on after the last logout: logind.conf(5), loginctl(1)."""

from __future__ import annotations

import os
import pwd
import subprocess

from ..errors import InitError

_FOLDER = "/var/lib/systemd/linger"  # logind keeps a file for each user who lingers
_TIMEOUT = 20.0  # seconds


def user_name() -> str:
    """Return the name of the user that we are, the number where it has none."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def flag(folder: str = _FOLDER) -> str:
    """Return the file that is there while this user lingers."""
    return os.path.join(folder, user_name())


def lingers(folder: str = _FOLDER) -> bool:
    """Say whether this user lingers."""
    return os.path.exists(flag(folder))


def enable(folder: str = _FOLDER) -> None:
    """Ask logind for it; raise InitError when it refuses."""
    name = user_name()
    try:
        done = subprocess.run(
            # With the name: without one logind takes the owner of the login session, who after become is somebody else.
            ["loginctl", "enable-linger", name],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
        )
        problem = done.stderr.decode("utf-8", "replace").strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        problem = str(error)
    if not lingers(folder):
        reason = f" ({problem})" if problem else ""
        raise InitError(f"logind does not let {name} linger{reason}: run `loginctl enable-linger {name}` as root first")
