# SPDX-License-Identifier: GPL-3.0-or-later
"""How a process that is not our child ended, as its pidfd tells."""

from __future__ import annotations

import fcntl
import functools
import os
import struct
from typing import Optional

_PIDFD_GET_INFO = 0xC040FF0B  # _IOWR(0xFF, 11, 64 bytes), Linux 6.13
_PIDFD_INFO_EXIT = 8  # Linux 6.15
_INFO = struct.Struct("=QQ11Ii")


def wait_status(pidfd: int) -> Optional[int]:
    """Return the wait status of a process that has ended and was reaped by others; None where nobody can tell."""
    fields = _ask(pidfd)
    return fields[-1] if fields is not None and fields[0] & _PIDFD_INFO_EXIT else None


@functools.lru_cache(maxsize=1)
def tells_exits() -> bool:
    """Tell whether ``wait_status`` works here: PIDFD_INFO_EXIT came after the call itself, so a child has to end."""
    try:
        own = os.pidfd_open(os.getpid())
    except (OSError, AttributeError):  # Linux before 5.3, or built with an older C library
        return False
    try:
        if _ask(own) is None:
            return False
    finally:
        os.close(own)
    child = os.fork()
    if not child:
        os._exit(0)
    fd = os.pidfd_open(child)
    try:
        os.waitpid(child, 0)
        return wait_status(fd) == 0
    finally:
        os.close(fd)


def _ask(pidfd: int) -> Optional[tuple[int, ...]]:
    data = bytearray(_INFO.size)
    _INFO.pack_into(data, 0, _PIDFD_INFO_EXIT, *([0] * 13))
    try:
        fcntl.ioctl(pidfd, _PIDFD_GET_INFO, data)
    except OSError:
        return None
    return _INFO.unpack(data)
