# SPDX-License-Identifier: GPL-3.0-or-later
"""What survives the supervisor: a journal on tmpfs from which the next one goes on.

Each line is a JSON array ``[key, record]``; a later line replaces an earlier one with the same key, and a record of
null removes
it. Lines are written with one write(2) before the effects they describe are acted on, so after ``kill -9`` the file
holds
everything but at most a half line, which is ignored. Nothing is kept in memory: compacting reads the file again.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from typing import Any, Optional

_COMPACT_LINES = 4000  # written since the last compaction
_MUCH = 65536  # bytes that wait for a flush at most


class Ledger:
    """The journal at ``path``; None: nothing is kept.

    ``warn(text)`` is told when nothing can be written any more: a full tmpfs must not end who looks after the jobs.
    What was noted then waits for room, and only a crash before that finds less than there was.
    """

    def __init__(self, path: Optional[str], warn: Callable[[str], None] = lambda _text: None) -> None:
        self.path = path
        self._warn = warn
        self._failing = False
        self._half = False  # the file ends with the half line of a killed supervisor
        self._fd = -1
        self._lines = 0
        self._pending = bytearray()
        self._due = _COMPACT_LINES
        self._encode = json.JSONEncoder(separators=(",", ":")).encode

    def load(self) -> dict[str, Any]:
        """Return what a former supervisor wrote: key to record, in the order of the first writing."""
        strings: dict[str, str] = {}
        return {key: _shared(json.loads(line)[1], strings) for key, line in self._read().items()}

    def _read(self) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        if self.path is None:
            return found
        try:
            with open(self.path, "rb") as file:
                for line in file:
                    self._half = not line.endswith(b"\n")
                    try:
                        key, record = json.loads(line)
                    except ValueError:
                        continue  # the half line of a killed supervisor
                    if record is None:
                        found.pop(key, None)
                    else:
                        found[key] = line if line.endswith(b"\n") else line + b"\n"
        except FileNotFoundError:
            pass
        return found

    def put(self, key: str, record: Any) -> None:
        """Note that ``key`` is now ``record`` (None: gone); on file after ``flush``, or before if there is much."""
        if self.path is None:
            return
        self._pending += self._encode([key, record]).encode()
        self._pending += b"\n"
        self._lines += 1
        if len(self._pending) > _MUCH:
            self._write()

    def flush(self) -> None:
        """Write what was noted."""
        if self._pending:
            self._write()
            if self._lines >= self._due and not self._pending:
                self._compact_if_possible()

    def _write(self) -> None:
        try:
            if self._fd < 0:
                self._fd = self._open(self.path or "", os.O_APPEND)
                if self._half:
                    self._pending[:0] = b"\n"
                    self._half = False
            while self._pending:  # in one go or in pieces, the line goes on where it was left
                del self._pending[: os.write(self._fd, self._pending)]
        except OSError as error:
            if not self._failing:
                self._warn(
                    f"{self.path}: cannot be written: {error.strerror}; until there is room a crash could lose jobs"
                )
            self._failing = True
        else:
            self._failing = False

    def _compact_if_possible(self) -> None:
        try:
            self.compact()
        except OSError as error:
            self._due = self._lines + _COMPACT_LINES
            self._warn(f"{self.path}: cannot be written anew: {error.strerror}; it goes on growing")

    def _open(self, path: str, flags: int) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | flags, 0o600)

    def compact(self) -> None:
        """Write the file anew with only what counts, and put it in place of the old one at once; raise OSError."""
        if self.path is None:
            return
        lines = self._read()
        new = self.path + ".new"
        fd = self._open(new, os.O_TRUNC | os.O_APPEND)
        try:
            data = b"".join(lines.values())
            while data:
                data = data[os.write(fd, data) :]
            os.rename(new, self.path)
        except OSError:
            os.close(fd)
            with contextlib.suppress(OSError):
                os.unlink(new)
            raise
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = fd
        self._lines = 0
        self._due = max(_COMPACT_LINES, 2 * len(lines))

    def end(self) -> None:
        """Remove the file, and keep nothing of what may still be noted: the supervisor has ended in good order."""
        self.remove()
        self.path = None
        self._pending.clear()

    def remove(self) -> None:
        """Forget what a former supervisor wrote."""
        self.close()
        if self.path is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _shared(value: Any, strings: dict[str, str]) -> Any:
    """Return a record whose strings are those of ``strings`` where that has the same, and add to it the others.

    Thousands of records say the same. What is kept of each would lie between what is not, and keep its memory.
    """
    if isinstance(value, str):
        return strings.setdefault(value, value)
    if isinstance(value, list):
        return [_shared(each, strings) for each in value]
    if isinstance(value, dict):
        return {strings.setdefault(key, key): _shared(each, strings) for key, each in value.items()}
    return value
