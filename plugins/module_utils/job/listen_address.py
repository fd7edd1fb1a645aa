# SPDX-License-Identifier: GPL-3.0-or-later
"""The address of ``expect listen``: what it may be, and which sockets it means."""

from __future__ import annotations

from typing import NamedTuple

_TCP, _UDP = ("tcp", "tcp6"), ("udp", "udp6")
_PREFIXES = {"tcp": _TCP, "tcp6": ("tcp6",), "udp": _UDP, "udp6": ("udp6",)}
_WRONG = "is no address to listen on: write PORT, HOST:PORT, [HOST6]:PORT, udp:PORT, tcp6:PORT, /PATH or @NAME"


class ListenAddress(NamedTuple):
    """``kinds``: tcp, tcp6, udp, udp6, unix. ``host`` (packed), ``port`` and ``path`` are empty for any."""

    kinds: tuple[str, ...]
    host: bytes = b""
    port: int = 0
    path: str = ""

    def covers(self, host: bytes, port: int) -> bool:
        """Tell whether a socket bound to ``host`` (packed; all zero: every address) and ``port`` is meant."""
        if self.port and port != self.port:
            return False
        return not self.host or host == self.host or not any(host)


def parse_listen(text: str) -> ListenAddress:
    """Return what ``text`` means: every socket when empty; raise ValueError with a sentence about it."""
    if not text:
        return ListenAddress((*_TCP, "unix"))
    if text.startswith("unix:"):
        text = text[len("unix:") :]
        if not text.startswith(("/", "@")):
            raise ValueError(f"{text!r} {_WRONG}")
    if text.startswith(("/", "@")):
        return ListenAddress(("unix",), path=text)
    prefix, colon, rest = text.partition(":")
    kinds: tuple[str, ...] = _TCP
    if colon and prefix in _PREFIXES:
        kinds, text = _PREFIXES[prefix], rest
    host, _colon, port = text.rpartition(":")
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} {_WRONG}")
    if host in ("", "*", "[::]", "0.0.0.0"):
        return ListenAddress(kinds, port=int(port))
    import ipaddress  # here only: 200 KB that a supervisor without such a job does without

    try:
        packed = ipaddress.ip_address(host[1:-1] if host.startswith("[") and host.endswith("]") else host).packed
    except ValueError:
        raise ValueError(f"{text!r} {_WRONG}") from None
    only = tuple(kind for kind in kinds if kind.endswith("6") or len(packed) == 4)
    return ListenAddress(only, packed, int(port))
