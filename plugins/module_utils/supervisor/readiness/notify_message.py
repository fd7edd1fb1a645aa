# SPDX-License-Identifier: GPL-3.0-or-later
"""What a process says to the address in NOTIFY_SOCKET (sd_notify(3)): one datagram, KEY=VALUE lines. No I/O."""

from __future__ import annotations

from typing import NamedTuple, Optional

LIMIT = 4096  # bytes of a datagram, systemd's own limit
_TEXT = 200  # characters of a text that are kept
_LONGEST = 1 << 53  # microseconds, and any other number: larger ones are nonsense


class Message(NamedTuple):
    """What was said. Times are seconds. ``watchdog``: "", "1" (alive) or "trigger" (take me for hung)."""

    ready: bool = False
    reloading: bool = False
    stopping: bool = False
    status: Optional[str] = None
    main_pid: Optional[int] = None
    watchdog: str = ""
    watchdog_time: Optional[float] = None
    extend: Optional[float] = None
    error: str = ""  # of ERRNO or BUSERROR, for people


def parse(data: bytes) -> Message:
    """Return what ``data`` says; unknown keys and values that make no sense are left out."""
    told: dict[str, str] = {}
    for line in data.split(b"\n"):
        key, found, value = line.partition(b"=")
        if found:
            told[key.decode("ascii", "replace")] = value.decode("utf-8", "replace")
    errors = [f"{key} {_text(told[key])}" for key in ("ERRNO", "BUSERROR") if told.get(key)]
    return Message(
        ready=told.get("READY") == "1",
        reloading=told.get("RELOADING") == "1",
        stopping=told.get("STOPPING") == "1",
        status=_text(told["STATUS"]) if "STATUS" in told else None,
        main_pid=_number(told.get("MAINPID")),
        watchdog=told["WATCHDOG"] if told.get("WATCHDOG") in ("1", "trigger") else "",
        watchdog_time=_seconds(told.get("WATCHDOG_USEC")),
        extend=_seconds(told.get("EXTEND_TIMEOUT_USEC")),
        error=", ".join(errors),
    )


def _text(value: str) -> str:
    """Return a line that is safe to print: no control characters, not endless."""
    return "".join(letter if letter.isprintable() else "?" for letter in value[:_TEXT])


def _number(value: Optional[str]) -> Optional[int]:
    if value is None or not value.isascii() or not value.isdigit() or len(value) > 19:
        return None
    number = int(value)
    return number if 0 < number < _LONGEST else None


def _seconds(value: Optional[str]) -> Optional[float]:
    number = _number(value)
    return None if number is None else number / 1e6
