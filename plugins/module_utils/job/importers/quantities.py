# SPDX-License-Identifier: GPL-3.0-or-later
"""Times, sizes, booleans, signals and exit statuses as systemd writes them (systemd.time(7), systemd.syntax(7))."""

from __future__ import annotations

import re
from typing import Optional, Union

from ..errors import shown
from ..values import MOST, signal_name

_UNITS = {
    "us": 1e-6, "usec": 1e-6, "ms": 1e-3, "msec": 1e-3, "s": 1, "sec": 1, "second": 1, "seconds": 1, "": 1,
    "m": 60, "min": 60, "minute": 60, "minutes": 60, "h": 3600, "hr": 3600, "hour": 3600, "hours": 3600,
    "d": 86400, "day": 86400, "days": 86400, "w": 604800, "week": 604800, "weeks": 604800,
    "M": 2629800, "month": 2629800, "months": 2629800, "y": 31557600, "year": 31557600, "years": 31557600,
}  # fmt: skip
_SPAN = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?)\s*([A-Za-zµ]*)")
_SIZES = {"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40, "P": 1 << 50, "E": 1 << 60}

# the names of exit statuses that are not numbers (systemd.exec(5), sysexits.h)
STATUSES = {
    "SUCCESS": 0, "FAILURE": 1, "INVALIDARGUMENT": 2, "NOTIMPLEMENTED": 3, "NOPERMISSION": 4, "NOTINSTALLED": 5,
    "NOTCONFIGURED": 6, "NOTRUNNING": 7, "USAGE": 64, "DATAERR": 65, "NOINPUT": 66, "NOUSER": 67, "NOHOST": 68,
    "UNAVAILABLE": 69, "SOFTWARE": 70, "OSERR": 71, "OSFILE": 72, "CANTCREAT": 73, "IOERR": 74, "TEMPFAIL": 75,
    "PROTOCOL": 76, "NOPERM": 77, "CONFIG": 78,
}  # fmt: skip


def boolean(text: str) -> bool:
    """Return a truth value; raise ValueError."""
    word = text.strip().lower()
    if word in ("1", "yes", "y", "true", "t", "on"):
        return True
    if word in ("0", "no", "n", "false", "f", "off"):
        return False
    raise ValueError(f"{shown(text)} is neither yes nor no")


def span(text: str) -> Optional[float]:
    """Return seconds, None for no limit; raise ValueError."""
    if text.strip() == "infinity":
        return None
    position, total = 0, 0.0
    while position < len(text.rstrip()):
        found = _SPAN.match(text, position)
        unit = found.group(2).replace("µ", "u") if found else "?"
        if not found or unit not in _UNITS:
            raise ValueError(f"{shown(text)} is not a time, such as 90, 5min or 1min 30s")
        total += float(found.group(1)) * _UNITS[unit]
        position = found.end()
    if not text.strip():
        raise ValueError("a time is missing")
    return min(total, float(MOST // 4))


def size(text: str) -> Optional[int]:
    """Return a number or bytes, None for no limit; raise ValueError."""
    if text.strip() in ("infinity", "max"):
        return None
    found = re.match(r"([0-9]{1,18})([KMGTPEB]?)\Z", text.strip())
    if not found:
        raise ValueError(f"{shown(text)} is not a number")
    return int(found.group(1)) * _SIZES[found.group(2)]


def status(text: str) -> Union[int, str]:
    """Return an exit status, or the name of a signal without SIG; raise ValueError."""
    if text in STATUSES:
        return STATUSES[text]
    if text.isdigit() and int(text) <= 255:
        return int(text)
    name = signal_name(text)
    if name is None:
        raise ValueError(f"{shown(text)} is neither an exit status nor a signal")
    return name


def octal(text: str) -> int:
    """Return a file mode; raise ValueError."""
    if not re.match(r"[0-7]{1,4}\Z", text.strip()):
        raise ValueError(f"{shown(text)} is not octal")
    return int(text, 8)
