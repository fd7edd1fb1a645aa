# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of an environment file: KEY=VALUE lines, read as data and never as a shell script (systemd.exec(5)).

Values may be in single or double quotes; a backslash takes away the meaning of the next character, and continues the
line at its end; lines that begin with ``#`` or ``;`` and lines that are no assignment say nothing. Nothing is expanded.
"""

from __future__ import annotations

import re

MAX_BYTES = 1 << 20
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_ESCAPABLE = frozenset('"\\`$')  # within double quotes


def read(text: str) -> dict[str, str]:
    """Return the variables that ``text`` sets; the last assignment of a key counts."""
    found: dict[str, str] = {}
    position, size = 0, len(text)
    while position < size:
        end = text.find("\n", position)
        end = size if end < 0 else end
        line = text[position:end].lstrip()
        if not line or line[0] in "#;":
            position = _after_comment(text, position, end)
            continue
        equals = text.find("=", position, end)
        if equals < 0:
            position = end + 1
            continue
        key = text[position:equals].strip()
        value, position = _value(text, equals + 1)
        if _KEY.match(key) and "\0" not in value:
            found[key] = value
    return found


def _after_comment(text: str, position: int, end: int) -> int:
    """Return where the line after a comment begins; a backslash at its end continues it."""
    while text[position:end].endswith("\\") and end < len(text):
        position, end = end + 1, text.find("\n", end + 1)
        end = len(text) if end < 0 else end
    return end + 1


def _value(text: str, position: int) -> tuple[str, int]:
    """Return the value that begins at ``position``, and where the next line does."""
    parts: list[str] = []
    kept = 0  # parts that white space at the end does not take away
    quote = ""
    fresh = True  # at the beginning or behind a closing quote: only there does a quote open another one
    while position < len(text):
        character = text[position]
        position += 1
        if character == "\\" and quote != "'":
            following = text[position : position + 1]
            position += 1
            if following == "\n":
                continue
            if quote and following not in _ESCAPABLE:
                parts.append("\\")
            parts.append(following)
            fresh = fresh and bool(quote)
        elif quote:
            if character == quote:
                quote, fresh = "", True
            else:
                parts.append(character)
        elif character in "\r\n":
            break
        elif character in " \t":
            if not fresh:
                parts.append(character)
            continue
        elif character in "\"'" and fresh:
            quote = character
        else:
            parts.append(character)
            fresh = False
        kept = len(parts)
    return "".join(parts[:kept]), position
