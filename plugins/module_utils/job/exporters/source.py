# SPDX-License-Identifier: GPL-3.0-or-later
"""The job in the comments at the top of its unit: who wrote the unit, and what the job was that it was made from.

So a unit says by itself whose it is, and the next task reads the job back from it. systemd ends lines at carriage
returns and NUL as well, so a line with such a character is kept as JSON.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple, Optional

MARK = "# foster.init made this unit from the job "
_HINT = "# Change the job, not the unit: the next run writes it again. The job, and what lies over it (+):\n"
_LINE = re.compile(r'#(\+?)(?:\|(.*)|\\(".*"))\Z', re.DOTALL)
_AWKWARD = re.compile("[\x00-\x08\x0b-\x1f\x7f]")


class Source(NamedTuple):
    """The job's name, its text and that of its override (None: none)."""

    name: str
    text: str
    override: Optional[str]


def embed(source: Source) -> str:
    """Return the comments that stand for ``source``."""
    lines = [f"{MARK}{json.dumps(source.name)}.\n", _HINT]
    lines += [f"#{line}" for line in _lines(source.text)]
    if source.override is not None:
        lines += [f"#+{line}" for line in _lines(source.override) or ['\\""\n']]
    return "".join(lines)


def extract(unit: str) -> Optional[Source]:
    """Return what a unit was made from, None for a unit that is not ours."""
    first, _newline, rest = unit.partition("\n")
    if not first.startswith(MARK) or not first.endswith("."):
        return None
    texts: dict[str, list[str]] = {}
    try:
        name = json.loads(first[len(MARK) : -1])
        for line in rest.split("\n"):
            if not line.startswith("#"):
                break
            found = _LINE.match(line)
            if found:
                plus, plain, quoted = found.groups()
                texts.setdefault(plus, []).append(f"{plain}\n" if quoted is None else json.loads(quoted))
    except ValueError:
        return None
    if not isinstance(name, str):
        return None
    return Source(name, "".join(texts.get("", ())), "".join(texts["+"]) if "+" in texts else None)


def _lines(text: str) -> list[str]:
    """Return the lines of ``text``: |LINE, or a backslash and JSON where that does not do."""
    found = []
    for line in text.split("\n")[:-1]:
        found.append(f"\\{json.dumps(line + chr(10))}\n" if _AWKWARD.search(line) else f"|{line}\n")
    last = text.rpartition("\n")[2]
    return [*found, f"\\{json.dumps(last)}\n"] if last else found
