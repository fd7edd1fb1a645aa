# SPDX-License-Identifier: GPL-3.0-or-later
"""Where everything lies on a target, for the system and for a user."""

from __future__ import annotations

import os
from typing import NamedTuple

from ..inits import foster


class Places(NamedTuple):
    """Folders and files of one scope: jobs, logs, the bundle, the programs; and the D-Bus address."""

    jobs: str
    logs: str
    bundle: str
    programs: str
    address: str


def of(scope: str) -> Places:
    """Return the places of ``scope``, system or user; for a user those of the XDG base directory specification."""
    address = foster.address(os.environ, os.geteuid(), system=scope == "system", user=scope == "user")
    if scope == "system":
        return Places("/etc/foster", "/var/log/foster", "/usr/local/lib/foster/foster.pyz", "/usr/local/bin", address)
    home = os.path.expanduser("~")
    config = os.environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
    cache = os.environ.get("XDG_CACHE_HOME") or f"{home}/.cache"
    return Places(
        f"{config}/foster", f"{cache}/foster", f"{home}/.local/lib/foster/foster.pyz", f"{home}/.local/bin", address
    )
