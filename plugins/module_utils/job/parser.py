# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a job file, and the ``.override`` file that is laid over it."""

from __future__ import annotations

import re
from typing import Any, Optional, Union

from .compound import is_cgroup_key
from .errors import JobError, nearest, shown
from .lexer import LexError, Reader
from .model import Job
from .stanzas import DEFAULTS, STANZAS, Stanza
from .writer import lines_of

MOST_BYTES = 1 << 20

_SURROGATE = re.compile("[\ud800-\udfff]")
_FOR_PEOPLE = ("description", "author", "version", "usage")

_BY_WORDS = {row.words: row for row in STANZAS if row.field != "cgroup"}
_CGROUP_KEY = next(row for row in STANZAS if row.field == "cgroup")
_FIRST_WORDS = sorted({row.words.split()[0] for row in STANZAS})
_LONGER = {
    first: [tuple(row.words.split()[1:]) for row in STANZAS if row.words.startswith(first + " ")]
    for first in _FIRST_WORDS
}


def parse_job(
    text: Union[str, bytes],
    name: str,
    path: str,
    override: Union[str, bytes, None] = None,
    override_path: Optional[str] = None,
) -> Job:
    """Return the job that a file's ``text`` defines, with ``override`` laid over it stanza by stanza.

    Raises JobError; where its ``override`` is True the job without the override may be good.
    """
    values: dict[str, Any] = {}
    _parse(_decoded(text, path), path, values)
    if override is not None:
        where = override_path if override_path is not None else path
        try:
            _parse(_decoded(override, where), where, values)
        except JobError as error:
            error.override = True
            raise
    return Job(name=name, **values)


def _decoded(text: Union[str, bytes], path: str) -> str:
    """Return what a file holds as text; bytes that are no UTF-8 become surrogates."""
    if len(text) > MOST_BYTES:
        raise JobError(f"the file is larger than {MOST_BYTES} bytes, which no job file is", path)
    zero = text.find(b"\0") if isinstance(text, bytes) else text.find("\0")
    if zero >= 0:
        newlines = text.count(b"\n", 0, zero) if isinstance(text, bytes) else text.count("\n", 0, zero)
        raise JobError("there is a NUL byte here: this is not a text file", path, newlines + 1)
    return text.decode("utf-8", "surrogateescape") if isinstance(text, bytes) else text


def stanza_line(text: str, field: str) -> Optional[int]:
    """Return the line of the last stanza in a good file's ``text`` that sets ``field``, None where none does."""
    return stanza_lines(text).get(field)


def stanza_lines(text: str) -> dict[str, int]:
    """Return the fields that a good file's ``text`` sets, each with the line of the last stanza that does."""
    lines: dict[str, int] = {}
    _parse(_decoded(text, ""), "", {}, lines)
    return lines


def _parse(text: str, path: str, values: dict[str, Any], lines: Optional[dict[str, int]] = None) -> None:
    reader = Reader(text)
    foreign = bool(_SURROGATE.search(text))
    while True:
        _skip_blank(reader)
        if reader.at_end():
            return
        line = reader.line
        stanza = ""
        try:
            stanza, row = _find(reader)
            if lines is not None:
                lines[row.field] = line
            _apply(reader, row, values)
            if foreign and values.get(row.field) is not None:
                values[row.field] = _without_surrogates(row, values[row.field])
        except LexError as error:
            raise JobError(error.message, path, error.line, stanza) from None
        except ValueError as error:
            raise JobError(str(error), path, line, stanza) from None


def _without_surrogates(row: Stanza, value: Any) -> Any:
    """Return ``value`` as it may be shown and sent; a text for people that is no UTF-8 is taken for Latin-1."""
    if row.field in _FOR_PEOPLE:
        return value.encode("utf-8", "surrogateescape").decode("latin-1") if _SURROGATE.search(value) else value
    if _SURROGATE.search("".join(lines_of(row, value))):
        raise ValueError("there is a byte here that is not UTF-8 text")
    return value


def _skip_blank(reader: Reader) -> None:
    while not reader.at_end():
        while reader.peek() in (" ", "\t", "\r"):
            reader.position += 1
        if not reader.at_line_end():
            return
        reader.next_line()


def _find(reader: Reader) -> tuple[str, Stanza]:
    """Read the words that begin a stanza; return them and its row."""
    first = reader.word(dequote=False)
    longer = _LONGER.get(first)
    if longer is None:
        raise ValueError(_unknown(first))
    mark = reader.mark()
    second = "" if not longer or reader.at_line_end() else reader.word(dequote=False)
    for rest in longer:
        if rest[0] == second and all(
            not reader.at_line_end() and reader.word(dequote=False) == word for word in rest[1:]
        ):
            words = f"{first} {' '.join(rest)}"
            return words, _BY_WORDS[words]
    reader.rewind(mark)
    row = _BY_WORDS.get(first)
    if row is None or (second and row.kind.most == 0):
        raise ValueError(_unknown_second(first, second, longer))
    return first, row


def _apply(reader: Reader, row: Stanza, values: dict[str, Any]) -> None:
    kind = row.kind
    if kind.from_text:
        values[row.field] = kind.read_text(reader)
        return
    words = reader.words()
    if len(words) < kind.fewest:
        raise ValueError(f"a value is missing: {row.words} {row.syntax}")
    if row.field == "cgroup_controllers" and is_cgroup_key(words[0]):
        row = _CGROUP_KEY
        kind = row.kind
        if len(words) < 2:
            raise ValueError(f"a value is missing after {shown(words[0])}")
    if len(words) > kind.most:
        expected = f": {row.words} {row.syntax}" if row.syntax else f": {row.words} stands alone"
        raise ValueError(f"{shown(words[kind.most])} is one word too many{expected}")
    values[row.field] = kind.read(words, values.get(row.field, DEFAULTS[row.field]))


def _unknown(word: str) -> str:
    return f"unknown stanza {shown(word)}{nearest(word, _FIRST_WORDS)}"


def _unknown_second(first: str, second: str, longer: list[tuple[str, ...]]) -> str:
    known = " or ".join(" ".join((first, *rest)) for rest in longer)
    if not second:
        return f"{first} is not a stanza by itself: expected {known}"
    return f"unknown stanza {first} {shown(second)}: expected {known}"
