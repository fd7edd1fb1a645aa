# SPDX-License-Identifier: GPL-3.0-or-later
"""A notify socket (sd_notify(3)) that knows who sends."""

from __future__ import annotations

import array
import os
import secrets
import socket
import struct
from collections.abc import Iterator
from typing import Optional

_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid; unix(7)
_SIZE = 4096


class NotifySocket:
    """A socket without a file, so that nothing is left and a process in a chroot reaches it, too."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.address = f"@foster-trace-{secrets.token_hex(8)}"
        self._socket.bind("\0" + self.address[1:])

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def messages(self) -> Iterator[tuple[int, str]]:
        """Yield what has arrived as (pid of the sender, text)."""
        while True:
            try:
                data, ancillary, _flags, _address = self._socket.recvmsg(
                    _SIZE, socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(64 * 4), socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                return
            pid = _sender(ancillary)
            if pid is not None:
                yield pid, data.decode("utf-8", "replace")


def _sender(ancillary: list[tuple[int, int, bytes]]) -> Optional[int]:
    """Return the pid among the ancillary data; close descriptors that were sent (a barrier waits for that)."""
    pid = None
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors = array.array("i")
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
            for descriptor in descriptors:
                os.close(descriptor)
        elif level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            pid = _CREDENTIALS.unpack_from(data)[0]
    return pid
