# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the files that a program made name one of its processes."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator

_SIZE = 64  # bytes that are read; PostgreSQL's has more lines, the first is the pid
_PID = re.compile(rb"\s*(\d{1,10})\s*(?:\n|$)")
_FOLDERS = ("/run", "/tmp", "/var/lib", "/var/log")  # where to look when the program's own calls were not seen
_DEPTH = 2
_NOT_FILES = ("/proc/", "/sys/", "/dev/")


def named(paths: Iterable[str], pids: Collection[int]) -> list[tuple[str, int]]:
    """Return (path, pid) for each regular file whose first line is one of ``pids``, names with pid first."""
    found = []
    for path in paths:
        pid = _read(path)
        if pid in pids:
            found.append((path, pid))
    return sorted(found, key=lambda each: ("pid" not in os.path.basename(each[0]).lower(), _is_lock(each[0]), each[0]))


def _is_lock(path: str) -> bool:
    return "lock" in os.path.basename(path).lower()


def _read(path: str) -> int:
    """Return the pid in the file, 0 for none. A FIFO or a device is not opened for real."""
    if path.startswith(_NOT_FILES):
        return 0
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return 0
        match = _PID.match(os.read(descriptor, _SIZE))
    except OSError:
        return 0
    finally:
        os.close(descriptor)
    return int(match.group(1)) if match else 0


def mentioned(commands: Iterable[str]) -> Iterator[str]:
    """Yield the paths that command lines mention, ``/run/x.pid`` or ``--pidfile=/run/x.pid``, and what a folder has."""
    for command in commands:
        for word in command.split():
            path = word[word.find("/") :] if "/" in word else ""
            try:
                names = os.listdir(path) if path and os.path.isdir(path) else []
            except OSError:
                continue
            yield from [path] if path and not names else []
            yield from (os.path.join(path, name) for name in names if "pid" in name.lower())


def recent(since: float, folders: Iterable[str] = _FOLDERS) -> Iterator[str]:
    """Yield files with ``pid`` in their name that were changed after ``since`` (seconds of the wall clock)."""
    for top in folders:
        for folder, below, files in os.walk(top):
            if folder.rstrip("/").count("/") - top.count("/") >= _DEPTH:
                below.clear()
            for name in files:
                path = os.path.join(folder, name)
                try:
                    if "pid" in name.lower() and os.stat(path, follow_symlinks=False).st_mtime >= since - 1:
                        yield path
                except OSError:
                    continue
