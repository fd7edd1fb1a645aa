# SPDX-License-Identifier: GPL-3.0-or-later
"""How a process that is not our child ended, as its pidfd tells."""

from __future__ import annotations

import fcntl
import os
import struct
from typing import Optional

_PIDFD_GET_INFO = 0xC040FF0B  # _IOWR(0xFF, 11, 64 bytes), Linux 6.13
_PIDFD_INFO_EXIT = 8  # Linux 6.15
_INFO = struct.Struct("=QQ11Ii")


def exit_status(pidfd: int) -> tuple[Optional[int], Optional[int]]:
    """Return (exit code, signal) of a process that ended and was reaped by others; (None, None) where nobody can
    tell.
    """
    data = bytearray(_INFO.size)
    _INFO.pack_into(data, 0, _PIDFD_INFO_EXIT, *([0] * 13))
    try:
        fcntl.ioctl(pidfd, _PIDFD_GET_INFO, data)
    except OSError:
        return None, None
    fields = _INFO.unpack(data)
    if not fields[0] & _PIDFD_INFO_EXIT:
        return None, None
    status = fields[-1]
    if os.WIFSIGNALED(status):
        return None, os.WTERMSIG(status)
    return os.WEXITSTATUS(status), None
