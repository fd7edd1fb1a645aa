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
from collections.abc import Iterable
from typing import Any, Optional

_COMPACT_LINES = 4000  # written since the last compaction


class Ledger:
    """The journal at ``path``; None: nothing is kept."""

    def __init__(self, path: Optional[str]) -> None:
        self.path = path
        self._fd = -1
        self._lines = 0
        self._pending: list[bytes] = []
        self._due = _COMPACT_LINES
        self._encode = json.JSONEncoder(separators=(",", ":")).encode

    def load(self) -> dict[str, Any]:
        """Return what a former supervisor wrote: key to record, in the order of the first writing."""
        return {key: json.loads(line)[1] for key, line in self._read().items()}

    def _read(self) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        if self.path is None:
            return found
        try:
            with open(self.path, "rb") as file:
                for line in file:
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
        """Note that ``key`` is now ``record`` (None: gone); on file after ``flush``."""
        if self.path is not None:
            self._pending.append(self._encode([key, record]).encode() + b"\n")

    def put_all(self, changes: Iterable[tuple[str, Any]]) -> None:
        for key, record in changes:
            self.put(key, record)

    def flush(self) -> None:
        """Write what was noted; raise OSError."""
        if not self._pending or self.path is None:
            return
        data = b"".join(self._pending)
        self._lines += len(self._pending)
        self._pending.clear()
        if self._fd < 0:
            self._fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        while data:
            data = data[os.write(self._fd, data) :]
        if self._lines >= self._due:
            self.compact()

    def compact(self) -> None:
        """Write the file anew with only what counts, and put it in place of the old one at once; raise OSError."""
        if self.path is None:
            return
        lines = self._read()
        new = self.path + ".new"
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        data = b"".join(lines.values())
        while data:
            data = data[os.write(fd, data) :]
        os.rename(new, self.path)
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = fd
        self._lines = 0
        self._due = max(_COMPACT_LINES, 2 * len(lines))

    def remove(self) -> None:
        """Forget everything: the supervisor has ended in good order."""
        self.close()
        if self.path is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
