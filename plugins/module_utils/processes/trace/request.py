# SPDX-License-Identifier: GPL-3.0-or-later
"""What to run, and how long to look. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Optional

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class TraceError(Exception):
    """The program could not be run, or not be observed; the text is one sentence."""


@dataclass(frozen=True)
class Request:
    """``argv``: what to run, along PATH of ``env``. ``user``: a name or number to become, as root.

    Seconds: ``timeout`` is the longest that is looked; ``settle`` how long nothing must happen (no fork, exec, exit,
    and hardly any work done) to be sure that all has happened; ``kill_timeout`` from SIGTERM to SIGKILL in the end.
    ``use_ptrace``: False looks through /proc only. ``offer_notify``: have NOTIFY_SOCKET in the environment, for which
    some daemons stay in the foreground.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    chdir: str = "/"
    user: Optional[str] = None
    group: Optional[str] = None
    umask: int = 0o022
    timeout: float = 30.0
    settle: float = 1.0
    kill_timeout: float = 5.0
    use_ptrace: bool = True
    offer_notify: bool = True
