# SPDX-License-Identifier: GPL-3.0-or-later
"""The stream of messages after the handshake: bytes in, messages out, with limits and without I/O."""

from __future__ import annotations

from typing import Optional

from .errors import ProtocolError
from .message import FIXED_HEADER, HeaderReader, Message, message_size

SERVER_LIMIT = 1 << 20  # bytes of one message that a server accepts
CLIENT_LIMIT = 1 << 27  # bytes, the specification's maximum


class MessageStream:
    """Collects bytes and gives out complete messages.

    ``limit``: the largest message in bytes. A header that announces more is refused before its body is buffered.
    """

    def __init__(self, limit: int = SERVER_LIMIT, reader: Optional[HeaderReader] = None) -> None:
        self.limit = limit
        self._reader = reader or HeaderReader()
        self._data = bytearray()
        self._start = 0  # of what is not consumed yet
        self._size = 0  # of the message under way, 0 when its header is not complete
        self._header = 0

    def feed(self, data: bytes) -> None:
        """Add bytes that the peer has sent."""
        if self._start:
            del self._data[: self._start]
            self._start = 0
        self._data += data

    def next_message(self) -> Optional[Message]:
        """Return the next complete message, or None.

        Raise ProtocolError when the stream is broken or a message too long.
        """
        start = self._start
        available = len(self._data) - start
        if not self._size:
            if available < FIXED_HEADER:
                return None
            self._size, self._header = message_size(bytes(self._data[start : start + FIXED_HEADER]))
            if self._size > self.limit:
                raise ProtocolError(f"a message of {self._size} bytes is too long (at most {self.limit})")
        if available < self._size:
            return None
        end = start + self._size
        raw = bytes(self._data[start:end])
        header = self._header
        self._size = 0
        if end == len(self._data):
            self._data.clear()
            self._start = 0
        else:
            self._start = end
        return self._reader.read(raw, header)

    @property
    def buffered(self) -> int:
        """Return how many bytes wait to become a message."""
        return len(self._data) - self._start
