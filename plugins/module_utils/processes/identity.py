# SPDX-License-Identifier: GPL-3.0-or-later
"""Which process is meant: a pid alone may be somebody else by now, a pid with its start time and the boot is not.

Source: proc(5), /proc/PID/stat; pidfd_open(2), Linux 5.3.
"""

from __future__ import annotations

import os
import select
import time
from typing import NamedTuple, Optional

ENDED = ("Z", "X", "x")  # states of what only waits for its parent to ask


class Stat(NamedTuple):
    """A few fields of /proc/PID/stat. ``start_time``: clock ticks since boot. ``tty``: device number, 0 for none."""

    pid: int
    name: str
    state: str
    ppid: int
    group: int
    session: int
    tty: int
    start_time: int


class Identity(NamedTuple):
    """One process for all time: its pid, start time in clock ticks since boot, and which boot."""

    pid: int
    start_time: int
    boot_id: str


def parse_stat(data: bytes) -> Stat:
    """Read the content of /proc/PID/stat; the name in it may hold anything, parentheses and newlines included."""
    opening = data.index(b"(")
    closing = data.rindex(b")")
    fields = data[closing + 2 :].split()
    return Stat(
        pid=int(data[:opening]),
        name=data[opening + 1 : closing].decode("utf-8", "surrogateescape"),
        state=fields[0].decode(),
        ppid=int(fields[1]),
        group=int(fields[2]),
        session=int(fields[3]),
        tty=int(fields[4]),
        start_time=int(fields[19]),
    )


def read_stat(pid: int, proc: str = "/proc") -> Optional[Stat]:
    """Return what the kernel knows of ``pid``; None when there is no such process (any more)."""
    try:
        with open(f"{proc}/{pid}/stat", "rb") as file:
            return parse_stat(file.read())
    except (OSError, ValueError, IndexError):
        return None


def boot_id(proc: str = "/proc") -> str:
    """Return the id of this boot; "" where the kernel does not tell (some containers)."""
    try:
        with open(f"{proc}/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def identify(pid: int, proc: str = "/proc") -> Optional[Identity]:
    """Return the identity of the process that ``pid`` is now; None when there is none."""
    stat = read_stat(pid, proc)
    return Identity(pid, stat.start_time, boot_id(proc)) if stat else None


def is_alive(identity: Identity, proc: str = "/proc") -> bool:
    """Return whether that very process still runs. A zombie has ended; only its parent has not asked yet."""
    stat = read_stat(identity.pid, proc)
    return (
        stat is not None
        and not has_ended(stat, proc)
        and stat.start_time == identity.start_time
        and identity.boot_id == boot_id(proc)
    )


def has_ended(stat: Stat, proc: str = "/proc") -> bool:
    """Return whether the process is a zombie, all of it: the first thread may end while others go on."""
    if stat.state not in ENDED:
        return False
    try:
        threads = os.listdir(f"{proc}/{stat.pid}/task")
    except OSError:
        return True
    others = (read_stat(int(thread), f"{proc}/{stat.pid}/task") for thread in threads if thread != str(stat.pid))
    return not any(other is not None and other.state not in ENDED for other in others)


def open_pidfd(identity: Identity) -> Optional[int]:
    """Return a descriptor that stands for exactly that process, to signal and to poll; None when it is gone.

    Raises OSError where the kernel has no pidfd_open (ENOSYS) or forbids it. The caller closes it.
    """
    try:
        descriptor = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return None
    if not is_alive(identity):  # asked after the open: from now on the pid cannot go to another process unnoticed
        os.close(descriptor)
        return None
    return descriptor


def ends_within(identity: Identity, seconds: float) -> bool:
    """Wait at most that long for the process to end; return whether it has."""
    try:
        descriptor = open_pidfd(identity)
    except (OSError, AttributeError):  # no pidfd here: look now and then
        deadline = time.monotonic() + seconds
        while is_alive(identity) and time.monotonic() < deadline:
            time.sleep(0.05)
        return not is_alive(identity)
    if descriptor is None:
        return True
    try:
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        return bool(poller.poll(seconds * 1000))
    finally:
        os.close(descriptor)
