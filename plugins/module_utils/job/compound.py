# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of values that have parts of their own: limits, schedules, ``expect``, conditions, commands and scripts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from .conditions import parse_condition, read_condition, write_condition
from .errors import shown
from .lexer import SPACE, LexError, Reader, dedent, is_block, is_command, line_of
from .listen_address import parse_listen
from .model import Condition, Expect, Limit, Process, RespawnDelay, RespawnLimit
from .values import MOST, Flag, Kind, Words, decimal, integer, option_word, seconds, signal

LIMITS = (
    "as", "core", "cpu", "data", "fsize", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio",
    "sigpending", "stack",
)  # fmt: skip

# what follows the kind: "" nothing, else its name in errors and whether it must be there
EXPECT_ARGUMENTS: dict[str, tuple[str, bool]] = {
    "none": ("", False),
    "stop": ("", False),
    "daemon": ("", False),
    "fork": ("the number of forks", False),
    "exit": ("the number of exits", False),
    "auto": ("", False),
    "notify": ("", False),
    "listen": ("an address", False),
    "dbus": ("a bus name", True),
    "pidfile": ("a path", True),
    "newline": ("a file descriptor", True),
    "check": ("a command", True),
}


class ExpectKind(Kind):
    """``KIND [ARGUMENT]``; the command of ``check`` is kept as it is written, with its quotes."""

    from_text = True

    def read_text(self, reader: Reader) -> Expect:
        if reader.at_line_end():
            raise ValueError(f"a kind is missing: {', '.join(EXPECT_ARGUMENTS)}")
        kind = reader.word()
        if kind == "check" and not reader.at_line_end():
            return Expect(kind, reader.command())
        return self._from_words([kind, *reader.words()])

    def write_text(self, value: Any) -> Optional[str]:
        if value.kind == "check":
            if not is_command(value.argument):
                raise ValueError(_why_not_a_command(value.argument))
            return f"check {value.argument}"
        return line_of([value.kind, value.argument] if value.argument else [value.kind])

    def from_option(self, option: Any) -> Expect:
        reader = Reader(_one_line(option_word(option)))
        try:
            expect = self.read_text(reader)
        except LexError as error:
            raise ValueError(error.message) from None
        return expect

    def to_option(self, value: Any) -> str:
        return self.write_text(value) or ""

    def _from_words(self, words: Words) -> Expect:
        kind, rest = words[0], words[1:]
        if kind not in EXPECT_ARGUMENTS:
            raise ValueError(f"{shown(kind)} is not one of {', '.join(EXPECT_ARGUMENTS)}")
        meaning, needed = EXPECT_ARGUMENTS[kind]
        if not rest:
            if needed:
                raise ValueError(f"{kind} needs {meaning}")
            return Expect(kind)
        if not meaning or len(rest) > 1:
            raise ValueError(f"{shown(rest[-1])} after {kind} is one word too many")
        argument = rest[0]
        if kind in ("fork", "exit"):
            argument = str(integer(argument, 1, 100, meaning))
        elif kind == "newline":
            argument = str(integer(argument, 0, 1023, meaning))
        elif kind == "pidfile" and not argument.startswith("/"):
            raise ValueError(f"the pidfile {shown(argument)} must be an absolute path")
        elif kind == "listen":
            parse_listen(argument)
        return Expect(kind, argument)


class RespawnLimitKind(Kind):
    option_type = "raw"
    most = 2

    def read(self, words: Words, old: Any) -> RespawnLimit:
        if words == ["unlimited"]:
            return RespawnLimit(0, 0)
        if words[0] == "unlimited":
            raise ValueError(f"{shown(words[1])} after unlimited is one word too many")
        if len(words) < 2:
            raise ValueError(f"the interval in seconds is missing after {shown(words[0])}")
        return RespawnLimit(
            integer(words[0], 0, MOST, "a number of respawns"), integer(words[1], 0, MOST, "an interval in seconds")
        )

    def write(self, value: Any) -> Iterable[Words]:
        return [["unlimited"] if value == RespawnLimit(0, 0) else [str(value.count), str(value.interval)]]

    def from_option(self, option: Any) -> RespawnLimit:
        return self.read(_parts(option, ("count", "interval")), None)

    def to_option(self, value: Any) -> Any:
        return "unlimited" if value == RespawnLimit(0, 0) else {"count": value.count, "interval": value.interval}


class RespawnDelayKind(Kind):
    option_type = "raw"
    most = 2

    def read(self, words: Words, old: Any) -> RespawnDelay:
        first = seconds(words[0])
        cap = seconds(words[1]) if len(words) > 1 else first
        if cap < first:
            raise ValueError(f"the longest delay {decimal(cap)} is shorter than the first, {decimal(first)}")
        return RespawnDelay(first, cap)

    def write(self, value: Any) -> Iterable[Words]:
        return [[decimal(value.first), decimal(value.cap)]]

    def from_option(self, option: Any) -> RespawnDelay:
        return self.read(_parts(option, ("first", "cap")), None)

    def to_option(self, value: Any) -> dict[str, float]:
        return {"first": value.first, "cap": value.cap}


class KillSchedule(Kind):
    """``TERM/30/KILL/5``: signals, each followed by the seconds to wait; the last may have none."""

    def value(self, word: str) -> tuple[Any, ...]:
        steps: list[Any] = []
        for part in word.split("/"):
            if len(steps) % 2:
                steps.append(integer(part, 0, MOST, "a number of seconds"))
            else:
                steps.append(signal(part))
        return tuple(steps)

    def write(self, value: Any) -> Iterable[Words]:
        return [[self.to_option(value)]] if value else []

    def from_option(self, option: Any) -> tuple[Any, ...]:
        if isinstance(option, (list, tuple)):
            option = "/".join(option_word(part) for part in option)
        return self.value(option_word(option))

    def to_option(self, value: Any) -> str:
        return "/".join(str(part) for part in value)


class OomScore(Kind):
    option_type = "raw"

    def value(self, word: str) -> int:
        return -1000 if word == "never" else integer(word, -1000, 1000, "never, or a score")


class OomAdjustment(Kind):
    """The old scale, -17 to 15, turned into a score as Upstart does it."""

    def value(self, word: str) -> int:
        if word == "never":
            return -1000
        adjustment = integer(word, -17, 15, "never, or an adjustment")
        return int(adjustment * 1000 / (17 if adjustment < 0 else 15))

    def write(self, value: Any) -> Iterable[Words]:
        return []


class Limits(Kind):
    """``RESOURCE SOFT HARD``, one resource to a stanza."""

    option_type = "dict"
    fewest, most = 3, 3
    appends = True

    def read(self, words: Words, old: Any) -> tuple[tuple[str, Limit], ...]:
        name, soft, hard = words
        if name not in LIMITS:
            raise ValueError(f"{shown(name)} is not one of {', '.join(LIMITS)}")
        return tuple(sorted({**dict(old), name: Limit(self._number(soft), self._number(hard))}.items()))

    def write(self, value: Any) -> Iterable[Words]:
        return [[name, self._word(limit.soft), self._word(limit.hard)] for name, limit in value]

    def from_option(self, option: Any) -> tuple[tuple[str, Limit], ...]:
        if not isinstance(option, Mapping):
            raise ValueError('it must be a dictionary such as {nofile: "1024 4096"}')
        limits: tuple[tuple[str, Limit], ...] = ()
        for name, value in option.items():
            words = _parts(value, ("soft", "hard"))
            if len(words) not in (1, 2):
                raise ValueError(f"{shown(str(value))} for {shown(str(name))} is not a soft and a hard limit")
            limits = self.read([str(name), words[0], words[-1]], limits)
        return limits

    def to_option(self, value: Any) -> dict[str, str]:
        return {name: f"{self._word(limit.soft)} {self._word(limit.hard)}" for name, limit in value}

    def _number(self, word: str) -> Optional[int]:
        if word in ("unlimited", "-1"):
            return None
        if not re.match(r"[0-9]{1,19}\Z", word):
            raise ValueError(f"{shown(word)} is not a limit: expected a number, or unlimited")
        return int(word)

    def _word(self, limit: Optional[int]) -> str:
        return "unlimited" if limit is None else str(limit)


class Cgroup(Kind):
    """``KEY VALUE`` with a key of cgroup v2, such as ``memory.max``; see also CgroupControllers."""

    option_type = "dict"
    most = MOST
    appends = True

    def read(self, words: Words, old: Any) -> tuple[tuple[str, str], ...]:
        return (*(pair for pair in old if pair[0] != words[0]), (words[0], " ".join(words[1:])))

    def write(self, value: Any) -> Iterable[Words]:
        return [[key, text] for key, text in value]

    def from_option(self, option: Any) -> tuple[tuple[str, str], ...]:
        if not isinstance(option, Mapping):
            raise ValueError("it must be a dictionary such as {memory.max: 100M}")
        for key in option:
            if not is_cgroup_key(str(key)):
                raise ValueError(f"{shown(str(key))} is not a key of cgroup v2, such as memory.max or pids.max")
        return tuple((str(key), option_word(value)) for key, value in option.items())

    def to_option(self, value: Any) -> dict[str, str]:
        return dict(value)


class CgroupControllers(Kind):
    """Upstart's ``CONTROLLER [NAME] [KEY VALUE]``, kept as it is written."""

    option_type, elements = "list", "str"
    most = 4
    appends = True

    def read(self, words: Words, old: Any) -> tuple[tuple[str, ...], ...]:
        return (*old, tuple(words))

    def write(self, value: Any) -> Iterable[Words]:
        return [list(words) for words in value]

    def from_option(self, option: Any) -> tuple[tuple[str, ...], ...]:
        found: tuple[tuple[str, ...], ...] = ()
        for line in [option] if isinstance(option, str) else option:
            reader = Reader(option_word(line).strip(SPACE))
            try:
                words = reader.words()
            except LexError as error:
                raise ValueError(error.message) from None
            if not 1 <= len(words) <= 4 or is_cgroup_key(words[0]):
                raise ValueError(f"{shown(str(line))} is not CONTROLLER [NAME] [KEY VALUE]")
            found = self.read(words, found)
        return found

    def to_option(self, value: Any) -> list[str]:
        return [line_of(words) for words in value]


def is_cgroup_key(word: str) -> bool:
    """Say whether ``word`` is a key of cgroup v2 rather than a controller of Upstart's."""
    return "." in word and "=" not in word and "/" not in word


class ConditionKind(Kind):
    """Events with ``and``, ``or`` and parentheses; read from the text, not from words."""

    from_text = True

    def read_text(self, reader: Reader) -> Condition:
        return read_condition(reader)

    def write_text(self, value: Any) -> Optional[str]:
        return write_condition(value)

    def from_option(self, option: Any) -> Condition:
        try:
            return parse_condition(option_word(option))
        except LexError as error:
            raise ValueError(error.message) from None

    def to_option(self, value: Any) -> str:
        return write_condition(value)


class Manual(Flag):
    """Forgets the ``start on`` before it."""

    def read(self, words: Words, old: Any) -> Any:
        return None

    def write(self, value: Any) -> Iterable[Words]:
        return []


class Command(Kind):
    """A command line."""

    from_text = True

    def read_text(self, reader: Reader) -> Process:
        if reader.at_line_end():
            raise ValueError("the command is missing")
        return Process(reader.command())

    def write_text(self, value: Any) -> Optional[str]:
        if value.script:
            return None
        if not is_command(value.command):
            raise ValueError(_why_not_a_command(value.command))
        return str(value.command)

    def from_option(self, option: Any) -> Process:
        command = _one_line(option_word(option))
        if not is_command(command):
            raise ValueError(_why_not_a_command(command))
        return Process(command)

    def to_option(self, value: Any) -> str:
        return str(value.command)


class Script(Kind):
    """The lines of a shell script up to ``end script``."""

    from_text = True

    def read_text(self, reader: Reader) -> Process:
        if not reader.at_line_end():
            raise ValueError("nothing may follow on this line: the script is on the lines below")
        reader.next_line()
        return Process(reader.block("script"), script=True)

    def write_text(self, value: Any) -> Optional[str]:
        if not value.script:
            return None
        if not is_block(value.command, "script"):
            raise ValueError('the script does not end in a newline, is indented, or has a line "end script" in it')
        lines = [line + "\n" for line in value.command.split("\n")[:-1]]
        indent = "" if "\n" in lines else "    "  # an empty line keeps the reader from taking the indent away
        return "\n" + "".join(indent + line for line in lines) + "end script"

    def from_option(self, option: Any) -> Process:
        text = option_word(option)
        lines = [line + "\n" for line in text.split("\n")]
        if lines and lines[-1] == "\n":
            lines.pop()
        script = dedent(lines)
        if not is_block(script, "script"):
            raise ValueError('the script holds a NUL byte, or a line "end script"')
        return Process(script, script=True)

    def to_option(self, value: Any) -> str:
        return str(value.command)


def _one_line(text: str) -> str:
    """Join the lines of ``text``, without the spaces around them; one behind a backslash belongs to the last word."""
    line = " ".join(line.strip(SPACE) for line in text.strip(SPACE + "\n").split("\n"))
    escaped = (len(line) - len(line.rstrip("\\"))) % 2 == 1
    whole = text.rstrip("\n")
    return line + whole[len(whole.rstrip(SPACE)) :][:1] if escaped else line


def _why_not_a_command(command: str) -> str:
    if not command.strip():
        return "the command is empty"
    try:
        Reader(command).command()
    except LexError as error:
        return f"the command {shown(command)} cannot be written in a job file: {error.message}"
    return (
        f"the command {shown(command)} cannot be written in a job file: it holds a # outside quotes (put quotes around"
        " it), a newline, spaces at an end, or a backslash after a space (use a script)"
    )


def _parts(option: Any, names: tuple[str, str]) -> list[str]:
    """Return the words of an option that is a text with words, a list, or a dictionary with ``names``."""
    if isinstance(option, Mapping):
        unknown = [str(key) for key in option if key not in names]
        if unknown or not option:
            raise ValueError(f"{shown(', '.join(unknown)) or 'nothing'} is not {names[0]} and {names[1]}")
        if names[0] not in option:
            raise ValueError(f"{names[0]} is missing")
        return [option_word(option[name]) for name in names if option.get(name) is not None]
    if isinstance(option, (list, tuple)):
        return [option_word(part) for part in option]
    words = option_word(option).split()
    if not words:
        raise ValueError("it is empty")
    return words
