# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts in a unit file: words of a command line, words of a list, and values that go to the end of the line.

Three layers are undone one after the other by systemd: C-style quotes and escapes, then ``%`` specifiers, then, in
command lines alone, ``$`` variables. Source: systemd.syntax(7), systemd.service(5) "Command lines", systemd 247.
"""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[A-Za-z0-9_./:=@,+^-]+\Z")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "%": "%%"}
# systemd refuses variables with other control characters, env-util.c.
_NO_VARIABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def command_word(word: str) -> str:
    """Return ``word`` as one argument of a command line, whatever is in it (but NUL)."""
    if _PLAIN.match(word):
        return word
    return f'"{_escaped(word)}"'.replace("$", "$$")


def list_word(word: str, specifiers: bool = False) -> str:
    """Return ``word`` as one entry of a list of words, such as that of Environment=; ``specifiers``: keep those."""
    if _PLAIN.match(word):
        return word
    escaped = _escaped(word)
    return f'"{escaped.replace("%%", "%") if specifiers else escaped}"'


def variable_problem(value: str) -> str:
    """Return why systemd would not take ``value`` for a variable, "" where it does."""
    found = _NO_VARIABLE.search(value)
    return f"the character {ascii(found.group())[1:-1]} in a variable is refused by systemd" if found else ""


def line_value(text: str) -> str:
    """Return ``text`` as a value that goes to the end of the line, for people: on one line, specifiers escaped.

    A backslash at the end would continue the line; a space behind it does not, and is not part of the value.
    """
    value = _CONTROL.sub(" ", text).strip().replace("%", "%%")
    return f"{value} " if value.endswith("\\") else value


def path_value(path: str) -> str:
    """Return ``path`` as the value of a directive; raise ValueError for one that systemd does not take as it is."""
    parts = path.split("/")[1:]
    if not path.startswith("/") or len(path) > 4000:
        raise ValueError(f"{path} is not an absolute path, and a unit takes no other")
    if _CONTROL.search(path) or path != path.strip() or path.endswith("\\") or ".." in parts or "." in parts:
        raise ValueError(f"the path {ascii(path)[1:-1]} is not one that a unit takes")
    return path.replace("%", "%%")


def _escaped(word: str) -> str:
    return "".join(_ESCAPES.get(c) or (f"\\x{ord(c):02x}" if c < " " or c == "\x7f" else c) for c in word)
