# SPDX-License-Identifier: GPL-3.0-or-later
"""One D-Bus message: reading its header from bytes, writing it as bytes.

Written for the few shapes that a peer-to-peer connection sees, and strict: a header that is not exactly right is a
ProtocolError.
Source: the D-Bus specification, "Message Protocol".
"""

from __future__ import annotations

import struct
from typing import Any, Optional

from . import wire
from .errors import ProtocolError

METHOD_CALL, METHOD_RETURN, ERROR, SIGNAL = 1, 2, 3, 4
NO_REPLY_EXPECTED = 1  # flag

FIXED_HEADER = 16  # bytes, with the length of the array of fields
MAX_FIELDS = 1 << 16  # bytes of header fields that are accepted

_HEAD = {"l": struct.Struct("<BBBBIII"), "B": struct.Struct(">BBBBIII")}
_SIMPLE_FIELDS = {
    1: ("path", "o"),
    2: ("interface", "s"),
    3: ("member", "s"),
    4: ("error_name", "s"),
    5: ("reply_serial", "u"),
    6: ("destination", "s"),
    7: ("sender", "s"),
    8: ("signature", "g"),
    9: ("unix_fds", "u"),
}
_SKIPPABLE = frozenset("sogubi")


class Message:
    """A message that was read: header fields as attributes, the body still as bytes (``arguments()`` reads it).

    ``unix_fds``: how many descriptors its header announces.
    """

    __slots__ = (
        "body", "destination", "error_name", "files", "flags", "interface", "kind", "member", "order", "path",
        "reply_serial", "sender", "serial", "signature", "unix_fds",
    )  # fmt: skip

    def __init__(self, kind: int, flags: int, serial: int, order: str, body: bytes) -> None:
        self.kind = kind
        self.flags = flags
        self.serial = serial
        self.order = order
        self.body = body
        self.path = ""
        self.interface = ""
        self.member = ""
        self.error_name = ""
        self.reply_serial = 0
        self.destination = ""
        self.sender = ""
        self.signature = ""
        self.unix_fds = 0
        self.files: list[int] = []  # the descriptors that came with it; who takes one out, closes it

    def arguments(self, simple_only: bool = False) -> tuple[Any, ...]:
        """Return the values of the body. Raise ProtocolError when it is not what the signature says."""
        if not self.signature:
            if self.body:
                raise ProtocolError("a message has a body but no signature")
            return ()
        return wire.decode(self.signature, self.body, self.order, simple_only)


def message_size(data: bytes) -> tuple[int, int]:
    """Return (bytes of the whole message, bytes of its header) from the first FIXED_HEADER bytes of ``data``.

    Raise ProtocolError when these are no D-Bus header.
    """
    head = _HEAD.get(chr(data[0]))
    if head is None or data[3] != 1:
        raise ProtocolError("this is not a D-Bus message")
    _order, kind, _flags, _version, body_length, serial, fields_length = head.unpack_from(data)
    if not kind or not serial:
        raise ProtocolError("a message has no type or no serial number")
    if fields_length > MAX_FIELDS:
        raise ProtocolError(f"a header of {fields_length} bytes is too long (at most {MAX_FIELDS})")
    header = (FIXED_HEADER + fields_length + 7) & ~7
    return header + body_length, header


class HeaderReader:
    """Reads messages, remembering the header fields that it has seen: a client repeats the same few calls."""

    def __init__(self) -> None:
        self._seen: dict[bytes, dict[str, Any]] = {}

    def read(self, data: bytes, header: int) -> Message:
        """Return the message in ``data``, which is complete and whose header has ``header`` bytes."""
        code = chr(data[0])
        order = "<" if code == "l" else ">"
        _code, kind, flags, _version, _body, serial, fields_length = _HEAD[code].unpack_from(data)
        message = Message(kind, flags, serial, order, data[header:])
        key = data[12 : FIXED_HEADER + fields_length]
        fields = self._seen.get(key) if order == "<" else None
        if fields is None:
            fields = _read_fields(data, FIXED_HEADER + fields_length, order)
            _check(kind, fields)
            if order == "<" and "reply_serial" not in fields and len(key) < 512:
                if len(self._seen) >= 128:
                    self._seen.clear()
                self._seen[key] = fields
        elif kind != fields["kind"]:
            _check(kind, fields)
        for name, value in fields.items():
            setattr(message, name, value)
        message.kind = kind
        return message


def _read_fields(data: bytes, end: int, order: str) -> dict[str, Any]:
    fields: dict[str, Any] = {"kind": 0}
    header = data[:end]
    pos = FIXED_HEADER
    while pos < end:
        pos = (pos + 7) & ~7
        if pos + 4 > end:
            raise ProtocolError("a header field goes beyond the end of the header")
        code = header[pos]
        known = _SIMPLE_FIELDS.get(code)
        signature, start = wire.read_signature(header, pos + 1, order)
        if known is None:
            if not code or signature not in _SKIPPABLE:
                raise ProtocolError(f'the header field {code} of type "{signature}" is not understood')
            _value, pos = wire.read_simple(signature, header, start, order)
            continue
        name, expected = known
        if signature != expected:
            raise ProtocolError(f'the header field {code} has the type "{signature}" instead of "{expected}"')
        if name in fields:
            raise ProtocolError(f"the header field {code} comes twice")
        fields[name], pos = wire.read_simple(signature, header, start, order)
    return fields


_REQUIRED = {
    METHOD_CALL: ("path", "member"),
    METHOD_RETURN: ("reply_serial",),
    ERROR: ("error_name", "reply_serial"),
    SIGNAL: ("path", "interface", "member"),
}


def _check(kind: int, fields: dict[str, Any]) -> None:
    for name in _REQUIRED.get(kind, ()):
        if not fields.get(name):
            raise ProtocolError(f"a message of type {kind} has no {name.replace('_', ' ')}")
    fields["kind"] = kind


# ---- writing ------------------------------------------------------------------------------------------------

_pack_head = struct.Struct("<4sII").pack
_pack_reply = struct.Struct("<4sIIII").pack


def _string_field(code: int, kind: bytes, value: str) -> bytes:
    raw = value.encode()
    return b"%c\1%b\0%b%b\0" % (code, kind, struct.pack("<I", len(raw)), raw)


def _signature_field(signature: str) -> bytes:
    raw = signature.encode("ascii")
    return b"\x08\1g\0%c%b\0" % (len(raw), raw)


def _join_fields(fields: list[bytes]) -> bytes:
    """Return the array of fields with its length in front and the padding that ends the header."""
    out = bytearray()
    for one in fields:
        out += b"\0" * (-len(out) & 7)
        out += one
    length = struct.pack("<I", len(out))
    out += b"\0" * (-len(out) & 7)
    return length + bytes(out)


def call_fields(path: str, interface: str, member: str, signature: str, destination: str = "") -> bytes:
    """Return the header fields of a call or signal, to be used with ``assemble`` as often as wanted."""
    fields = [_string_field(1, b"o", path)]
    if interface:
        fields.append(_string_field(2, b"s", interface))
    fields.append(_string_field(3, b"s", member))
    if destination:
        fields.append(_string_field(6, b"s", destination))
    if signature:
        fields.append(_signature_field(signature))
    return _join_fields(fields)


_METHOD_CALL_HEAD = b"l\1\0\1"
_SIGNAL_HEAD = b"l\4\1\1"
_RETURN_HEAD = b"l\2\1\1"
_ERROR_HEAD = b"l\3\1\1"


def assemble_call(fields: bytes, serial: int, body: bytes) -> bytes:
    """Return the bytes of a method call."""
    return _pack_head(_METHOD_CALL_HEAD, len(body), serial) + fields + body


def assemble_signal(fields: bytes, serial: int, body: bytes) -> bytes:
    """Return the bytes of a signal."""
    return _pack_head(_SIGNAL_HEAD, len(body), serial) + fields + body


class SignalShape:
    """What all signals of one kind have in common, written once: interface, member, signature."""

    __slots__ = ("_end", "_length", "signature")

    def __init__(self, interface: str, member: str, signature: str) -> None:
        joined = _join_fields(
            [_string_field(2, b"s", interface), _string_field(3, b"s", member)]
            + ([_signature_field(signature)] if signature else [])
        )
        self.signature = signature
        self._length = int.from_bytes(joined[:4], "little")
        self._end = joined[4:]

    def assemble(self, path: str, serial: int, body: bytes) -> bytes:
        """Return the bytes of this signal from the object at ``path``."""
        first = _string_field(1, b"o", path)
        first += b"\0" * (-len(first) & 7)  # the next field begins at a multiple of 8
        fields = struct.pack("<I", len(first) + self._length)
        return _pack_head(_SIGNAL_HEAD, len(body), serial) + fields + first + self._end + body


_return_tails: dict[str, tuple[int, bytes]] = {}


def method_return(serial: int, reply_serial: int, signature: str = "", body: bytes = b"") -> bytes:
    """Return the bytes of the reply to the call with the serial ``reply_serial``; ``body`` is encoded already."""
    tail = _return_tails.get(signature)
    if tail is None:
        raw = _signature_field(signature) if signature else b""
        tail = (8 + len(raw), raw + b"\0" * (-len(raw) & 7))
        _return_tails[signature] = tail
    head = _pack_reply(_RETURN_HEAD, len(body), serial, tail[0], 0x00750105)  # field 5, type "u"
    return head + struct.pack("<I", reply_serial) + tail[1] + body


def error_reply(serial: int, reply_serial: int, name: str, message: str) -> bytes:
    """Return the bytes of an error reply."""
    fields = [
        _string_field(4, b"s", name),
        b"\5\1u\0" + struct.pack("<I", reply_serial),
        _signature_field("s"),
    ]
    body = wire.encode("s", (message.replace("\0", "?"),))
    return _pack_head(_ERROR_HEAD, len(body), serial) + _join_fields(fields) + body


def parse(data: bytes) -> Optional[Message]:
    """Return the message at the start of ``data``, or None when it is not complete. For tests and one-off use."""
    if len(data) < FIXED_HEADER:
        return None
    size, header = message_size(data)
    return HeaderReader().read(data[:size], header) if len(data) >= size else None
