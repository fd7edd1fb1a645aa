# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading pidfiles without being led astray: they are written by others.

What a pidfile says only ever selects one of the job's own processes, so whoever can write it cannot point us to a
stranger. No link is followed in the last part of the path, nothing but a short ordinary file is read, and it must
belong to root, to us or to the user of the process that it names.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from typing import Optional

from .choose import CERTAIN, Choice

_LONGEST = 64  # bytes that are looked at
_MOST = 1000  # files that a search looks at


def read(path: str) -> Optional[int]:
    """Return the pid in the file at ``path``; None where it names none, or may not be believed."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            return None
        words = os.read(fd, _LONGEST).split()
    except OSError:
        return None
    finally:
        os.close(fd)
    if not words or not words[0].isdigit() or len(words[0]) > 10:
        return None
    pid = int(words[0])
    return pid if status.st_uid in (0, os.geteuid()) or status.st_uid == _owner(pid) else None


def _owner(pid: int) -> Optional[int]:
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None


def search(pids: Collection[int], folders: Collection[str] = ("/run", "/var/run")) -> Optional[Choice]:
    """Return the one of ``pids`` that a ``*.pid`` file in or just below ``folders`` names; None for several."""
    found: dict[int, str] = {}
    for path in _files({os.path.realpath(folder) for folder in folders}):
        pid = read(path)
        if pid in pids and pid is not None:
            found.setdefault(pid, path)
    if len(found) != 1:
        return None
    pid, path = found.popitem()
    return Choice(pid, CERTAIN, f"{path} names it")


def _files(folders: Collection[str]) -> Iterator[str]:
    left = _MOST
    below: list[str] = []
    for level in (folders, below):
        for folder in level:
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if entry.name.endswith(".pid"):
                            left -= 1
                            if left < 0:
                                return
                            yield entry.path
                        elif level is folders and entry.is_dir(follow_symlinks=False):
                            below.append(entry.path)
            except OSError:
                continue
