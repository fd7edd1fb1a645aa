# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and numbers of signals, as signal(7) has them for Linux on x86 and ARM."""

from __future__ import annotations

from typing import Optional, Union

_NAMES = (
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
    "PWR", "SYS",
)  # fmt: skip
_NUMBERS = {name: number for number, name in enumerate(_NAMES, 1)}
_NUMBERS.update({"IOT": 6, "POLL": 29, "CLD": 17, "UNUSED": 31})


def signal_name(number: int) -> str:
    """Return the name without SIG, or the number as text where it has none."""
    return _NAMES[number - 1] if 0 < number <= len(_NAMES) else str(number)


def signal_number(name: Union[int, str]) -> Optional[int]:
    """Return the number of ``name`` (with or without SIG, or digits), None where there is no such signal."""
    text = str(name)
    if text.isdigit():
        return int(text)
    return _NUMBERS.get(text[3:] if text.startswith("SIG") else text)


def statuses(entries: tuple[Union[int, str], ...]) -> frozenset[int]:
    """Turn exit statuses and signal names into the numbers that an exit is compared with (signal << 8)."""
    found = set()
    for entry in entries:
        if isinstance(entry, int):
            found.add(entry)
        elif entry.isdigit():
            found.add(int(entry))
        else:
            number = signal_number(entry)
            if number is not None:
                found.add(number << 8)
    return frozenset(found)
