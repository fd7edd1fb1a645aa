# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditions (``start on``, ``stop on``, ``ready on``): read from words, and written.

``and`` and ``or`` bind equally and to the left, as in Upstart: ``a or b and c`` is ``(a or b) and c``.
"""

from __future__ import annotations

from typing import Optional

from .errors import shown
from .lexer import CONDITION_END, LexError, Reader, quoted
from .model import And, Condition, Match, Or

MOST_OPERATORS = 200  # no job needs more, and whoever walks the tree may recurse


class _Group:
    """What is between two parentheses so far: the tree, and the operator that waits for its right side."""

    def __init__(self, line: int) -> None:
        self.line = line
        self.tree: Optional[Condition] = None
        self.operator: Optional[str] = None
        self.event: Optional[str] = None
        self.arguments: list[str] = []

    def finish_event(self) -> None:
        if self.event is not None:
            match, self.event = Match(self.event, tuple(self.arguments)), None
            self.arguments = []
            self.add(match)

    def add(self, operand: Condition) -> None:
        if self.tree is None:
            self.tree = operand
        else:
            self.tree = (And if self.operator == "and" else Or)(self.tree, operand)
        self.operator = None

    def expects_operand(self) -> bool:
        return self.event is None and (self.tree is None or self.operator is not None)


def read_condition(reader: Reader, lines: bool = False) -> Condition:
    """Read a condition from ``reader`` and go to the next line; it goes on over lines while a parenthesis is open.

    ``lines``: it goes on to the end of the text. Raises LexError.
    """
    groups = [_Group(reader.line)]
    operators = 0
    reader.skip_space()
    while True:
        if reader.at_line_end():
            if reader.at_end() or not (lines or len(groups) > 1):
                break
            reader.next_line()
            reader.skip_space()
            continue
        group, line = groups[-1], reader.line
        character = reader.peek()
        if character == "(":
            if not group.expects_operand():
                raise LexError('"and" or "or" is missing before "("', line)
            groups.append(_Group(line))
            operators += 1
            _skip_one(reader)
        elif character == ")":
            if len(groups) == 1:
                raise LexError('there is a ")" without its "("', line)
            groups.pop()
            groups[-1].add(_finished(group, line))
            _skip_one(reader)
        else:
            mark = reader.mark()
            word = reader.word(CONDITION_END, dequote=False)
            if word in ("and", "or"):
                operators += 1
                group.finish_event()
                if group.tree is None or group.operator is not None:
                    raise LexError(f'an event is missing before "{word}"', line)
                group.operator = word
            else:
                reader.rewind(mark)
                _operand(group, reader.word(CONDITION_END), line)
        if operators > MOST_OPERATORS:
            raise LexError(f"the condition has more than {MOST_OPERATORS} operators and parentheses", line)
    line = reader.line
    if len(groups) > 1:
        raise LexError('no ")" closes the "(" that begins here', groups[-1].line)
    tree = _finished(groups[0], line)
    reader.next_line()
    return tree


def parse_condition(text: str) -> Condition:
    """Return the condition that ``text`` holds; newlines are white space. Raises LexError."""
    return read_condition(Reader(text), lines=True)


def write_condition(condition: Condition) -> str:
    """Return ``condition`` on one line, with the parentheses that it needs, and those that help a reader.

    Raises ValueError for an event or argument that no job file can hold.
    """
    if isinstance(condition, Match):
        return " ".join([_name(condition.event), *(_word(argument) for argument in condition.arguments)])
    word = "and" if isinstance(condition, And) else "or"
    left, right = write_condition(condition.left), write_condition(condition.right)
    if not isinstance(condition.left, (Match, type(condition))):
        left = f"({left})"
    if not isinstance(condition.right, Match):
        right = f"({right})"
    return f"{left} {word} {right}"


def _skip_one(reader: Reader) -> None:
    reader.position += 1
    reader.skip_space()


def _operand(group: _Group, word: str, line: int) -> None:
    if group.event is None:
        if not group.expects_operand():
            raise LexError(f'"and" or "or" is missing before {shown(word)}', line)
        group.event = word
        return
    if "=" not in word and any("=" in argument for argument in group.arguments):
        raise LexError(
            f"{shown(word)} after a KEY=VALUE argument of the event {shown(group.event)} must be KEY=VALUE or"
            ' KEY!=VALUE, or "and" or "or" is missing before it',
            line,
        )
    group.arguments.append(word)


def _finished(group: _Group, line: int) -> Condition:
    group.finish_event()
    if group.tree is None:
        raise LexError("an event is missing", line)
    if group.operator is not None:
        raise LexError(f'an event is missing after "{group.operator}"', line)
    return group.tree


def _name(event: str) -> str:
    return f'"{event}"' if event in ("and", "or") else _word(event)


def _word(text: str) -> str:
    word = quoted(text)
    if word is None:
        raise ValueError(f"{shown(text) or 'an empty word'} cannot be written in a condition")
    return f'"{word}"' if word in ("and", "or") else word
