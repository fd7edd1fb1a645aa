# SPDX-License-Identifier: GPL-3.0-or-later
"""Listen to every signal of a supervisor over a private D-Bus connection, with jeepney and none of our own code.

A thread reads; `take` hands over what has come since the last call.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from typing import Any

from jeepney import HeaderFields, Message, MessageType, Parser
from jeepney.auth import BEGIN, AuthenticationError, Authenticator

from .trace import Signal

_ROOT = "/com/ubuntu/Upstart/jobs/"
# Upstart 1.13 announces these between the ten documented states; the recordings leave them out.
_TRANSITIONAL = frozenset(
    ("security-spawning", "security", "pre-starting", "spawning", "post-starting", "pre-stopping", "post-stopping")
)


def decode(element: str) -> str:
    """Undo the escaping of an object path's element: `_2f` is `/`, `_` alone is the empty name."""
    if element == "_":
        return ""
    return re.sub(r"(?:_[0-9a-f]{2})+", _decode_bytes, element)


def _decode_bytes(match: re.Match[str]) -> str:
    return bytes.fromhex(match[0].replace("_", "")).decode("utf-8", "replace")


def name_of(path: str) -> str:
    """Return `-`, `JOB` or `JOB/INSTANCE` for an object path."""
    if not path.startswith(_ROOT):
        return "-"
    return "/".join(decode(element) for element in path[len(_ROOT) :].split("/"))


class Listener:
    """A connection that collects signals until `close`."""

    def __init__(self, address: str) -> None:
        """Connect to `address`. Raises OSError while nobody listens there."""
        self._socket = _open(address)
        self._lock = threading.Lock()
        self._signals: list[Signal] = []
        self._last = time.monotonic()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        parser = Parser()
        while True:
            try:
                data = self._socket.recv(1 << 16)
            except OSError:
                return
            if not data:
                return
            for message in parser.feed(data):
                if message.header.message_type is MessageType.signal:
                    self._keep(message)

    def _keep(self, message: Message) -> None:
        fields = message.header.fields
        signal = _signal(fields[HeaderFields.path], fields[HeaderFields.member], message.body)
        with self._lock:
            self._last = time.monotonic()
            if not (signal.member == "StateChanged" and signal.arguments in _TRANSITIONAL):
                self._signals.append(signal)

    def quiet_for(self) -> float:
        """Seconds since the last signal."""
        with self._lock:
            return time.monotonic() - self._last

    def take(self) -> list[Signal]:
        """Return the signals that came since the last call."""
        with self._lock:
            taken, self._signals = self._signals, []
        return taken

    def close(self) -> None:
        """End the connection and the thread."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=2)
        self._socket.close()


def _open(address: str) -> socket.socket:
    """Connect and authenticate, without the Hello that only a message bus answers."""
    kind, _unused, path = address.partition("=")
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(5)
    try:
        connection.connect("\0" + path if kind == "unix:abstract" else path)
        connection.sendall(b"\0")
        authenticator = Authenticator(inc_null_byte=False)
        for request in authenticator:
            connection.sendall(request)
            authenticator.feed(connection.recv(1024))
        connection.sendall(BEGIN)
    except (OSError, AuthenticationError) as problem:
        connection.close()
        raise OSError(f"no D-Bus handshake at {address}: {problem}") from problem
    connection.settimeout(None)
    return connection


def _signal(path: str, member: str, body: tuple[Any, ...]) -> Signal:
    if member in ("JobAdded", "JobRemoved", "InstanceAdded", "InstanceRemoved"):
        arguments = name_of(body[0])
    elif member == "EventEmitted":
        arguments = f"{body[0]} [{' '.join(body[1])}]"
    else:
        arguments = " ".join(str(value) for value in body)
    return Signal(name_of(path), member, arguments)
