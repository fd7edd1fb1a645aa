# SPDX-License-Identifier: GPL-3.0-or-later
"""One log file: opened so that nobody can lead it elsewhere, and renamed to make way for a new one."""

from __future__ import annotations

import errno
import os
import stat

_WRITE = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def open_to_write(path: str, flags: int = 0) -> int:
    """Open a log file, making it if it is missing; raise OSError, also for what is no file of our own.

    A link or a pipe that somebody has put in its place could lead the output anywhere.
    """
    fd = os.open(path, _WRITE | flags, 0o640)
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        why = "it is not a regular file"
    elif found.st_uid != os.geteuid():
        why = f"it belongs to the user {found.st_uid}"
    elif found.st_nlink != 1:
        why = "it has a second name (a hard link)"
    else:
        return fd
    os.close(fd)
    raise OSError(errno.EPERM, f"{why}; remove it", path)


def rotate(path: str, keep: int) -> None:
    """Rename a log file to ``.1``, that one to ``.2``, ..., so that ``keep`` old ones are left; raise OSError."""
    for number in range(keep - 1, 0, -1):
        if os.path.exists(f"{path}.{number}"):
            os.replace(f"{path}.{number}", f"{path}.{number + 1}")
    if keep > 0:
        os.replace(path, f"{path}.1")
    else:
        os.unlink(path)
