# SPDX-License-Identifier: GPL-3.0-or-later
"""What /proc tells about a process (proc(5)); every function answers None or empty for a process that is gone."""

from __future__ import annotations

import os
import time
from typing import NamedTuple, Optional

TICKS = os.sysconf("SC_CLK_TCK")  # of start_time, per second
_EXITING = 0x4  # PF_EXITING, linux/sched.h
_KEEPS_CHILDREN = os.path.exists(f"/proc/self/task/{os.getpid()}/children")  # CONFIG_PROC_CHILDREN


class Stat(NamedTuple):
    """Fields of /proc/PID/stat; ``start_time`` is in clock ticks since boot, ``name`` at most 15 bytes.

    ``state`` and ``flags`` are those of the first thread, and ``threads`` counts it until the process is reaped.
    """

    pid: int
    state: str
    parent: int
    group: int
    session: int
    start_time: int
    name: str = ""
    threads: int = 1
    flags: int = 0

    @property
    def ended(self) -> bool:
        """Tell whether it is only waiting to be reaped; a first thread may have left the others running."""
        return self.state in "ZX" and self.threads < 2

    @property
    def first_left(self) -> bool:
        """Tell whether its first thread has ended, with the others or before them."""
        return self.state in "ZX"

    @property
    def ending(self) -> bool:
        """Tell whether its first thread is on its way out, or there."""
        return bool(self.flags & _EXITING)


def read(path: str) -> Optional[bytes]:
    """Return what the file at ``path`` holds, or None where it cannot be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        parts: list[bytes] = []
        while True:
            part = os.read(fd, 65536)
            if not part:
                return b"".join(parts)
            parts.append(part)
    except OSError:
        return None
    finally:
        os.close(fd)


def stat(pid: int) -> Optional[Stat]:
    """Return the state and the relations of ``pid``."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        data = os.read(fd, 1024)
    except OSError:
        return None
    finally:
        os.close(fd)
    if not data:
        return None
    end = data.rindex(b")")
    fields = data[end + 2 :].split()
    name = data[data.index(b"(") + 1 : end].decode(errors="replace")
    return Stat(
        pid, fields[0].decode(), int(fields[1]), int(fields[2]), int(fields[3]), int(fields[19]), name,
        int(fields[17]), int(fields[6]),
    )  # fmt: skip


def start_time(pid: int) -> Optional[int]:
    """Return the start time of ``pid`` in clock ticks since boot."""
    found = stat(pid)
    return found.start_time if found else None


def wait_status(pid: int, started: Optional[int]) -> Optional[int]:
    """Return how ``pid``, which was ``started`` then, has ended, as wait(2) gives it; None where that is not shown.

    The last field of /proc/PID/stat (Linux 3.5). It is 0 for who may not look at the process, as links in ns/ tell.
    """
    try:
        os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return None
    data = read(f"/proc/{pid}/stat") or b""
    fields = data[data.rfind(b")") + 2 :].split()
    if len(fields) < 50 or fields[0] not in (b"Z", b"X") or int(fields[19]) != started:
        return None
    return int(fields[49])


def environment(pid: int) -> dict[str, str]:
    """Return the environment that ``pid`` was executed with."""
    data = read(f"/proc/{pid}/environ") or b""
    return dict(entry.split("=", 1) for entry in os.fsdecode(data).split("\0") if "=" in entry)


def limit(pid: int, name: bytes) -> Optional[int]:
    """Return the soft limit called ``name`` in /proc/PID/limits (world-readable, also of a zombie); None: unlimited."""
    data = read(f"/proc/{pid}/limits") or b""
    start = data.find(name)
    if start < 0:
        return None
    words = data[start + len(name) : start + len(name) + 60].split(None, 1)
    return int(words[0]) if words and words[0].isdigit() else None


def cgroups(pid: int) -> list[str]:
    """Return the paths of the cgroups of ``pid``, of a zombie those that it died in."""
    lines = (read(f"/proc/{pid}/cgroup") or b"").decode(errors="surrogateescape").splitlines()
    return [line.split(":", 2)[2] for line in lines if line.count(":") > 1]


def command_line(pid: int) -> bytes:
    return read(f"/proc/{pid}/cmdline") or b""


def all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def children(pid: int) -> list[int]:
    """Return the children of ``pid``: from the kernel's own list, or from a scan where it keeps none."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        data = read(f"/proc/{pid}/task/{thread}/children")
        if data is None and not _KEEPS_CHILDREN:
            return [other for other in all_pids() if (known := stat(other)) is not None and known.parent == pid]
        found.extend(int(word) for word in (data or b"").split())
    return found


def descendants(pid: int) -> list[int]:
    """Return everything below ``pid``, parents before their children."""
    found: list[int] = []
    pending = [pid]
    while pending:
        for child in children(pending.pop()):
            if child not in found:
                found.append(child)
                pending.append(child)
    return found


def seconds_since_1970(start_time: int) -> float:
    """Return when a process was started by today's clock; btime of /proc/stat would be wrong by up to a second."""
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + start_time / TICKS


def boot_id() -> str:
    return (read("/proc/sys/kernel/random/boot_id") or b"").decode().strip()
