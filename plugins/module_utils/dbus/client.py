# SPDX-License-Identifier: GPL-3.0-or-later
"""A blocking client for a peer-to-peer D-Bus server: Upstart, systemd's private socket, our supervisor.

Calls may be pipelined: ``send`` as many as wanted, then ``wait`` for each. Signals that arrive meanwhile are kept for
``signals``.
"""

from __future__ import annotations

import errno
import socket
import time
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple, Optional

from . import wire
from .auth import ClientAuth
from .connection import CLIENT_LIMIT, MessageStream
from .errors import (
    DISCONNECTED_TEXT,
    ERROR_FAILED,
    ERROR_INVALID_ARGS,
    ERROR_NO_REPLY,
    ERROR_TIMEOUT,
    NO_REPLY_TEXT,
    BusError,
    BusUnreachable,
    ProtocolError,
)
from .message import ERROR, METHOD_CALL, SIGNAL, Message, assemble_call, call_fields, error_reply
from .upstart import DESTINATION

_RECEIVE = 1 << 16  # bytes at a time
_PIPELINE = 1 << 15  # bytes of requests that are put into one write
_MAX_SIGNALS = 100_000  # kept for signals(); when nobody asks, the oldest go


class Signal(NamedTuple):
    """A signal: ``path`` of the object, ``interface``, ``member`` and the values that it carries."""

    path: str
    interface: str
    member: str
    arguments: tuple[Any, ...]


class Connection:
    """A connection to a D-Bus server. Use ``Connection.open``; ``with`` closes it."""

    def __init__(self, sock: socket.socket, address: str, timeout: Optional[float]) -> None:
        self.address = address
        self.timeout = timeout  # seconds that a call may take when it does not say, None: for ever
        self._socket = sock
        self._stream = MessageStream(CLIENT_LIMIT)
        self._serial = 0
        self._unsent = bytearray()
        self._fields: dict[tuple[str, str, str, str, str], bytes] = {}
        self._replies: dict[int, Message] = {}
        self._expected: set[int] = set()
        self._signals: deque[Message] = deque(maxlen=_MAX_SIGNALS)
        self._broken = False

    @classmethod
    def open(cls, address: str, timeout: Optional[float] = None) -> Connection:
        """Connect and authenticate. ``timeout``: seconds for that and for each later call (None: for ever).

        Raise BusUnreachable when nobody answers there or this user is not accepted.
        """
        problem, denied = "it holds no unix:path= or unix:abstract= address", False
        for name in socket_names(address):
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                sock.settimeout(timeout)
                sock.connect(name)
                connection = cls(sock, address, timeout)
                connection._authenticate()
                return connection
            except socket.timeout:
                problem = f"no answer within {timeout:g} s" if timeout is not None else "no answer"
            except OSError as error:
                problem, denied = _explain(error), isinstance(error, PermissionError)
            except ProtocolError as error:
                problem = str(error)
            sock.close()
        raise BusUnreachable(f"Cannot talk to the init at {address}: {problem}", denied)

    def _authenticate(self) -> None:
        auth = ClientAuth()
        self._socket.sendall(auth.first())
        while not auth.done:
            data = self._socket.recv(_RECEIVE)
            if not data:
                raise ProtocolError("it closed the connection; this user may have no permission")
            auth.feed(data)
        self._stream.feed(auth.rest)
        self._drain()

    # ---- calls ----

    def call(
        self,
        path: str,
        interface: str,
        member: str,
        signature: str = "",
        *args: Any,
        destination: str = DESTINATION,
        timeout: Optional[float] = None,
    ) -> tuple[Any, ...]:
        """Call a method and return what it gives back. ``timeout``: seconds, instead of the connection's.

        Raise BusError for an error reply, a broken connection (name NoReply) or a timeout (name Timeout).
        """
        return self.wait(self.send(path, interface, member, signature, *args, destination=destination), timeout)

    def send(
        self, path: str, interface: str, member: str, signature: str = "", *args: Any, destination: str = DESTINATION
    ) -> int:
        """Send a call without waiting and return its serial number for ``wait``.

        Small calls leave together, with the next wait.
        """
        try:
            body = wire.encode(signature, args) if signature or args else b""
        except (ValueError, TypeError) as error:
            raise BusError(ERROR_INVALID_ARGS, f"{member} cannot be called with these values: {error}") from None
        key = (path, interface, member, signature, destination)
        fields = self._fields.get(key)
        if fields is None:
            if len(self._fields) >= 1024:
                self._fields.clear()
            fields = self._fields[key] = call_fields(*key)
        self._serial = self._serial % 0xFFFFFFFF + 1
        self._expected.add(self._serial)
        self._unsent += assemble_call(fields, self._serial, body)
        if len(self._unsent) >= _PIPELINE:
            self._flush(_deadline(self.timeout))
        return self._serial

    def wait(self, serial: int, timeout: Optional[float] = None) -> tuple[Any, ...]:
        """Return the answer to the call that ``send`` gave ``serial`` for; ``timeout`` and errors as for ``call``."""
        seconds = self.timeout if timeout is None else timeout
        deadline = _deadline(seconds)
        try:
            self._flush(deadline)
            while serial not in self._replies:
                if serial not in self._expected:
                    raise BusError(ERROR_FAILED, f"No call with the serial number {serial} is under way")
                self._receive(deadline)
                if deadline is not None and serial not in self._replies and time.monotonic() >= deadline:
                    raise socket.timeout
        except socket.timeout:
            self._expected.discard(serial)
            raise BusError(ERROR_TIMEOUT, f"No answer from {self.address} within {seconds:g} s") from None
        reply = self._replies.pop(serial)
        try:
            values = reply.arguments()
        except ProtocolError as error:
            raise BusError(ERROR_FAILED, f"{self.address} answered with a broken message: {error}") from None
        if reply.kind == ERROR:
            text = values[0] if values and isinstance(values[0], str) else reply.error_name
            raise BusError(reply.error_name, text)
        return values

    def signals(self, timeout: Optional[float] = None, member: Optional[str] = None) -> Iterator[Signal]:
        """Yield signals as they come; end after ``timeout`` seconds (None: never), or when the connection ends.

        With ``member`` all others are dropped undecoded: systemd sends PropertiesChanged, whose types need jeepney.
        """
        deadline = _deadline(timeout)
        while True:
            while self._signals:
                message = self._signals.popleft()
                if member is not None and message.member != member:
                    continue
                try:
                    yield Signal(message.path, message.interface, message.member, message.arguments())
                except ProtocolError as error:
                    raise BusError(ERROR_FAILED, f"{self.address} sent a broken signal: {error}") from None
            if self._broken:
                return
            try:
                self._flush(deadline)
                self._receive(deadline)
            except socket.timeout:
                return
            except BusError:
                continue

    # ---- the socket ----

    def fileno(self) -> int:
        """Return the descriptor, for select and poll. Signals that were read already are not announced by it."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the connection; harmless when it is closed."""
        self._broken = True
        self._socket.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _flush(self, deadline: Optional[float]) -> None:
        """Send what waits, and read while the server has no room: it may be waiting for us to read its answers."""
        if not self._unsent:
            return
        data, self._unsent = memoryview(bytes(self._unsent)), bytearray()
        while data:
            try:
                self._socket.settimeout(0)
                data = data[self._socket.send(data) :]
            except (BlockingIOError, InterruptedError):
                self._wait_for_room(deadline)
            except OSError:
                self._lost()

    def _wait_for_room(self, deadline: Optional[float]) -> None:
        import select  # only a full pipeline needs it

        poller = select.poll()
        poller.register(self._socket, select.POLLIN | select.POLLOUT)
        left = _left(deadline)
        events = poller.poll(None if left is None else left * 1000)
        if not events:
            raise socket.timeout
        if events[0][1] & select.POLLIN:
            self._receive(deadline)

    def _receive(self, deadline: Optional[float]) -> None:
        """Read once from the socket and sort what came. Raise BusError when the connection is broken."""
        if self._broken:
            self._lost()
        left = _left(deadline)
        try:
            self._socket.settimeout(left)
            data = self._socket.recv(_RECEIVE)
            if not data:
                self._lost()
            self._stream.feed(data)
            self._drain()
        except BlockingIOError:
            raise socket.timeout from None
        except socket.timeout:
            raise
        except ProtocolError as error:
            self._broken = True
            raise BusError(ERROR_FAILED, f"{self.address} does not speak D-Bus: {error}") from None
        except OSError:
            self._lost()

    def _drain(self) -> None:
        message = self._stream.next_message()
        while message is not None:
            self._sort(message)
            message = self._stream.next_message()

    def _sort(self, message: Message) -> None:
        if message.kind == SIGNAL:
            self._signals.append(message)
        elif message.kind == METHOD_CALL:
            name, text = "org.freedesktop.DBus.Error.UnknownMethod", "This is a client; it offers no methods"
            if not message.flags & 1:
                self._serial = self._serial % 0xFFFFFFFF + 1
                self._unsent += error_reply(self._serial, message.serial, name, text)
        elif message.reply_serial in self._expected:
            self._expected.discard(message.reply_serial)
            self._replies[message.reply_serial] = message

    def _lost(self) -> None:
        self._broken = True
        raise BusError(ERROR_NO_REPLY, DISCONNECTED_TEXT if self._signals else NO_REPLY_TEXT) from None


def socket_names(address: str) -> list[str]:
    """Return the names to connect to, in order, for a D-Bus address; an abstract one begins with a zero character.

    Source: the D-Bus specification, "Server Addresses". Transports other than ``unix:`` are left out.
    """
    names = []
    for one in address.split(";"):
        transport, _colon, rest = one.partition(":")
        if transport != "unix":
            continue
        for pair in rest.split(","):
            key, _equals, value = pair.partition("=")
            if key == "path" and value:
                names.append(_unquote(value))
            elif key == "abstract" and value:
                names.append("\0" + _unquote(value))
    return names


def _unquote(value: str) -> str:
    if "%" not in value:
        return value
    first, *rest = value.split("%")
    raw = bytearray(first.encode("utf-8", "surrogateescape"))
    for part in rest:
        try:
            raw += bytes.fromhex(part[:2]) + part[2:].encode("utf-8", "surrogateescape")
        except ValueError:
            raw += b"%" + part.encode("utf-8", "surrogateescape")
    return raw.decode("utf-8", "surrogateescape")


def _explain(error: OSError) -> str:
    reasons = {
        errno.ENOENT: "there is no such socket",
        errno.ECONNREFUSED: "nobody listens there",
        errno.EACCES: "this user has no permission",
        errno.EPERM: "this user has no permission",
        errno.EAGAIN: "it has too many connections waiting",
    }
    return reasons.get(error.errno or 0) or str(error.strerror or error)


def _deadline(seconds: Optional[float]) -> Optional[float]:
    return None if seconds is None else time.monotonic() + seconds


def _left(deadline: Optional[float]) -> Optional[float]:
    """Return the seconds until ``deadline``, 0 when it is past."""
    return None if deadline is None else max(0.0, deadline - time.monotonic())
