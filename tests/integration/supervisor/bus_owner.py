# SPDX-License-Identifier: GPL-3.0-or-later
"""A daemon that takes a name on a message bus: ``bus_owner.py SOCKET NAME [fork]``.

It takes the name when it gets SIGUSR1, queueing for it where somebody else has it, and stays for ever. fork: it goes
into the background first, forking twice. It speaks D-Bus by itself, so that it needs nothing but Python.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import sys
import time

BUS = "org.freedesktop.DBus"


def text(value: str) -> bytes:
    return struct.pack("<I", len(value)) + value.encode() + b"\0"


def aligned(data: bytes, to: int) -> bytes:
    return data + bytes(-len(data) % to)


def call(serial: int, member: str, signature: str = "", body: bytes = b"") -> bytes:
    """Return a method call to the bus itself (D-Bus specification, "Message Format")."""
    fields = b""
    for code, kind, value in (
        (1, "o", text("/org/freedesktop/DBus")), (2, "s", text(BUS)), (3, "s", text(member)), (6, "s", text(BUS)),
        (8, "g", bytes((len(signature),)) + signature.encode() + b"\0"),
    ):  # fmt: skip
        if code != 8 or signature:
            fields = aligned(fields, 8) + bytes((code, 1)) + kind.encode() + b"\0" + value
    head = struct.pack("<cBBBIII", b"l", 1, 0, 1, len(body), serial, len(fields)) + fields
    return aligned(head, 8) + body


def connect(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    while True:
        with contextlib.suppress(OSError):
            sock.connect(path)
            break
        time.sleep(0.05)  # there is no bus yet
    sock.sendall(b"\0AUTH EXTERNAL " + str(os.geteuid()).encode().hex().encode() + b"\r\n")
    if not sock.recv(4096).startswith(b"OK"):
        raise SystemExit("the bus does not let us in")
    sock.sendall(b"BEGIN\r\n" + call(1, "Hello"))
    return sock


def main() -> None:
    path, name, *rest = sys.argv[1:]
    if rest:
        for _fork in range(2):
            if os.fork():
                os._exit(0)
            os.setsid()
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGUSR1,))
    signal.signal(signal.SIGUSR1, lambda _number, _frame: None)  # so /proc tells that it waits, and does not end us
    sock = connect(path)
    signal.sigwait((signal.SIGUSR1,))
    sock.sendall(call(2, "RequestName", "su", aligned(text(name), 4) + struct.pack("<I", 0)))
    while True:
        signal.pause()


main()
