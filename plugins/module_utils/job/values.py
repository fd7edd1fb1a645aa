# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of values that stanzas have: how words become a value, how a value becomes words and YAML, and back.

A kind is what a row of the stanza table says about its value. All raise ValueError with what is wrong and what would be
right; whoever calls adds the stanza and the place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Optional, Union

from .errors import shown
from .lexer import SPACE, Reader

SIGNALS = (
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "IOT", "EMT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM",
    "PROF", "WINCH", "IO", "POLL", "LOST", "PWR", "SYS", "UNUSED",
)  # fmt: skip

MOST = 2**31 - 1  # what Upstart holds in a C int

_INTEGER = re.compile(r"[+-]?[0-9]{1,10}\Z")
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?\Z")
_SIZE = re.compile(r"([0-9]{1,18})([KMGT]?)\Z", re.IGNORECASE)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}

Words = list[str]


class Kind:
    """One word; the base of all kinds that are words on a line."""

    option_type = "str"  # Ansible's type of the option
    elements: Optional[str] = None
    choices: Optional[tuple[str, ...]] = None
    fewest, most = 1, 1  # words
    appends = False  # a second stanza adds to the first
    from_text = False  # read with read_text and written with write_text, not as words

    def read(self, words: Words, old: Any) -> Any:
        """Return the value of a stanza with ``words``, where the field held ``old`` before."""
        return self.value(words[0])

    def value(self, word: str) -> Any:
        """Return the value of one word."""
        return word

    def read_text(self, reader: Reader) -> Any:
        """Return the value of a stanza that is not made of words, and go to the line behind it."""
        raise NotImplementedError

    def write_text(self, value: Any) -> Optional[str]:
        """Return what follows the stanza's words; None where the value is not written with this stanza."""
        raise NotImplementedError

    def write(self, value: Any) -> Iterable[Words]:
        """Return the words of each stanza that gives ``value``."""
        return [[str(value)]]

    def from_option(self, option: Any) -> Any:
        """Return the value that a YAML option stands for; lines of a text are joined as within quotes in a job file."""
        lines = [line.strip(SPACE) for line in option_word(option).strip(SPACE + "\n").split("\n")]
        return self.value(" ".join(line for line in lines if line))

    def to_option(self, value: Any) -> Any:
        """Return the YAML option that stands for ``value``."""
        return value


class Flag(Kind):
    """A stanza without a value."""

    option_type = "bool"
    fewest, most = 0, 0

    def read(self, words: Words, old: Any) -> bool:
        return True

    def write(self, value: Any) -> Iterable[Words]:
        return [[]] if value else []

    def from_option(self, option: Any) -> bool:
        if not isinstance(option, bool):
            raise ValueError(f"{shown(str(option))} is neither true nor false")
        return option


class Integer(Kind):
    option_type = "int"

    def __init__(self, lowest: int, highest: int, meaning: str) -> None:
        self.lowest, self.highest, self.meaning = lowest, highest, meaning

    def value(self, word: str) -> int:
        return integer(word, self.lowest, self.highest, self.meaning)


class Octal(Kind):
    option_type = "raw"

    def value(self, word: str) -> int:
        if not re.match(r"0*[0-7]{1,3}\Z", word):
            raise ValueError(f"{shown(word)} is not octal from 000 to 777")
        return int(word, 8)

    def write(self, value: Any) -> Iterable[Words]:
        return [[f"{value:03o}"]]

    def from_option(self, option: Any) -> int:
        if not isinstance(option, str):
            raise ValueError('YAML may have read an octal number as another one: put it in quotes, like "022"')
        return self.value(option)

    def to_option(self, value: Any) -> str:
        return f"{value:03o}"


class Choice(Kind):
    def __init__(self, *choices: str) -> None:
        self.choices = choices

    def value(self, word: str) -> str:
        if self.choices and word not in self.choices:
            raise ValueError(f"{shown(word)} is not one of {', '.join(self.choices)}")
        return word


class Several(Kind):
    """Words that add up over stanzas."""

    option_type, elements = "list", "str"
    most = MOST
    appends = True

    def read(self, words: Words, old: Any) -> tuple[Any, ...]:
        return (*old, *(self.value(word) for word in words))

    def write(self, value: Any) -> Iterable[Words]:
        return [[str(word) for word in value]] if value else []

    def from_option(self, option: Any) -> tuple[Any, ...]:
        if isinstance(option, str):
            option = option.split()
        if not isinstance(option, (list, tuple)):
            option = [option]
        return tuple(self.value(option_word(word)) for word in option)

    def to_option(self, value: Any) -> list[Any]:
        return list(value)


class Statuses(Several):
    """Exit statuses, and names of signals."""

    elements = "raw"

    def value(self, word: str) -> Union[int, str]:
        name = signal_name(word)
        if name is not None:
            return name
        try:
            return integer(word, 0, MOST, "")
        except ValueError:
            raise ValueError(f"{shown(word)} is neither an exit status nor the name of a signal") from None


class SignalName(Kind):
    def value(self, word: str) -> str:
        return signal(word)


class Seconds(Kind):
    option_type = "float"

    def value(self, word: str) -> float:
        return seconds(word)

    def write(self, value: Any) -> Iterable[Words]:
        return [[decimal(value)]]


class Size(Kind):
    """Bytes, in powers of 1024."""

    def value(self, word: str) -> int:
        found = _SIZE.match(word)
        if not found:
            raise ValueError(f"{shown(word)} is not a size: a number of bytes, or one with K, M, G or T")
        return int(found.group(1)) * _UNITS[found.group(2).upper()]

    def write(self, value: Any) -> Iterable[Words]:
        return [[self.to_option(value)]]

    def to_option(self, value: Any) -> str:
        for unit in "TGMK":
            if value and value % _UNITS[unit] == 0:
                return f"{value // _UNITS[unit]}{unit}"
        return str(value)


class Variables(Kind):
    """``KEY=VALUE``, or ``KEY`` to take the value from the supervisor's environment; one to a stanza."""

    option_type = "raw"
    appends = True

    def read(self, words: Words, old: Any) -> tuple[str, ...]:
        return (*old, words[0])  # whatever it is, as in Upstart

    def value(self, word: str) -> str:
        if not word or word.startswith("="):
            raise ValueError(f"{shown(word)} has no name before the =")
        return word

    def write(self, value: Any) -> Iterable[Words]:
        return [[variable] for variable in value]

    def from_option(self, option: Any) -> tuple[str, ...]:
        if isinstance(option, Mapping):
            return tuple(self._pair(str(key), value) for key, value in option.items())
        if isinstance(option, str):
            option = [option]
        if not isinstance(option, (list, tuple)):
            raise ValueError("it must be a dictionary, or a list of KEY=VALUE")
        return tuple(self.value(option_word(variable)) for variable in option)

    def to_option(self, value: Any) -> Any:
        pairs = [variable.partition("=") for variable in value]
        if len({key for key, _unused, _unused in pairs}) < len(pairs):
            return list(value)
        return {key: text if equals else None for key, equals, text in pairs}

    def _pair(self, key: str, value: Any) -> str:
        if "=" in key:
            raise ValueError(f"the name {shown(key)} holds a =")
        if value is None:
            return self.value(key)
        if isinstance(value, bool):
            raise ValueError(f'YAML has read {key} as true or false: put the value in quotes, like "yes"')
        return self.value(f"{key}={'' if value == '' else option_word(value)}")


def option_word(option: Any) -> str:
    """Return a scalar from YAML as the word that stands for it in a job file."""
    if isinstance(option, bool) or not isinstance(option, (str, int, float)):
        raise ValueError(f"{shown(str(option))} is not a text or a number")
    if isinstance(option, float) and option.is_integer():
        option = int(option)
    return str(option)


def integer(word: str, lowest: int, highest: int, meaning: str) -> int:
    """Return the number ``word``; ``meaning`` names it in the error."""
    number = int(word) if _INTEGER.match(word) else None
    if number is None or not lowest <= number <= highest:
        what = f"{meaning} " if meaning else "a whole number "
        raise ValueError(f"{shown(word)} is not {what}from {lowest} to {highest}")
    return number


def seconds(word: str) -> float:
    """Return a time in seconds, whole or with a fraction."""
    if not _NUMBER.match(word):
        raise ValueError(f"{shown(word)} is not a number of seconds")
    return float(word)


def decimal(value: float) -> str:
    """Return ``value`` without a needless fraction and without an exponent."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def signal_name(word: str) -> Optional[str]:
    """Return the name without SIG, or None where ``word`` names no signal."""
    name = word[3:] if word.startswith("SIG") else word
    return name if name in SIGNALS else None


def signal(word: str) -> str:
    """Return a signal as the model has it: its name without SIG, or its number as text."""
    name = signal_name(word)
    if name is not None:
        return name
    if re.match(r"[0-9]{1,3}\Z", word) and int(word) <= 64:
        return str(int(word))
    hint = f" (did you mean {word.upper()}?)" if signal_name(word.upper()) else ""
    raise ValueError(f"{shown(word)} is not a signal{hint}: expected a name like TERM or HUP, or a number up to 64")
