# SPDX-License-Identifier: GPL-3.0-or-later
"""The SASL handshake that opens every D-Bus connection, mechanism EXTERNAL, both sides, without I/O.

EXTERNAL means that the kernel says who the peer is: the server compares the uid that the client claims, if it claims
one, with
the one that SO_PEERCRED gave. Source: the D-Bus specification, "Authentication Protocol".
"""

from __future__ import annotations

import os

from .errors import ProtocolError

MAX_LINE = 1024  # bytes; every line that EXTERNAL needs is shorter than 100
MAX_LINES = 32  # commands before BEGIN; libdbus gives up after 32 bytes of rejections too


class ServerAuth:
    """The server's side. ``feed`` bytes, send what it returns, until ``done``; ``rest`` is then the start of the
    messages.

    ``uid``: who the peer is, from SO_PEERCRED. ``guid``: 32 hex digits that name the server.
    """

    def __init__(self, uid: int, guid: str, unix_fds: bool = False) -> None:
        self.done = False
        self.rest = b""
        self._uid = uid
        self._guid = guid.encode("ascii")
        self._unix_fds = unix_fds
        self._buffer = b""
        self._null_seen = False
        self._lines = 0
        self._state = "auth"  # auth, data (waits for DATA), begin (authenticated, waits for BEGIN)

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the client and return those to send. Raise ProtocolError when it is no D-Bus client."""
        if not self._null_seen:
            if not data:
                return b""
            if data[0]:
                raise ProtocolError("the handshake does not begin with a zero byte")
            self._null_seen = True
            data = data[1:]
        self._buffer += data
        out: list[bytes] = []
        while not self.done:
            line, found, rest = self._buffer.partition(b"\r\n")
            if len(line) > MAX_LINE:
                raise ProtocolError("a line of the handshake is too long")
            if not found:
                return b"".join(out)
            self._buffer = rest
            self._lines += 1
            if self._lines > MAX_LINES:
                raise ProtocolError("the handshake does not come to an end")
            out.append(self._command(line))
        self.rest, self._buffer = self._buffer, b""
        return b"".join(out)

    def _command(self, line: bytes) -> bytes:
        word, _space, argument = line.partition(b" ")
        if self._state == "begin":
            if word == b"BEGIN":
                self.done = True
                return b""
            if word == b"NEGOTIATE_UNIX_FD":
                return (
                    b"AGREE_UNIX_FD\r\n" if self._unix_fds else b'ERROR "File descriptors are not supported here"\r\n'
                )
        elif word == b"BEGIN":
            raise ProtocolError("the client begins before it is authenticated")
        if word == b"AUTH":
            mechanism, _space, initial = argument.partition(b" ")
            if mechanism != b"EXTERNAL":
                self._state = "auth"
                return b"REJECTED EXTERNAL\r\n"
            if not initial:
                self._state = "data"
                return b"DATA\r\n"
            return self._claim(initial)
        if word == b"DATA" and self._state == "data":
            return self._claim(argument)
        if word in (b"CANCEL", b"ERROR"):
            self._state = "auth"
            return b"REJECTED EXTERNAL\r\n"
        return b'ERROR "Unknown command"\r\n'

    def _claim(self, hexadecimal: bytes) -> bytes:
        """Answer the identity that the client claims; an empty one stands for whoever the kernel says."""
        self._state = "auth"
        try:
            claimed = bytes.fromhex(hexadecimal.decode("ascii").strip())
        except ValueError:
            return b"REJECTED EXTERNAL\r\n"
        if claimed and claimed != b"%d" % self._uid:
            return b"REJECTED EXTERNAL\r\n"
        self._state = "begin"
        return b"OK %b\r\n" % self._guid


class ClientAuth:
    """The client's side: send ``first()``, then ``feed`` what comes until ``done``; no message goes out before that.

    BEGIN is sent ahead, as systemd's own client does. A systemd that reads it together with the first message answers
    that one only when another byte comes: seen with 247 to 257, when the machine is busy.
    """

    def __init__(self) -> None:
        self.done = False
        self.rest = b""
        self._buffer = b""

    def first(self) -> bytes:
        """Return all bytes of our side of the conversation."""
        return b"\0AUTH EXTERNAL %b\r\nBEGIN\r\n" % str(os.geteuid()).encode("ascii").hex().encode("ascii")

    def feed(self, data: bytes) -> None:
        """Take bytes from the server.

        Raise ProtocolError when it refuses or is no D-Bus server.
        """
        self._buffer += data
        line, found, rest = self._buffer.partition(b"\r\n")
        if len(line) > MAX_LINE:
            raise ProtocolError("it does not speak D-Bus")
        if not found:
            return
        if line.startswith(b"OK "):
            self.done = True
            self.rest = rest
            return
        if line.startswith(b"REJECTED"):
            raise ProtocolError("it does not accept this user")
        raise ProtocolError("it does not speak D-Bus")
