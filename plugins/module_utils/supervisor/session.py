# SPDX-License-Identifier: GPL-3.0-or-later
"""What Upstart's clients look for in session mode: the abstract address, and the session file that tells it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Optional


def abstract_name(uid: int, pid: int) -> str:
    """Return the abstract socket's name, as Upstart's session init has it."""
    return f"/com/ubuntu/upstart-session/{uid}/{pid}"


class SessionFile:
    """``$XDG_RUNTIME_DIR/upstart/sessions/PID.session`` for as long as the supervisor runs."""

    def __init__(self, env: Mapping[str, str]) -> None:
        runtime = env.get("XDG_RUNTIME_DIR")
        self.path: Optional[str] = None
        if runtime:
            self.path = os.path.join(runtime, "upstart", "sessions", f"{os.getpid()}.session")

    def write(self, address: str) -> None:
        """Write the file; raise OSError."""
        if self.path is None:
            return
        os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.write(fd, f"UPSTART_SESSION={address}\n".encode())
        finally:
            os.close(fd)

    def remove(self) -> None:
        if self.path is not None:
            with contextlib.suppress(OSError):
                os.unlink(self.path)
