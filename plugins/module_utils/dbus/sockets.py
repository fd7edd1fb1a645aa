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
