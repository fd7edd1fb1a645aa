# SPDX-License-Identifier: GPL-3.0-or-later
"""What is otherwise where the supervisor is the first process of a container: signals, and a new life each time."""

from __future__ import annotations

import fcntl
import os
import signal
import termios
from contextlib import suppress

from .tracking import proc

# What asks a container to end: its runtime (TERM; INT from a terminal), and podman and machinectl where the program is
# called init (RTMIN+3: systemd(1), "halt").
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGRTMIN + 3)


def is_first() -> bool:
    """Tell whether this is PID 1."""
    return os.getpid() == 1


def life() -> str:
    """Return what changes whenever no process of before can be there any more: a boot, or a start of the container.

    A container that is started again keeps its files, and pids begin anew; so the start of PID 1 counts as well.
    """
    return f"{proc.boot_id()}/{proc.start_time(1)}"


def leave_terminal() -> None:
    """Give the container's terminal up, so that the command can have it; a process without one does nothing."""
    with suppress(OSError):
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
        try:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)  # tty_ioctl(4): its group gets SIGHUP
            fcntl.ioctl(terminal, termios.TIOCNOTTY)
        finally:
            os.close(terminal)
