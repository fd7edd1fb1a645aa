# SPDX-License-Identifier: GPL-3.0-or-later
"""Service folders that runsvdir or s6-svscan watches: commands go into the fifo of the folder's own supervisor.

runsv and s6-supervise understand the same letters: u up, d down, x exit. No program of theirs has to be found.
Source: runsv(8); the documentation of s6-supervise and s6-svscan.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time

from ..errors import InitError

_PATIENCE = 20.0  # seconds for a supervisor of a folder to leave; runsvdir looks at its folder every 5 s
_LOOK = 0.05
_VOLATILE = ("tmpfs", "ramfs", "overlaytmp")


def order(folder: str, letters: str) -> bool:
    """Write commands to the supervisor of a service folder; return False when there is none."""
    return write_fifo(os.path.join(folder, "supervise", "control"), letters)


def write_fifo(path: str, letters: str) -> bool:
    """Write to a fifo that somebody reads; return False when nobody does."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ENOENT, errno.ENOTDIR):
            return False
        raise InitError(f"{path}: {error.strerror}; it is needed to give orders to the supervisor's init") from error
    with contextlib.suppress(BrokenPipeError):
        try:
            os.write(descriptor, letters.encode("ascii"))
        finally:
            os.close(descriptor)
    return True


def wait_until_unwatched(folder: str) -> None:
    """Return when nobody supervises the service folder any more; raise InitError when that takes too long."""
    deadline = time.monotonic() + _PATIENCE
    while order(folder, ""):
        if time.monotonic() > deadline:
            raise InitError(f"The supervisor of {folder} has not left it within {_PATIENCE:g} s")
        time.sleep(_LOOK)


def is_volatile(folder: str, mounts: str = "/proc/self/mounts") -> bool:
    """Return whether the folder is in memory only, and so is empty after a boot."""
    folder = os.path.realpath(folder)
    best, kind = "", ""
    with open(mounts, encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            _device, place, found = [*line.split(), "", "", ""][:3]
            if (folder + "/").startswith(place.rstrip("/") + "/") and len(place) >= len(best):
                best, kind = place, found
    return kind in _VOLATILE
