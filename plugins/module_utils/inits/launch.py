# SPDX-License-Identifier: GPL-3.0-or-later
"""What it takes to start a program once, whoever starts it: start-stop-daemon's options as data."""

from __future__ import annotations

from typing import NamedTuple, Optional

POLICIES = {"other": 0, "fifo": 1, "rr": 2}  # sched(7)
IO_CLASSES = {"real-time": 1, "best-effort": 2, "idle": 3}  # ioprio_set(2)


class Launch(NamedTuple):
    """One start. None and "": as the init has it.

    ``unit``: what it is called where it runs, letters, digits and ``-._``. ``command``: the program's path and its
    arguments. ``forking``: it goes into the background by itself. ``notify``: it says READY=1, sd_notify(3).
    ``timeout``: seconds for that. ``stop``: (signal, seconds before SIGKILL) for an init that is shut down.
    ``policy``: (number of the scheduling policy, priority). ``io``: (class, priority).
    """

    unit: str
    command: tuple[str, ...]
    user: str = ""
    group: str = ""
    root: str = ""
    folder: str = "/"
    umask: Optional[int] = None
    nice: Optional[int] = None
    policy: Optional[tuple[int, int]] = None
    io: Optional[tuple[int, int]] = None
    environment: tuple[str, ...] = ()
    output: str = ""
    forking: bool = False
    notify: bool = False
    timeout: float = 60.0
    stop: tuple[int, float] = (15, 30.0)
    stay_up: float = 0.5


class Started(NamedTuple):
    """The main process of what was started; 0 where the init cannot tell which of several it is."""

    pid: int
    init: str
    unit: str
