# SPDX-License-Identifier: GPL-3.0-or-later
"""The watcher of each kind of ``expect``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Optional

from ...job.model import Job
from .auto import Auto
from .bus_name import BusName
from .check import Check
from .forks import Forks
from .listen import Listen
from .newline import Newline
from .notify import Notify
from .pidfile import Pidfile
from .stopping import Stop
from .watcher import Watcher

_KINDS: dict[str, Callable[[Job], Watcher]] = {
    "auto": Auto, "check": Check, "daemon": Forks, "dbus": BusName, "exit": Forks, "fork": Forks, "listen": Listen,
    "newline": Newline, "pidfile": Pidfile, "stop": Stop,
}  # fmt: skip


def watcher(job: Job, notify_address: str) -> Optional[Watcher]:
    """Return a watcher for the main process of ``job``, None for `expect none`; attach and begin it."""
    if job.expect.kind == "notify":
        return Notify(job, notify_address)
    kind = _KINDS.get(job.expect.kind)
    return kind(job) if kind is not None else None
