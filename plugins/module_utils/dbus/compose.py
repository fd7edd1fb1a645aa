# SPDX-License-Identifier: GPL-3.0-or-later
"""Write values of any D-Bus type without a library: systemd's API takes structs in arrays in variants.

Source: the D-Bus specification, "Marshaling (Wire Format)".
"""

from __future__ import annotations

import struct
from typing import Any

_FIXED = {"y": "<B", "b": "<I", "n": "<h", "q": "<H", "i": "<i", "u": "<I", "h": "<I", "x": "<q", "t": "<Q", "d": "<d"}
_ALIGN = {"g": 1, "v": 1, "s": 4, "o": 4, "a": 4, "(": 8, "{": 8}


def encode(types: tuple[str, ...], values: tuple[Any, ...]) -> bytes:
    """Return ``values`` as a little-endian body. A variant is (signature, value), a struct a sequence, a{..} a dict.

    Raise ValueError or TypeError for values that do not fit.
    """
    out = bytearray()
    try:
        for kind, value in zip(types, values):
            _write(out, kind, value)
    except struct.error as error:
        raise ValueError(f"a number does not fit into its D-Bus type: {error}") from None
    return bytes(out)


def _align(out: bytearray, kind: str) -> None:
    size = _ALIGN.get(kind[0]) or struct.calcsize(_FIXED[kind[0]])
    out += b"\0" * (-len(out) % size)


def _write(out: bytearray, kind: str, value: Any) -> None:
    _align(out, kind)
    first = kind[0]
    if first in _FIXED:
        out += struct.pack(_FIXED[first], (1 if value else 0) if first == "b" else value)
    elif first in "so":
        raw = value.encode("utf-8", "replace")
        if b"\0" in raw:
            raise ValueError("a string contains a zero byte, which D-Bus cannot carry")
        out += struct.pack("<I", len(raw)) + raw + b"\0"
    elif first == "g":
        out += bytes([len(value)]) + value.encode("ascii") + b"\0"
    elif first == "v":
        _write(out, "g", value[0])
        _write(out, value[0], value[1])
    elif first == "a":
        _write_array(out, kind[1:], value)
    else:
        from .wire import split_signature

        inner = split_signature(kind[1:-1])
        if len(inner) != len(value):
            raise ValueError(f'{len(value)} values for "{kind}"')
        for each, part in zip(inner, value):
            _write(out, each, part)


def _write_array(out: bytearray, element: str, values: Any) -> None:
    out += b"\0\0\0\0"
    length_at = len(out) - 4
    _align(out, element)
    start = len(out)
    for value in values.items() if element[0] == "{" else values:
        _write(out, element, value)
    struct.pack_into("<I", out, length_at, len(out) - start)
