# SPDX-License-Identifier: GPL-3.0-or-later
"""Who listens on a socket, as /proc/net and /proc/PID/fd tell (proc(5))."""

from __future__ import annotations

import os
from typing import Optional

from ..tracking import proc

_LISTEN = "0A"
_ACCEPTS = 0x10000  # __SO_ACCEPTCON of a Unix socket


def sockets(address: str) -> set[str]:
    """Return the inodes of listening sockets: of ``address`` ("80", "127.0.0.1:80", "/run/x.sock"), of all when
    empty.
    """
    found = set()
    port = address.rpartition(":")[2]
    if not address or port.isdigit():
        for table in ("tcp", "tcp6"):
            for line in (proc.read(f"/proc/net/{table}") or b"").decode().splitlines()[1:]:
                fields = line.split()
                local_port = int(fields[1].rpartition(":")[2], 16)
                if fields[3] == _LISTEN and (not address or local_port == int(port)):
                    found.add(fields[9])
    if not address or address.startswith(("/", "@")):
        for line in (proc.read("/proc/net/unix") or b"").decode(errors="replace").splitlines()[1:]:
            fields = line.split(None, 7)
            path = fields[7] if len(fields) > 7 else ""
            if int(fields[3], 16) & _ACCEPTS and (not address or path == address):
                found.add(fields[6])
    return found


def listener(pids: list[int], address: str) -> Optional[int]:
    """Return the first of ``pids`` that holds a listening socket of ``address``."""
    wanted = {f"socket:[{inode}]" for inode in sockets(address)}
    if not wanted:
        return None
    for pid in pids:
        folder = f"/proc/{pid}/fd"
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            try:
                if os.readlink(os.path.join(folder, name)) in wanted:
                    return pid
            except OSError:
                continue
    return None
