# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn the body of a message into Python values and back.

The types that Upstart's API uses (``s o g b u i h as ao aas a(si)`` and ``v``, ``a{sv}`` of those) are done here, and
for reading those of systemd's that a job needs (``t``, ``ay`` and arrays of flat structs). Strictly: every length is
checked against the buffer before it is used. Everything else is written by ``compose``, and read by jeepney, see
``generic``: a target may not have it.
Source of the format: the D-Bus specification, "Marshaling (Wire Format)".
"""

from __future__ import annotations

import functools
import struct
from typing import Any, Callable, Optional

from .errors import ProtocolError

MAX_ARRAY = 1 << 26  # bytes, from the specification
_PAD = (b"", b"\0" * 7, b"\0" * 6, b"\0" * 5, b"\0" * 4, b"\0" * 3, b"\0" * 2, b"\0")
_UINT = {"<": struct.Struct("<I"), ">": struct.Struct(">I")}
_INT = {"<": struct.Struct("<i"), ">": struct.Struct(">i")}
_pack_uint = _UINT["<"].pack
_pack_int = _INT["<"].pack


# ---- reading ------------------------------------------------------------------------------------------------


def _read_uint(data: bytes, pos: int, order: str) -> tuple[int, int]:
    pos = (pos + 3) & ~3
    end = pos + 4
    if end > len(data):
        raise ProtocolError("a number goes beyond the end of the message")
    return _UINT[order].unpack_from(data, pos)[0], end


def _read_int(data: bytes, pos: int, order: str) -> tuple[int, int]:
    pos = (pos + 3) & ~3
    end = pos + 4
    if end > len(data):
        raise ProtocolError("a number goes beyond the end of the message")
    return _INT[order].unpack_from(data, pos)[0], end


def _read_long(data: bytes, pos: int, order: str) -> tuple[int, int]:
    pos = (pos + 7) & ~7
    end = pos + 8
    if end > len(data):
        raise ProtocolError("a number goes beyond the end of the message")
    return int.from_bytes(data[pos:end], "little" if order == "<" else "big"), end


def _read_bytes(data: bytes, pos: int, order: str) -> tuple[bytes, int]:
    length, pos = _read_uint(data, pos, order)
    end = pos + length
    if length > MAX_ARRAY or end > len(data):
        raise ProtocolError("an array goes beyond the end of the message")
    return data[pos:end], end


def _read_bool(data: bytes, pos: int, order: str) -> tuple[bool, int]:
    value, pos = _read_uint(data, pos, order)
    if value > 1:
        raise ProtocolError(f"a boolean has the value {value}")
    return value == 1, pos


def _read_string(data: bytes, pos: int, order: str) -> tuple[str, int]:
    length, pos = _read_uint(data, pos, order)
    end = pos + length
    if end >= len(data) or data[end]:
        raise ProtocolError("a string goes beyond the end of the message")
    raw = data[pos:end]
    if b"\0" in raw:
        raise ProtocolError("a string contains a zero byte")
    try:
        return raw.decode(), end + 1
    except UnicodeDecodeError:
        raise ProtocolError("a string is not valid UTF-8") from None


def read_signature(data: bytes, pos: int, order: str) -> tuple[str, int]:
    if pos >= len(data):
        raise ProtocolError("a signature goes beyond the end of the message")
    end = pos + 1 + data[pos]
    if end >= len(data) or data[end]:
        raise ProtocolError("a signature goes beyond the end of the message")
    try:
        return data[pos + 1 : end].decode("ascii"), end + 1
    except UnicodeDecodeError:
        raise ProtocolError("a signature is not ASCII") from None


def _read_strings(data: bytes, pos: int, order: str) -> tuple[list[str], int]:
    length, pos = _read_uint(data, pos, order)
    end = pos + length
    if length > MAX_ARRAY or end > len(data):
        raise ProtocolError("an array goes beyond the end of the message")
    values = []
    while pos < end:
        value, pos = _read_string(data, pos, order)
        values.append(value)
    if pos != end:
        raise ProtocolError("an array does not end where it says")
    return values, pos


def _read_structs(signature: str, data: bytes, pos: int, order: str) -> tuple[list[tuple[Any, ...]], int]:
    """Read an array of flat structs, ``a(...)``; raise _NotSimple for a type in it that is not read here."""
    members = [_READERS.get(token) for token in split_signature(signature[2:-1])]
    if not members:  # an array of nothing has no end
        raise ProtocolError(f'"{signature}" is not a D-Bus signature')
    length, pos = _read_uint(data, pos, order)
    pos = (pos + 7) & ~7
    end = pos + length
    if length > MAX_ARRAY or end > len(data):
        raise ProtocolError("an array goes beyond the end of the message")
    values = []
    while pos < end:
        pos = (pos + 7) & ~7
        struct_values = []
        for member in members:
            if member is None:
                raise _NotSimple(signature)
            value, pos = member(data, pos, order)
            struct_values.append(value)
        values.append(tuple(struct_values))
    if pos != end:
        raise ProtocolError("an array does not end where it says")
    return values, pos


def _reader(signature: str) -> Optional[_Reader]:
    """Return what reads one value of that type, None for a type that is left to jeepney."""
    found = _READERS.get(signature)
    if found is None and signature.startswith("a(") and signature.count("(") == 1:
        return functools.partial(_read_structs, signature)
    return found


def _read_variant(data: bytes, pos: int, order: str) -> tuple[tuple[str, Any], int]:
    signature, pos = read_signature(data, pos, order)
    read = _reader(signature)
    if read is None or "v" in signature:
        raise _NotSimple(signature)
    value, pos = read(data, pos, order)
    return (signature, value), pos


def _read_properties(data: bytes, pos: int, order: str) -> tuple[dict[str, tuple[str, Any]], int]:
    length, pos = _read_uint(data, pos, order)
    pos = (pos + 7) & ~7
    end = pos + length
    if length > MAX_ARRAY or end > len(data):
        raise ProtocolError("an array goes beyond the end of the message")
    values = {}
    while pos < end:
        name, pos = _read_string(data, (pos + 7) & ~7, order)
        values[name], pos = _read_variant(data, pos, order)
    if pos != end:
        raise ProtocolError("an array does not end where it says")
    return values, pos


class _NotSimple(Exception):
    """A value of a type that is left to jeepney."""


_Reader = Callable[[bytes, int, str], "tuple[Any, int]"]
_READERS: dict[str, _Reader] = {
    "s": _read_string,
    "o": _read_string,
    "g": read_signature,
    "u": _read_uint,
    "h": _read_uint,
    "i": _read_int,
    "b": _read_bool,
    "as": _read_strings,
    "ao": _read_strings,
    "t": _read_long,
    "ay": _read_bytes,
    "v": _read_variant,
    "a{sv}": _read_properties,
}


def read_simple(signature: str, data: bytes, pos: int, order: str) -> tuple[Any, int]:
    """Return (value, position after it) for one value of a simple type at ``pos``."""
    return _READERS[signature](data, pos, order)


def decode(signature: str, data: bytes, order: str = "<", simple_only: bool = False) -> tuple[Any, ...]:
    """Return the values in the body ``data``; ``order`` is "<" or ">". Variants are (signature, value).

    ``simple_only`` is for data from strangers: nothing goes to jeepney. Raise ProtocolError when the bytes are not
    what they say.
    """
    values = []
    pos = 0
    try:
        for token in split_signature(signature):
            read = _reader(token)
            if read is None:
                raise _NotSimple(token)
            value, pos = read(data, pos, order)
            values.append(value)
    except _NotSimple as unknown:
        if simple_only:
            raise ProtocolError(f'a value of type "{unknown}" is not understood here') from None
        from . import generic

        return generic.decode(signature, data, order)
    if pos != len(data):
        raise ProtocolError("a message is longer than its values")
    return tuple(values)


# ---- writing ------------------------------------------------------------------------------------------------


def _write_uint(out: bytearray, value: int) -> None:
    out += _PAD[len(out) & 7][: -len(out) & 3]
    out += _pack_uint(value)


def _write_int(out: bytearray, value: int) -> None:
    out += _PAD[len(out) & 7][: -len(out) & 3]
    out += _pack_int(value)


def _write_bool(out: bytearray, value: bool) -> None:
    _write_uint(out, 1 if value else 0)


def _write_string(out: bytearray, value: str) -> None:
    raw = value.encode("utf-8", "replace")  # surrogates, from an environment that is not UTF-8, become "?"
    if b"\0" in raw:
        raise ValueError("a string contains a zero byte, which D-Bus cannot carry")
    out += _PAD[len(out) & 7][: -len(out) & 3]
    out += _pack_uint(len(raw))
    out += raw
    out.append(0)


def _write_signature(out: bytearray, value: str) -> None:
    raw = value.encode("ascii")
    out.append(len(raw))
    out += raw
    out.append(0)


def _write_array(out: bytearray, values: Any, write: Callable[[bytearray, Any], None], align: int) -> None:
    _write_uint(out, 0)
    length_at = len(out) - 4
    out += b"\0" * (-len(out) % align)
    start = len(out)
    for value in values:
        write(out, value)
    length = len(out) - start
    if length > MAX_ARRAY:
        raise ValueError(f"an array of {length} bytes is too long for D-Bus (at most {MAX_ARRAY})")
    out[length_at : length_at + 4] = _pack_uint(length)


def _write_strings(out: bytearray, values: Any) -> None:
    _write_array(out, values, _write_string, 4)


def _write_lists(out: bytearray, values: Any) -> None:
    _write_array(out, values, _write_strings, 4)


def _write_pair(out: bytearray, value: tuple[str, int]) -> None:
    out += b"\0" * (-len(out) & 7)
    _write_string(out, value[0])
    _write_int(out, value[1])


def _write_pairs(out: bytearray, values: Any) -> None:
    _write_array(out, values, _write_pair, 8)


def _write_variant(out: bytearray, value: tuple[str, Any]) -> None:
    signature, content = value
    write = _WRITERS.get(signature)
    if write is None:
        raise _NotSimple(signature)
    _write_signature(out, signature)
    write(out, content)


def _write_entry(out: bytearray, value: tuple[str, tuple[str, Any]]) -> None:
    out += b"\0" * (-len(out) & 7)
    _write_string(out, value[0])
    _write_variant(out, value[1])


def _write_properties(out: bytearray, values: dict[str, tuple[str, Any]]) -> None:
    _write_array(out, values.items(), _write_entry, 8)


_WRITERS: dict[str, Callable[[bytearray, Any], None]] = {
    "s": _write_string,
    "o": _write_string,
    "g": _write_signature,
    "u": _write_uint,
    "h": _write_uint,
    "i": _write_int,
    "b": _write_bool,
    "as": _write_strings,
    "ao": _write_strings,
    "aas": _write_lists,
    "a(si)": _write_pairs,
    "v": _write_variant,
    "a{sv}": _write_properties,
}


def encode(signature: str, values: tuple[Any, ...]) -> bytes:
    """Return ``values`` as the little-endian body of a message.

    Raise ValueError or TypeError for values that do not fit.
    """
    tokens = split_signature(signature)
    if len(tokens) != len(values):
        raise ValueError(f'{len(values)} values for the signature "{signature}"')
    out = bytearray()
    try:
        for token, value in zip(tokens, values):
            write = _WRITERS.get(token)
            if write is None:
                raise _NotSimple(token)
            write(out, value)
    except _NotSimple:
        from . import compose

        return compose.encode(tokens, values)
    except struct.error as error:
        raise ValueError(f"a number does not fit into its D-Bus type: {error}") from None
    return bytes(out)


# ---- signatures ---------------------------------------------------------------------------------------------

_BASIC = frozenset("ybnqiuxtdsogh")
_split_cache: dict[str, tuple[str, ...]] = {}


def split_signature(signature: str) -> tuple[str, ...]:
    """Return the complete types of ``signature``: ``"sasb"`` gives ``("s", "as", "b")``.

    Raise ProtocolError if it is none.
    """
    tokens = _split_cache.get(signature)
    if tokens is None:
        tokens = _split(signature)
        if len(_split_cache) > 256:  # strangers choose signatures: do not keep them for ever
            _split_cache.clear()
        _split_cache[signature] = tokens
    return tokens


def _split(signature: str) -> tuple[str, ...]:
    if len(signature) > 255:
        raise ProtocolError("a signature is longer than 255 characters")
    tokens = []
    pos = 0
    while pos < len(signature):
        end = _type_end(signature, pos, 0)
        tokens.append(signature[pos:end])
        pos = end
    return tuple(tokens)


def _type_end(signature: str, pos: int, depth: int) -> int:
    """Return where the type that begins at ``pos`` ends; empty structs and depths beyond 32 are refused
    (specification).
    """
    bad = ProtocolError(f'"{signature}" is not a D-Bus signature')
    if depth > 32 or pos >= len(signature):
        raise bad
    kind = signature[pos]
    if kind in _BASIC or kind == "v":
        return pos + 1
    if kind == "a" and signature[pos + 1 : pos + 2] == "{":
        if signature[pos + 2 : pos + 3] not in _BASIC or not signature[pos + 2 : pos + 3]:
            raise bad
        end = _type_end(signature, pos + 3, depth + 1)
        if signature[end : end + 1] != "}":
            raise bad
        return end + 1
    if kind == "a":
        return _type_end(signature, pos + 1, depth + 1)
    if kind == "(":
        pos = _type_end(signature, pos + 1, depth + 1)
        while signature[pos : pos + 1] != ")":
            pos = _type_end(signature, pos, depth + 1)
        return pos + 1
    raise bad
