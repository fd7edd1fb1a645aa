# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sockets listen, and which processes hold them (proc(5): /proc/PID/net, /proc/PID/fd)."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator

_LISTEN = "0A"  # the state of a TCP socket
_ACCEPTS = 0x10000  # the flag of a Unix socket


def held(pids: Iterable[int]) -> list[tuple[int, str, str]]:
    """Return (pid, inode, address) for each listening socket that one of ``pids`` has open, in order."""
    by_namespace: dict[str, dict[str, str]] = {}
    found: list[tuple[int, str, str]] = []
    for pid in pids:
        try:
            namespace = os.readlink(f"/proc/{pid}/ns/net")
            names = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue
        if namespace not in by_namespace:
            by_namespace[namespace] = listening(f"/proc/{pid}/net")
        inodes = set()
        for name in names:
            try:
                target = os.readlink(f"/proc/{pid}/fd/{name}")
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[len("socket:[") : -1])
        wanted = by_namespace[namespace]
        found.extend((pid, inode, wanted[inode]) for inode in sorted(inodes & wanted.keys(), key=int))
    return found


def listening(folder: str = "/proc/self/net") -> dict[str, str]:
    """Return the address of each listening socket by its inode: ``0.0.0.0:80``, ``[::]:80``, ``/run/x``, ``@x``."""
    found = {}
    for table in ("tcp", "tcp6"):
        for line in _lines(f"{folder}/{table}"):
            fields = line.split()
            if len(fields) > 9 and fields[3] == _LISTEN:
                found[fields[9]] = internet_address(fields[1])
    for line in _lines(f"{folder}/unix"):
        fields = line.split(None, 7)
        if len(fields) > 6 and int(fields[3], 16) & _ACCEPTS:
            found[fields[6]] = fields[7].rstrip("\n") if len(fields) > 7 else ""
    return found


def of_user(pid: int) -> dict[str, str]:
    """Return the address of each TCP socket that listens for the user whom ``pid`` runs as, by its inode."""
    users = {line.split()[2] for line in _lines(f"/proc/{pid}/status") if line.startswith("Uid:")}
    found = {}
    for table in ("tcp", "tcp6"):
        for line in _lines(f"/proc/self/net/{table}"):
            fields = line.split()
            if len(fields) > 9 and fields[3] == _LISTEN and fields[7] in users:
                found[fields[9]] = internet_address(fields[1])
    return found


def internet_address(text: str) -> str:
    """Return ``HOST:PORT`` for the kernel's hexadecimal words, each in the machine's own byte order (little-endian)."""
    host, _colon, port = text.rpartition(":")
    words = [bytes.fromhex(host[start : start + 8])[::-1] for start in range(0, len(host), 8)]
    raw = b"".join(words)
    if len(raw) == 4:
        return f"{socket.inet_ntop(socket.AF_INET, raw)}:{int(port, 16)}"
    return f"[{socket.inet_ntop(socket.AF_INET6, raw)}]:{int(port, 16)}"


def _lines(path: str) -> Iterator[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            next(file, None)
            yield from file
    except OSError:
        return
