# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ways to follow processes are in force here, and why another one is not."""

from __future__ import annotations

import errno
import fcntl
import functools
import os
import struct
from typing import NamedTuple

from .family import Families

_PIDFD_GET_INFO = 0xC040FF0B  # _IOWR(0xFF, 11, 64 bytes), Linux 6.13
_EXIT = 8  # PIDFD_INFO_EXIT, Linux 6.15


class Rung(NamedTuple):
    """One way. ``purpose``: what it is for; ``why``: what keeps it from being used, or what it is limited by."""

    name: str
    in_force: bool
    purpose: str
    why: str = ""


def rungs(families: Families) -> list[Rung]:
    """Return the ladder, the surest first."""
    cgroups = families.cgroups
    second = cgroups is not None and cgroups.unified
    first = cgroups is not None and not cgroups.unified
    refused = "; ".join(families.refused) or "no cgroup may be made here"
    return [
        Rung("subreaper", True, "orphans of jobs become ours, with their exit statuses"),
        _pidfd(),
        Rung("cgroup v2", second, "members and the end of all of them at once", "" if second else refused),
        Rung(
            "cgroup v1, named hierarchy", first, "members", "" if first else "cgroup v2 is used" if second else refused
        ),
        Rung(
            "mark", True, "whose an orphan is, also without environment and session",
            "a process that sets its own limit of file locks loses it" if cgroups is None else "the cgroup comes first",
        ),
        Rung("marker variable", True, "processes of an earlier supervisor", "a cleared environment has none"),
        _exit_status(),
        Rung(
            "process connector", False, "each fork and exit of the machine",
            "every fork of the machine would wake the supervisor; orphans are told by the mark, and reach it by being "
            "their reaper",
        ),
    ]  # fmt: skip


def _pidfd() -> Rung:
    purpose = "signals that reach nobody else, and the end of processes that are not our children"
    if not hasattr(os, "pidfd_open"):
        return Rung("pidfd", False, purpose, "this Python was built for an older Linux")
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError as error:
        return Rung("pidfd", False, purpose, f"the kernel refuses it ({errno.errorcode.get(error.errno or 0)})")
    return Rung("pidfd", True, purpose)


@functools.lru_cache(maxsize=1)
def _exit_status() -> Rung:
    """Ask for the supported fields of our own pidfd: PIDFD_INFO_EXIT came after the call itself."""
    name, purpose = "pidfd exit status", "exit statuses of jobs that a crashed supervisor has left behind"
    unknown = "the kernel is older than Linux 6.15: such an end counts as a failure of unknown status"
    if not _pidfd().in_force:
        return Rung(name, False, purpose, unknown)
    data = bytearray(struct.pack("=QQ11Ii", _EXIT, *([0] * 13)))
    child = os.fork()
    if not child:
        os._exit(0)
    fd = os.pidfd_open(child)
    try:
        os.waitpid(child, 0)
        fcntl.ioctl(fd, _PIDFD_GET_INFO, data)
    except OSError:
        return Rung(name, False, purpose, unknown)
    finally:
        os.close(fd)
    works = bool(struct.unpack_from("=Q", data)[0] & _EXIT)
    return Rung(name, works, purpose, "" if works else unknown)
