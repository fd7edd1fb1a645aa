# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell patterns as fnmatch(3) without flags reads them, which is what Upstart matches variables with.

Python's own fnmatch knows neither ``\\`` nor ``[^`` nor ``[[:alpha:]]``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Optional

_SPECIAL = re.compile(r"[*?\[\\]")
_CLASSES = {
    "alpha": "a-zA-Z", "digit": "0-9", "alnum": "a-zA-Z0-9", "upper": "A-Z", "lower": "a-z", "blank": r" \t",
    "space": r" \t\n\r\f\v", "xdigit": "0-9a-fA-F", "punct": r"!-/:-@\[-`{-~", "cntrl": r"\x00-\x1f\x7f",
    "print": r"\x20-\x7e", "graph": r"\x21-\x7e",
}  # fmt: skip


def is_literal(pattern: str) -> bool:
    """Tell whether ``pattern`` matches only itself."""
    return _SPECIAL.search(pattern) is None


def matches(pattern: str, value: str) -> bool:
    """Tell whether the whole of ``value`` matches ``pattern``; ``*`` crosses ``/``."""
    if pattern == value and is_literal(pattern):
        return True
    if is_literal(pattern):
        return False
    compiled = _compile(pattern)
    return compiled is not None and compiled.fullmatch(value) is not None


@lru_cache(maxsize=512)
def _compile(pattern: str) -> Optional[re.Pattern[str]]:
    pieces = []
    position = 0
    while position < len(pattern):
        char = pattern[position]
        position += 1
        if char == "*":
            pieces.append(".*")
        elif char == "?":
            pieces.append(".")
        elif char == "[":
            bracket = _bracket(pattern, position)
            if bracket is None:
                pieces.append(r"\[")
            else:
                text, position = bracket
                pieces.append(text)
        elif char == "\\":
            if position == len(pattern):
                return None
            pieces.append(re.escape(pattern[position]))
            position += 1
        else:
            pieces.append(re.escape(char))
    try:
        return re.compile("".join(pieces), re.DOTALL)
    except re.error:
        return None


def _bracket(pattern: str, position: int) -> Optional[tuple[str, int]]:
    """Translate what follows a ``[``; None where it is never closed, and so stands for itself."""
    start = position
    negate = pattern[position : position + 1] in ("!", "^")
    if negate:
        position += 1
    first = position
    inside: list[str] = []
    while position < len(pattern):
        char = pattern[position]
        if char == "]" and position > first:
            text = "".join(inside)
            return (f"[{'^' if negate else ''}{text}]" if text else "(?!)"), position + 1
        if pattern.startswith("[:", position):
            end = pattern.find(":]", position)
            name = pattern[position + 2 : end] if end > 0 else ""
            if name in _CLASSES:
                inside.append(_CLASSES[name])
                position = end + 2
                continue
        if char == "\\" and position + 1 < len(pattern):
            position += 1
            char = pattern[position]
        if char == "-" and first < position < len(pattern) - 1 and pattern[position + 1] != "]" and position > start:
            inside.append("-")
        else:
            inside.append(re.escape(char))
        position += 1
    return None
