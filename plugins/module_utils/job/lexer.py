# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of a job file: comments, quotes, continued lines and script blocks.

The rules are those of libnih's configuration files, which Upstart reads (nih_config_parse(3)): a ``#`` outside quotes
begins a comment, a backslash before a newline continues the line, a newline within quotes becomes one space, and a
backslash stands for itself except before white space and before another backslash. White space before such a
backslash is garbled, as it is by libnih 1.0.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Optional

from .errors import shown

SPACE = " \t\r"
LINE_END = "#\n"
WORD_END = SPACE + LINE_END
CONDITION_END = WORD_END + "()"

_SKIP = re.compile(r"(?:[ \t\r]|\\\n)+")
_PLAIN = {
    WORD_END: re.compile(r"[^ \t\r#\n\"'\\]+"),
    CONDITION_END: re.compile(r"[^ \t\r#\n\"'\\()]+"),
    LINE_END: re.compile(r"[^#\n\"'\\]+"),
}
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*!?=(?=.)", re.DOTALL)
_NEEDS_QUOTES = re.compile(r"[ \t\r#()\"'\\]")


class LexError(Exception):
    """A word that cannot be read; ``line`` counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class Reader:
    """Read words from ``text``, front to back; ``line`` is the line of the next word."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.size = len(text)
        self.position = 0
        self.line = 1

    def mark(self) -> tuple[int, int]:
        """Return where the reader is, for :meth:`rewind`."""
        return self.position, self.line

    def rewind(self, mark: tuple[int, int]) -> None:
        """Go back to where ``mark`` was taken."""
        self.position, self.line = mark

    def at_end(self) -> bool:
        """Say whether all of the text is read."""
        return self.position >= self.size

    def at_line_end(self) -> bool:
        """Say whether no word is left on this line: at a comment, a newline or the end."""
        return self.position >= self.size or self.text[self.position] in LINE_END

    def peek(self) -> str:
        """Return the next character, "" at the end."""
        return self.text[self.position : self.position + 1]

    def skip_space(self) -> None:
        """Skip white space and continued line ends."""
        found = _SKIP.match(self.text, self.position)
        if found:
            self.line += self.text.count("\n", self.position, found.end())
            self.position = found.end()

    def next_line(self) -> None:
        """Skip what is left of this line, a comment for example."""
        end = self.text.find("\n", self.position)
        if end < 0:
            self.position = self.size
        else:
            self.position = end + 1
            self.line += 1

    def word(self, end: str = WORD_END, dequote: bool = True) -> str:
        """Return the next word and skip the space behind it; ``end`` are the characters that end it outside quotes.

        Raises LexError where there is none, or where it is empty.
        """
        line = self.line
        word = self._scan(end, dequote)
        if not word:
            raise LexError('an empty word ("") cannot be written in a job file', line)
        self.skip_space()
        return word

    def words(self) -> list[str]:
        """Return the words that are left on this line, and go to the next."""
        words = []
        while not self.at_line_end():
            words.append(self.word())
        self.next_line()
        return words

    def command(self) -> str:
        """Return the rest of the line as it stands (quotes kept), up to a comment, and go to the next line."""
        command = self._scan(LINE_END, False)
        self.next_line()
        return command

    def block(self, kind: str) -> str:
        """Return the lines up to ``end kind``, without the white space that all of them begin with."""
        first_line = self.line
        lines: list[str] = []
        end = re.compile(rf"[ \t\r]*end[ \t\r]+{kind}[ \t\r]*(?:#.*)?$")
        while not self.at_end():
            stop = self.text.find("\n", self.position)
            stop = self.size if stop < 0 else stop
            line = self.text[self.position : stop]
            self.next_line()
            if "end" in line and end.match(line):
                return dedent(lines)
            lines.append(line + "\n")
        raise LexError(f'no "end {kind}" line closes the block that begins here', first_line - 1)

    def _scan(self, end: str, dequote: bool) -> str:
        found = _PLAIN[end].match(self.text, self.position)
        if found:
            stop = found.end()
            if stop == self.size or self.text[stop] in end:
                self.position = stop
                return found.group().rstrip(SPACE)
        return self._scan_slowly(end, dequote)

    def _scan_slowly(self, end: str, dequote: bool) -> str:
        text, position, first_line = self.text, self.position, self.line
        out: list[str] = []
        space = ""  # white space read, kept only when something follows on the same line
        joined = False  # a newline was read: it and the space around it are one space
        slash = False
        quote = ""
        quote_line = first_line
        while position < self.size:
            character = text[position]
            kept = character
            if slash:
                slash = False
                if character == "\n":
                    joined = True
                    self.line += 1
                    position += 1
                    continue
                if character == "\\" or character in SPACE:
                    kept = character if dequote else "\\" + character
                elif space or joined:
                    # libnih writes the backslash first and then, for the white space, the text right before this
                    # character: "a \(" becomes "a\\(". Job files are read as Upstart reads them.
                    out.append("\\")
                    space = text[position - len(space) : position]
                else:
                    kept = "\\" + character
            elif character == "\\":
                slash = True
                position += 1
                continue
            elif quote:
                if character == quote:
                    quote = ""
                    kept = "" if dequote else character
                elif character == "\n":
                    joined = True
                    self.line += 1
                    position += 1
                    continue
                elif character in SPACE:
                    space += character
                    position += 1
                    continue
            elif character in "\"'":
                quote, quote_line = character, self.line
                kept = "" if dequote else character
            elif character in end:
                break
            elif character in SPACE:
                space += character
                position += 1
                continue
            if joined:
                out.append(" ")
            elif space:
                out.append(space)
            out.append(kept)
            space, joined = "", False
            position += 1
        self.position = position
        if slash:
            raise LexError("the file ends in a backslash that continues nothing", self.line)
        if quote:
            raise LexError(f"no {quote} closes the quote that begins here", quote_line)
        return "".join(out)


def dedent(lines: list[str]) -> str:
    """Return ``lines``, each with its newline, without the white space that all of them begin with.

    As in libnih an empty line begins with none, so that a script with an empty line keeps its indentation.
    """
    if not lines:
        return ""
    first = lines[0]
    common = len(first) - len(first.lstrip(SPACE))
    for line in lines[1:]:
        if line[:common] != first[:common]:
            common = next(i for i in range(common) if line[i : i + 1] != first[i])
    return "".join(line[common:] for line in lines) if common else "".join(lines)


def quoted(word: str) -> Optional[str]:
    """Return ``word`` so that a Reader reads it back; None where no job file can hold it (empty, newline, NUL)."""
    if not word or "\n" in word or "\0" in word:
        return None
    if not _NEEDS_QUOTES.search(word):
        return word
    found = _KEY.match(word)
    key = found.group() if found else ""
    body = word[len(key) :].replace("\\", "\\\\")
    if '"' not in body:
        return f'{key}"{body}"'
    if "'" not in body:
        return f"{key}'{body}'"
    return f'{key}"' + body.replace('"', '"\'"\'"') + '"'


def line_of(words: Iterable[str]) -> str:
    """Return ``words`` on one line, quoted where they need it. Raises ValueError."""
    written = []
    for word in words:
        safe = quoted(word)
        if safe is None:
            what = "an empty text" if not word else f"{shown(word)}, which holds a newline or a NUL byte,"
            raise ValueError(f"{what} cannot be written in a job file")
        written.append(safe)
    return " ".join(written)


def is_command(text: str) -> bool:
    """Say whether ``text`` on a line of its own is read back as it is: one line, quotes closed, no comment."""
    if not text or "\n" in text or "\0" in text:
        return False
    reader = Reader(text)
    try:
        return reader.command() == text and reader.at_end() and text[0] not in SPACE
    except LexError:
        return False


def is_block(text: str, kind: str) -> bool:
    """Say whether ``text`` as the lines of a block is read back as it is."""
    if "\0" in text or (text and not text.endswith("\n")):
        return False
    reader = Reader(f"{text}end {kind}\n")
    return reader.block(kind) == text and reader.at_end()
