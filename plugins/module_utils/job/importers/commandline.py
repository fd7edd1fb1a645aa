# SPDX-License-Identifier: GPL-3.0-or-later
"""An Exec line of a unit, its words, and the same for a POSIX shell (systemd.service(5), COMMAND LINES)."""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

from ..errors import shown

_SAFE = re.compile(r"[A-Za-z0-9_@%+=:,./-]+\Z")
_VARIABLE = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_WHOLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)\Z")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " "}
_CODES = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})")
_SIGNALLING = re.compile(r"-(?:s ?|-signal[= ])?(?:SIG)?([A-Z0-9]+)\Z")


class Command(NamedTuple):
    """One command: ``words`` for the shell. ``ignore``: that it fails is fine. ``full``: as root, whatever User says.

    ``renamed``: it asks for another argv[0] than its program, which a shell cannot give. ``splits``: a word of it is
    split where it has white space when it runs, as ``$OPTIONS`` is.
    """

    words: tuple[str, ...]
    ignore: bool = False
    full: bool = False
    renamed: bool = False

    @property
    def splits(self) -> bool:
        """Say whether a word is a variable that becomes several words."""
        return any(word.startswith("$") for word in self.words)

    @property
    def text(self) -> str:
        """Return the command line for a shell."""
        return " ".join(self.words)

    @property
    def uses_main_pid(self) -> bool:
        """Say whether it is told the main process."""
        return any("MAINPID" in word for word in self.words)

    def signal(self) -> Optional[str]:
        """Return the signal, where all that the command does is to send one to the main process."""
        if self.words[0] != "kill" or self.words[-1] not in ("$MAINPID", '"${MAINPID}"'):
            return None
        found = _SIGNALLING.match(" ".join(self.words[1:-1])) if len(self.words) > 2 else None
        return "TERM" if len(self.words) == 2 else found.group(1) if found else None


def quoted(text: str) -> str:
    """Return ``text`` as one word for a shell."""
    if _SAFE.match(text):
        return text
    return "'" + text.replace("'", "'\\''") + "'"


def commands(line: str) -> list[Command]:
    """Return the commands of an Exec line whose specifiers are replaced already; raise ValueError."""
    found: list[Command] = []
    words: list[tuple[str, bool]] = []
    for word in [*split(line), (";", False)]:
        if word == (";", False):
            if words:
                found.append(_command(words))
            words = []
        else:
            words.append(word)
    if not found:
        raise ValueError("a command is missing")
    return found


def _command(words: list[tuple[str, bool]]) -> Command:
    program = words[0][0]
    flags = re.match(r"[-@:+!|]*", program)
    prefix = flags.group(0) if flags else ""
    program = program[len(prefix) :]
    if "|" in prefix:  # systemd 258: the rest goes to a shell
        text = " ".join([program, *(word for word, _quotes in words[1:])])
        return Command(("/bin/sh", "-c", quoted(text)), "-" in prefix, "+" in prefix)
    if not program:
        raise ValueError("a program is missing")
    rest = [word for word, _quotes in words[2 if "@" in prefix else 1 :]]
    if program in ("/bin/kill", "/usr/bin/kill"):  # the shell's own does the same, and is always there
        program = "kill"
    literal = ":" in prefix
    shell = [quoted(program)] + [quoted(word) if literal else _word(word) for word in rest]
    return Command(tuple(shell), "-" in prefix, "+" in prefix or "!" in prefix, "@" in prefix)


def _word(word: str) -> str:
    whole = _WHOLE.match(word)
    if whole:
        return f"${whole.group(1)}"
    parts: list[str] = []
    position = 0
    literal = ""
    for found in _VARIABLE.finditer(word):
        literal += word[position : found.start()]
        position = found.end()
        if found.group(0) == "$$":
            literal += "$"
            continue
        if literal:
            parts.append(quoted(literal))
        literal = ""
        parts.append('"${' + found.group(1) + '}"')
    literal += word[position:]
    if literal or not parts:
        parts.append(quoted(literal))
    return "".join(parts)


def split(text: str) -> list[tuple[str, bool]]:
    """Return the words of ``text`` without their quotes, each with whether it had any (or a backslash).

    Raises ValueError for a quote that is not closed.
    """
    words: list[tuple[str, bool]] = []
    word: Optional[str] = None
    marked = False
    quote = ""
    position = 0
    while position < len(text):
        character = text[position]
        position += 1
        if character == "\\":
            character, position = _escaped(text, position)
            word, marked = (word or "") + character, True
        elif quote:
            if character == quote:
                quote = ""
            else:
                word = (word or "") + character
        elif character in "\"'":
            quote, word, marked = character, word or "", True
        elif character.isspace():
            if word is not None:
                words.append((word, marked))
            word, marked = None, False
        else:
            word = (word or "") + character
    if quote:
        raise ValueError(f"a {quote} is not closed in {shown(text)}")
    if word is not None:
        words.append((word, marked))
    return words


def _escaped(text: str, position: int) -> tuple[str, int]:
    """Return the character that the escape at ``position`` stands for, and where the text goes on."""
    if position >= len(text):
        return "\\", position
    found = _CODES.match(text, position)
    if found:
        code = next(group for group in found.groups() if group)
        number = int(code, 8 if found.group(4) else 16)
        if 0 < number < 0x110000 and not 0xD800 <= number < 0xE000:
            return chr(number), found.end()
    character = text[position]
    return _ESCAPES.get(character, character if character in "\\\"' ;" else "\\" + character), position + 1
