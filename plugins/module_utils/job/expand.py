# SPDX-License-Identifier: GPL-3.0-or-later
"""References to variables: ``$VAR``, ``${VAR}``, ``${VAR:-x}``, ``${VAR-x}``, ``${VAR:+x}``, ``${VAR+x}``.

As in Upstart's environ_expand(): both the name and the argument of a reference are expanded themselves, what a variable
holds is not, ``${}`` is a dollar sign, and so is a ``$`` that begins no reference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .errors import ExpandError, UnknownParameter, shown

MOST_NESTED = 50

_SIMPLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def expand(text: str, env: Mapping[str, str]) -> str:
    """Return ``text`` with its references replaced from ``env``.

    Raises UnknownParameter for a variable that is not set, ExpandError for a reference that is not well formed; they
    reach whoever starts a job, so their words are Upstart's.
    """
    return text if "$" not in text else _expand(text, 0, env, "", 0)[0]


def _expand(text: str, position: int, env: Mapping[str, str], until: str, depth: int) -> tuple[str, int]:
    """Expand up to one of the characters in ``until`` or the end; return the text and where it stopped."""
    if depth > MOST_NESTED:
        raise ExpandError(f"references to variables are nested more than {MOST_NESTED} deep in {shown(text)}")
    out: list[str] = []
    while position < len(text) and text[position] not in until:
        if text[position] != "$":
            out.append(text[position])
            position += 1
            continue
        simple = _SIMPLE.match(text, position + 1)
        if simple:
            out.append(_value(simple.group(), env))
            position = simple.end()
        elif text.startswith("{}", position + 1):
            out.append("$")
            position += 3
        elif text.startswith("{", position + 1):
            value, position = _braced(text, position + 2, env, depth)
            out.append(value)
        else:
            out.append("$")
            position += 1
    return "".join(out), position


def _braced(text: str, position: int, env: Mapping[str, str], depth: int) -> tuple[str, int]:
    name, position = _expand(text, position, env, "}:-+", depth + 1)
    operator = text[position : position + 1]
    if operator == ":":
        operator = text[position : position + 2]
        if operator not in (":-", ":+"):
            raise ExpandError("Expected operator")
    if operator == "}":
        return _value(name, env), position + 1
    argument, position = _expand(text, position + len(operator), env, "}", depth + 1)
    if position >= len(text):
        raise ExpandError("Mismatched braces")
    value = env.get(name)
    use_argument = value is None or (operator.startswith(":") and not value)
    if operator.endswith("+"):
        return "" if use_argument else argument, position + 1
    return argument if use_argument or value is None else value, position + 1


def _value(name: str, env: Mapping[str, str]) -> str:
    value = env.get(name)
    if value is None:
        raise UnknownParameter(name)
    return value
