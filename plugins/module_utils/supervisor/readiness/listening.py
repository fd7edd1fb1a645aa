# SPDX-License-Identifier: GPL-3.0-or-later
"""Who listens on a socket: inodes from sock_diag(7) or /proc/net, and the processes that hold them (/proc/PID/fd)."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Collection, Iterator

from ...job.listen_address import ListenAddress
from ..tracking import proc

_LISTEN_STATE, _UNCONNECTED_STATE = 10, 7  # TCP_LISTEN; TCP_CLOSE, that of a bound UDP socket
_ACCEPTS = 0x10000  # __SO_ACCEPTCON of a Unix socket
_SOCK_DIAG, _BY_FAMILY, _DUMP = 4, 20, 0x301  # NETLINK_SOCK_DIAG; SOCK_DIAG_BY_FAMILY; REQUEST and DUMP
_DONE, _ERROR = 3, 2
_HEADER = struct.Struct("=IHHII")
_TABLES = {  # kind: (table in /proc/net, address family, protocol)
    "tcp": ("tcp", socket.AF_INET, socket.IPPROTO_TCP), "tcp6": ("tcp6", socket.AF_INET6, socket.IPPROTO_TCP),
    "udp": ("udp", socket.AF_INET, socket.IPPROTO_UDP), "udp6": ("udp6", socket.AF_INET6, socket.IPPROTO_UDP),
}  # fmt: skip
Bound = tuple[bytes, int, int]  # (address in network order, port, inode)


def holders(pids: Collection[int], address: ListenAddress) -> set[int]:
    """Return those of ``pids`` that hold a socket which listens at ``address``."""
    found: set[int] = set()
    by_namespace: dict[str, list[int]] = {}
    for pid in pids:
        by_namespace.setdefault(_namespace(pid), []).append(pid)
    for namespace, inside in by_namespace.items():
        inodes = _inodes(address, inside[0], namespace == _namespace(os.getpid()))
        if inodes:
            found.update(pid for pid in inside if _holds(pid, inodes))
    return found


def _namespace(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except OSError:
        return ""


def _holds(pid: int, inodes: set[str]) -> bool:
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)
    except OSError:
        return False
    for name in names:
        try:
            if os.readlink(f"{folder}/{name}") in inodes:
                return True
        except OSError:
            continue
    return False


def _inodes(address: ListenAddress, pid: int, ours: bool) -> set[str]:
    """Return the sockets as /proc/PID/fd names them. ``ours``: ``pid`` is in our network namespace."""
    numbers: set[int] = set()
    for kind in address.kinds:
        if kind == "unix":
            numbers.update(_unix(pid, address.path))
        else:
            numbers.update(inode for host, port, inode in _bound(kind, pid, ours) if address.covers(host, port))
    return {f"socket:[{number}]" for number in numbers if number}


def _bound(kind: str, pid: int, ours: bool) -> Iterator[Bound]:
    if ours:
        try:
            return iter(list(_asked(kind)))
        except OSError:  # no such module, or a sandbox without netlink
            pass
    return _read(kind, pid)


def _asked(kind: str) -> Iterator[Bound]:
    """Ask the kernel for the sockets that listen, and only for those; raise OSError where it does not answer."""
    _table, family, protocol = _TABLES[kind]
    state = _UNCONNECTED_STATE if protocol == socket.IPPROTO_UDP else _LISTEN_STATE
    request = struct.pack("=BBBBI48x", family, protocol, 0, 0, 1 << state)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG) as sock:
        sock.settimeout(1.0)
        sock.send(_HEADER.pack(_HEADER.size + len(request), _BY_FAMILY, _DUMP, 1, 0) + request)
        while True:
            data = sock.recv(1 << 17)
            offset = 0
            while offset + _HEADER.size <= len(data):
                length, what, _flags, _number, _pid = _HEADER.unpack_from(data, offset)
                if what == _DONE:
                    return
                if what == _ERROR or length < _HEADER.size:
                    raise OSError("sock_diag does not answer")
                body = offset + _HEADER.size  # inet_diag_msg: 4 bytes, then ports, addresses, ... inode at 68
                (port,) = struct.unpack_from(">H", data, body + 4)
                size = 4 if family == socket.AF_INET else 16
                (inode,) = struct.unpack_from("=I", data, body + 68)
                yield data[body + 8 : body + 8 + size], port, inode
                offset += (length + 3) & ~3


def _read(kind: str, pid: int) -> Iterator[Bound]:
    table, _family, protocol = _TABLES[kind]
    state = "07" if protocol == socket.IPPROTO_UDP else "0A"
    for line in (proc.read(f"/proc/{pid}/net/{table}") or b"").decode("ascii", "replace").splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == state:
            host, _colon, port = fields[1].rpartition(":")
            words = [struct.pack("=I", int(host[at : at + 8], 16)) for at in range(0, len(host), 8)]
            yield b"".join(words), int(port, 16), int(fields[9])


def _unix(pid: int, path: str) -> Iterator[int]:
    for line in (proc.read(f"/proc/{pid}/net/unix") or b"").decode(errors="surrogateescape").splitlines()[1:]:
        fields = line.split(None, 7)
        if len(fields) < 7 or not int(fields[3], 16) & _ACCEPTS:
            continue
        if not path or (len(fields) > 7 and fields[7] == path):
            yield int(fields[6])
