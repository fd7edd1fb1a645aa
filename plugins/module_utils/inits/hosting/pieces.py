# SPDX-License-Identifier: GPL-3.0-or-later
"""What an init is told by: files, links and lines that are written, compared, and taken away again.

Every piece knows its text now and its text as wanted, so that a run, check mode, a diff and a removal cannot disagree.
What somebody else has put there is left alone, with a sentence.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional, Protocol

from ..errors import InitError
from . import files
from .interface import Change

MARK = "Written by foster.init.supervisor"


class Piece(Protocol):
    """One thing on the disk. Texts are None for absent; nothing but ``write`` changes anything.

    ``foreign`` returns what is wrong with what is there, None when it is ours or nothing.
    """

    @property
    def path(self) -> str: ...

    def now(self) -> Optional[str]: ...

    def wanted(self) -> Optional[str]: ...

    def without(self) -> Optional[str]: ...

    def foreign(self) -> Optional[str]: ...

    def write(self, text: str) -> None: ...


class File(NamedTuple):
    """A file of its own; the text has to hold MARK, by which it is known again."""

    path: str
    text: str
    mode: int = 0o644

    def now(self) -> Optional[str]:
        """Return the file's text; another mode makes it another text."""
        text = read(self.path)
        if text is not None and stat.S_IMODE(os.stat(self.path).st_mode) != self.mode:
            return f"{text}(mode {stat.S_IMODE(os.stat(self.path).st_mode):04o})\n"
        return text

    def wanted(self) -> Optional[str]:
        return self.text

    def without(self) -> Optional[str]:
        return None

    def foreign(self) -> Optional[str]:
        """Return what is wrong with what is there, None when it is ours or nothing."""
        if os.path.islink(self.path) or os.path.isdir(self.path):
            return "is a link or a folder"
        text = read(self.path)
        return "was not written by foster.init" if text is not None and MARK not in text else None

    def write(self, text: str) -> None:
        files.write(self.path, text.encode("utf-8", "surrogateescape"), self.mode)


class Link(NamedTuple):
    """A symbolic link."""

    path: str
    target: str

    def now(self) -> Optional[str]:
        if os.path.islink(self.path):
            return f"{os.readlink(self.path)}\n"
        return "(no link)\n" if os.path.lexists(self.path) else None

    def wanted(self) -> Optional[str]:
        return f"{self.target}\n"

    def without(self) -> Optional[str]:
        return None

    def foreign(self) -> Optional[str]:
        if self.now() not in (None, self.wanted()):
            return f"is not the link to {self.target} that foster.init makes"
        return None

    def write(self, text: str) -> None:
        os.makedirs(os.path.dirname(self.path), mode=0o755, exist_ok=True)
        os.symlink(text[:-1], self.path)


class Line(NamedTuple):
    """A line of ours in somebody else's file, below a comment that says so. ``key``: begins other lines that clash."""

    path: str
    line: str
    key: str = ""

    @property
    def block(self) -> str:
        return f"# {MARK}: the next line.\n{self.line}\n"

    def now(self) -> Optional[str]:
        return read(self.path)

    def wanted(self) -> Optional[str]:
        """Return the file with our line at its end; an older one of ours is taken out."""
        text = self.now() or ""
        if self.block in text:
            return text
        rest = self.without() or ""
        return rest + ("" if not rest or rest.endswith("\n") else "\n") + self.block

    def without(self) -> Optional[str]:
        """Return the file without our comment and the line below it."""
        lines = (self.now() or "").splitlines(keepends=True)
        ours = {at + step for at, line in enumerate(lines) if line.startswith(f"# {MARK}") for step in (0, 1)}
        return "".join(line for at, line in enumerate(lines) if at not in ours)

    def foreign(self) -> Optional[str]:
        if self.now() is None:
            return "is not there, so this init runs with what is built into it; write one first"
        clash = [line for line in (self.without() or "").splitlines() if self.key and line.startswith(self.key)]
        return f"has a line that is not ours, {clash[0]}" if clash else None

    def write(self, text: str) -> None:
        before = os.stat(self.path)
        files.write(self.path, text.encode("utf-8", "surrogateescape"), stat.S_IMODE(before.st_mode))
        if os.geteuid() == 0:
            os.chown(self.path, before.st_uid, before.st_gid)


class Pieces:
    """All pieces that tell one init of the supervisor, in the order of being written."""

    def __init__(self, init: str, pieces: Sequence[Piece]) -> None:
        self._init = init
        self._pieces: Sequence[Piece] = pieces

    def verify(self, removing: bool = False) -> None:
        """Raise InitError for what is somebody else's, and for what cannot be written."""
        for piece in self._pieces:
            there = piece.now()
            if there == (piece.without() if removing else piece.wanted()):
                continue
            problem = piece.foreign()
            if problem and (there is not None or not removing):
                if removing and isinstance(piece, Line):
                    continue  # there is nothing of ours in it
                raise InitError(
                    f"{piece.path} {problem}: it is left alone, so {self._init} cannot "
                    f"{'forget' if removing else 'run'} the supervisor before that is settled by hand"
                )
            folder = os.path.dirname(piece.path)
            while not os.path.isdir(folder):
                folder = os.path.dirname(folder)
            if not os.access(folder, os.W_OK):
                raise InitError(
                    f"{folder} cannot be written to, so {self._init} cannot {'forget' if removing else 'run'} the "
                    f"supervisor: it needs {piece.path}"
                )

    def pending(self) -> tuple[Change, ...]:
        """Return what put() would change."""
        texts = ((piece.path, piece.now(), piece.wanted()) for piece in self._pieces)
        return tuple(Change(f"write {path}", path, now, wanted) for path, now, wanted in texts if now != wanted)

    def put(self) -> bool:
        """Write what is not as wanted; return whether there was anything."""
        self.verify()
        changed = False
        for piece in self._pieces:
            wanted = piece.wanted()
            if wanted is not None and piece.now() != wanted:
                with _told(self._init):
                    piece.write(wanted)
                changed = True
        return changed

    def traces(self) -> tuple[Change, ...]:
        """Return what take() would change."""
        found = []
        for piece in self._pieces:
            now, without = piece.now(), piece.without()
            if now != without and now is not None:
                found.append(
                    Change(f"{'remove' if without is None else 'write'} {piece.path}", piece.path, now, without)
                )
        return tuple(found)

    def take(self) -> bool:
        """Take away what put() has written, the last first; return whether there was anything."""
        self.verify(removing=True)
        changed = False
        for piece in reversed(self._pieces):
            now, without = piece.now(), piece.without()
            if now is None or now == without:
                continue
            with _told(self._init):
                if without is None:
                    os.unlink(piece.path)
                else:
                    piece.write(without)
            changed = True
        return changed


@contextlib.contextmanager
def _told(init: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InitError(f"{error.filename}: {error.strerror}; {init} needs it to run the supervisor") from error


def read(path: str) -> Optional[str]:
    """Return the text of a file, None when there is none."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return None
