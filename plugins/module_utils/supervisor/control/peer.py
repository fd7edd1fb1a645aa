# SPDX-License-Identifier: GPL-3.0-or-later
"""One client's connection: never blocks, never raises, and whatever the client does costs only this connection."""

from __future__ import annotations

import array
import os
import select
import socket
from collections.abc import Callable
from typing import Optional

from ...dbus.auth import ServerAuth
from ...dbus.connection import SERVER_LIMIT, MessageStream
from ...dbus.errors import ProtocolError
from ...dbus.message import HeaderReader, Message
from .host_protocol import Loop, Timer

AUTH_SECONDS = 10.0  # for the whole handshake
OUTPUT_CAP = 4 << 20  # bytes that a client may leave unread before it is dropped
HIGH_WATER = 256 << 10  # bytes unread at which no more of its requests are looked at
STRANGER_LIMIT = 64 << 10  # bytes of one message from somebody who may only read
_RECEIVE = 64 << 10  # bytes at a time; then it is another peer's turn
MOST_FILES = 16  # descriptors that may be on their way from one client
_CONTROL = socket.CMSG_SPACE(MOST_FILES * array.array("i").itemsize)

READ = select.EPOLLIN
WRITE = select.EPOLLOUT


class Peer:
    """One connection. ``handle(peer, message)`` gets its messages.

    ``on_output(peer)`` is told that a flush is needed, ``on_closed(peer)`` of the end, once.

    ``uid``: who it is, from SO_PEERCRED; ``privileged``: whether it may change anything.
    """

    __slots__ = (
        "_auth", "_busy", "_events", "_files", "_handle", "_loop", "_on_closed", "_on_output", "_out", "_serial",
        "_socket", "_stream", "_timer", "closed", "fd", "privileged", "uid",
    )  # fmt: skip

    def __init__(  # noqa: PLR0917
        self,
        sock: socket.socket,
        uid: int,
        privileged: bool,
        guid: str,
        loop: Loop,
        reader: HeaderReader,
        handle: Callable[[Peer, Message], None],
        on_output: Callable[[Peer], None],
        on_closed: Callable[[Peer], None],
    ) -> None:
        sock.setblocking(False)
        self.uid = uid
        self.privileged = privileged
        self.closed = False
        self.fd = sock.fileno()
        self._socket = sock
        self._loop = loop
        self._handle = handle
        self._on_output = on_output
        self._on_closed = on_closed
        self._busy = False  # in on_ready or flush, which send at their end
        self._auth: Optional[ServerAuth] = ServerAuth(uid, guid, unix_fds=privileged)
        self._files: list[int] = []  # descriptors that came, but not their message yet
        self._stream = MessageStream(SERVER_LIMIT if privileged else STRANGER_LIMIT, reader)
        self._out = bytearray()  # in one block: many pieces would leave holes in the memory for ever
        self._serial = 0
        self._timer: Optional[Timer] = loop.call_later(AUTH_SECONDS, self._auth_too_slow)
        self._events = READ
        loop.watch(self.fd, READ, self.on_ready)

    @property
    def authenticated(self) -> bool:
        return self._auth is None and not self.closed

    def on_ready(self, events: int) -> None:
        """Read, answer and write as far as the socket lets us."""
        if self.closed:
            return
        self._busy = True
        try:
            if events & ~WRITE and self._events & READ:
                self._read()
            elif events & ~(READ | WRITE):  # hung up while we were not reading: nobody will read what waits here
                self.close()
        except (ProtocolError, OSError):
            self.close()
        self.flush()

    def _read(self) -> None:
        try:
            # From the first byte on: the first message may come together with the end of the handshake.
            data = self._receive() if self.privileged else self._socket.recv(_RECEIVE)
        except (BlockingIOError, InterruptedError):
            return
        if not data:
            self.close()
            return
        if self._auth is not None:
            self._authenticate(self._auth, data)
        else:
            self._stream.feed(data)
        self._process()

    def _receive(self) -> bytes:
        """Return the bytes that came, and keep the descriptors that came with them."""
        data, ancillary, flags, _address = self._socket.recvmsg(_RECEIVE, _CONTROL, socket.MSG_CMSG_CLOEXEC)
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                numbers = array.array("i")
                numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
                self._files.extend(numbers)
        if flags & socket.MSG_CTRUNC or len(self._files) > MOST_FILES:
            raise ProtocolError("more descriptors than may be on their way")
        return data

    def _authenticate(self, auth: ServerAuth, data: bytes) -> None:
        answer = auth.feed(data)
        if answer:
            self._out += answer
        if auth.done:
            self._auth = None
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._stream.feed(auth.rest)

    def _process(self) -> None:
        """Handle complete messages, as long as the client reads the answers."""
        while not self.closed and self._auth is None and len(self._out) < HIGH_WATER:
            message = self._stream.next_message()
            if message is None:
                return
            self._take_files(message)
            try:
                self._handle(self, message)
            finally:
                _close_all(message.files)

    def _take_files(self, message: Message) -> None:
        """Give ``message`` the descriptors that it announces: they came with its first byte or before."""
        count = message.unix_fds
        if count:
            if count > len(self._files):
                raise ProtocolError("a message announces descriptors that did not come")
            message.files, self._files = self._files[:count], self._files[count:]

    def next_serial(self) -> int:
        """Return the number of the next message to this client: each connection counts from 1."""
        self._serial = self._serial % 0xFFFFFFFF + 1
        return self._serial

    def queue(self, data: bytes) -> None:
        """Add a complete message for the client, to be sent with the next ``flush``, or now if much waits already.

        One input may lead to megabytes of signals before the next flush. Drops a client that does not read.
        """
        if len(self._out) >= HIGH_WATER:
            self._send()
        if len(self._out) > OUTPUT_CAP:
            self.close()
        if self.closed:
            return
        if not self._out and not self._busy:
            self._on_output(self)
        self._out += data

    def flush(self) -> None:
        """Send what waits, as far as the socket takes it."""
        if self.closed:
            return
        self._busy = True
        try:
            while self._send():
                self._process()  # what was held back at the high water mark
        except (ProtocolError, OSError):
            self.close()
        self._busy = False
        if not self.closed:
            self._watch()

    def _send(self) -> bool:
        """Send as much of what waits as the socket takes now; tell whether nothing waits any more, but did."""
        if not self._out:
            return False
        try:
            del self._out[: self._socket.send(self._out)]
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            self.close()
            return False
        return not self._out

    def _watch(self) -> None:
        events = 0 if len(self._out) >= HIGH_WATER else READ
        if self._out:
            events |= WRITE
        if events != self._events:
            self._events = events
            self._loop.watch(self.fd, events, self.on_ready)

    def _auth_too_slow(self) -> None:
        self._timer = None
        if self._auth is not None:
            self.close()

    def close(self) -> None:
        """End the connection; harmless when it has ended."""
        if self.closed:
            return
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._loop.unwatch(self.fd)
        self._socket.close()
        _close_all(self._files)
        self._out.clear()
        self._on_closed(self)


def _close_all(files: list[int]) -> None:
    while files:
        os.close(files.pop())
