# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of any D-Bus type, by jeepney: what systemd's API needs and Upstart's does not.

For data from trusted servers only: jeepney does not guard against a variant that holds an array of empty structs, for
one.
Works with jeepney 0.6 to 0.9, of which only ``low_level`` is loaded: the package itself imports its bus messages and
wrappers,
which cost 0.6 MB and several milliseconds.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from types import ModuleType
from typing import Any

from .errors import ERROR_NOT_SUPPORTED, BusError, ProtocolError


def _low_level() -> ModuleType:
    """Return jeepney.low_level, loaded without the package around it. Raise BusError when jeepney is not installed."""
    name = "jeepney.low_level"
    loaded = sys.modules.get(name)
    if loaded is not None:
        return loaded
    package = importlib.util.find_spec("jeepney")
    locations = package.submodule_search_locations if package else None
    spec = importlib.machinery.PathFinder.find_spec(name, locations) if locations else None
    if spec is None or spec.loader is None:
        raise BusError(ERROR_NOT_SUPPORTED, "This needs the Python library jeepney, which is not installed.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[name] = module
    return module


def decode(signature: str, data: bytes, order: str) -> tuple[Any, ...]:
    """Return the values of a body; raise ProtocolError when the bytes are not what they say."""
    low_level = _low_level()
    endianness = low_level.Endianness.little if order == "<" else low_level.Endianness.big
    try:
        body = low_level.parse_signature(list(f"({signature})"))
        values, end = body.parse_data(data, 0, endianness)
    except (
        ValueError,
        IndexError,
        KeyError,
        TypeError,
        AssertionError,
        RecursionError,
        low_level.struct.error,
    ) as error:
        raise ProtocolError(f'a message does not hold values of the types "{signature}": {error}') from None
    if end > len(data):
        raise ProtocolError("a message is shorter than its values")
    return tuple(values)


def encode(signature: str, values: tuple[Any, ...]) -> bytes:
    """Return ``values`` as a little-endian body; raise ValueError or TypeError for values that do not fit."""
    low_level = _low_level()
    body = low_level.parse_signature(list(f"({signature})"))
    try:
        return bytes(body.serialise(values, 0, low_level.Endianness.little))
    except low_level.struct.error as error:
        raise ValueError(f"a value does not fit into its D-Bus type: {error}") from None
