# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a command line as Upstart's clients do: options anywhere, long or short, joined or not, until ``--``.

argparse is not used: importing it takes longer than the whole of ``status``, and its messages are not Upstart's.
"""

from __future__ import annotations

from typing import NamedTuple, Union

Values = dict[str, Union[bool, str]]


class Option(NamedTuple):
    """An option: long name, letter ("" for none), the word for its value ("" for a switch), and what it does."""

    name: str
    letter: str = ""
    value: str = ""
    text: str = ""


class UsageError(Exception):
    """The command line is wrong; the text goes before the line that points to --help."""


def parse(words: list[str], options: tuple[Option, ...], stop_at_first: bool = False) -> tuple[Values, list[str]]:
    """Return (values by long name, the words that are no options).

    ``stop_at_first``: leave everything from the first word that is no option. Raises UsageError.
    """
    long = {option.name: option for option in options}
    short = {option.letter: option for option in options if option.letter}
    values: Values = {}
    rest: list[str] = []
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if word == "--":
            rest += queue
            break
        if word == "-" or not word.startswith("-"):
            rest.append(word)
            if stop_at_first:
                rest += queue
                break
        elif word.startswith("--"):
            name, given, value = word[2:].partition("=")
            option = long.get(name)
            if option is None:
                raise UsageError(f"invalid option: --{name}")
            if not option.value:
                if given:
                    raise UsageError(f"unexpected argument: --{word[2:]}")
                values[name] = True
            else:
                values[name] = value if given else _next(queue, word)
        else:
            letters = word[1:]
            while letters:
                option = short.get(letters[0])
                if option is None:
                    raise UsageError(f"invalid option: -{letters[0]}")
                if not option.value:
                    values[option.name] = True
                    letters = letters[1:]
                else:
                    values[option.name] = letters[1:] or _next(queue, "-" + letters[0])
                    break
    return values, rest


def _next(queue: list[str], option: str) -> str:
    if not queue:
        raise UsageError(f"missing argument: {option}")
    return queue.pop(0)


def describe(options: tuple[Option, ...]) -> list[str]:
    """Return one line of help for each option."""
    lines = []
    for option in options:
        letter = f"-{option.letter}, " if option.letter else "    "
        name = f"--{option.name}" + (f"={option.value}" if option.value else "")
        lines.append(f"  {letter}{name:<24} {option.text}")
    return lines
