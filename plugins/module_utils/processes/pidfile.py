# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that name a process: read with suspicion, written whole or not at all.

Who can write a pidfile can point at anybody's process. So one is believed as far as its owner could signal the process:
root and this user for any, another user for own processes only. One that everybody can write is refused.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
import time
from typing import NamedTuple, Optional

MOST_PID = 1 << 22  # PID_MAX_LIMIT, proc(5)
_LONGEST = 4096  # bytes that are read; a pid stands on the first line
_HALF_WRITTEN = 0.5  # seconds that a file without content gets: its writer may be between open and write


class PidFileError(Exception):
    """A pidfile that must not be used; one sentence that names it and says what to do."""


class PidFile(NamedTuple):
    """What a pidfile says. ``pid`` None: nothing usable, and ``problem`` says why ("" when there is no file).

    ``owner``: the only user whose processes it can vouch for, None: anybody's. ``written``: seconds since the epoch.
    """

    path: str
    exists: bool
    pid: Optional[int] = None
    problem: str = ""
    owner: Optional[int] = None
    written: float = 0.0


def parse(data: bytes) -> tuple[Optional[int], str]:
    """Return (pid, "") for the content of a pidfile, or (None, why it holds none).

    The first word counts; what some daemons write on further lines does not. Nothing is cut off, rounded or wrapped.
    """
    words = data.split(b"\n", 1)[0].split()
    if not words:
        return None, "is empty" if not data.strip() else "has an empty first line"
    word = words[0]
    if not word.isdigit():
        return None, f"holds {_shown(word)} where a pid should be"
    if len(word) > 10 or int(word) > MOST_PID:
        return None, f"holds {_shown(word)}, which is more than any pid (at most {MOST_PID})"
    if int(word) == 0:
        return None, "holds 0, which is no process"
    return int(word), ""


def _shown(word: bytes) -> str:
    text = word[:32].decode("ascii", "backslashreplace")
    return '"' + "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text) + '"'


def read(path: str, only: bool = False) -> PidFile:
    """Read a pidfile. ``only``: nothing else tells the process, so a file of another user is refused, too.

    Raise PidFileError for a file that is not to be trusted, and for what is no file.
    """
    deadline = time.monotonic() + _HALF_WRITTEN
    while True:
        found = _read(path, only)
        if found.problem != "is empty" or time.monotonic() > deadline:
            return found
        time.sleep(0.02)


def _read(path: str, only: bool) -> PidFile:
    trusted = (0, os.geteuid())
    try:
        link = os.lstat(path)
        if stat.S_ISLNK(link.st_mode) and link.st_uid not in trusted:
            raise PidFileError(
                f"pidfile {path} is a symbolic link of user {link.st_uid}, who can point it anywhere: remove it"
            )
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (FileNotFoundError, NotADirectoryError):
        return PidFile(path, os.path.lexists(path), problem="is a link to nothing" if os.path.lexists(path) else "")
    except OSError as error:
        raise PidFileError(f"pidfile {path} cannot be read: {error.strerror}") from error
    try:
        status = os.fstat(descriptor)
        if stat.S_ISCHR(status.st_mode) and os.path.realpath(path) == os.devnull:
            return PidFile(path, False)
        _check(path, status, only, trusted)
        check_folder(path)
        pid, problem = parse(os.read(descriptor, _LONGEST))
    finally:
        os.close(descriptor)
    owner = None if status.st_uid in trusted else status.st_uid
    return PidFile(path, True, pid, problem, owner, status.st_mtime)


def _check(path: str, status: os.stat_result, only: bool, trusted: tuple[int, int]) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise PidFileError(f"pidfile {path} is not a regular file: name the file that the daemon writes its pid to")
    if status.st_mode & stat.S_IWOTH:
        raise PidFileError(f"pidfile {path} can be written by everybody: make it 0644, or anybody can name a victim")
    if status.st_nlink > 1:
        raise PidFileError(
            f"pidfile {path} has {status.st_nlink} names (hard links): remove it, it is not the daemon's"
        )
    foreign = status.st_uid not in trusted
    by_group = bool(status.st_mode & stat.S_IWGRP) and status.st_gid not in (0, os.getegid())
    if only and (foreign or by_group):
        whose = f"belongs to user {status.st_uid}" if foreign else f"can be written by group {status.st_gid}"
        raise PidFileError(
            f"pidfile {path} {whose}, who could name any process in it: give exec, startas, name or user, too"
        )


def check_folder(path: str) -> None:
    """Raise PidFileError when everybody can replace the file, because a folder above it is open to everybody."""
    folder = os.path.dirname(os.path.realpath(path))
    while True:
        try:
            status = os.stat(folder)
        except OSError:
            return
        if status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
            raise PidFileError(
                f"pidfile {path} lies below {folder}, where everybody can replace it: take write permission away there"
            )
        if folder == "/":
            return
        folder = os.path.dirname(folder)


def write(path: str, pid: int) -> None:
    """Put ``pid`` into the file, whole or not at all: a reader never sees half of it, and a link is not followed."""
    check_folder(path)
    folder, name = os.path.split(path)
    try:
        if os.path.isdir(path) and not os.path.islink(path):
            raise PidFileError(f"pidfile {path} is a folder")
        descriptor, temporary = tempfile.mkstemp(prefix=f".{name[:200]}.", dir=folder)
        try:
            with open(descriptor, "wb") as file:
                file.write(b"%d\n" % pid)
                os.fchmod(descriptor, 0o644)
            os.rename(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise PidFileError(f"pidfile {path} cannot be written: {error.strerror}") from error


def remove(path: str, pid: Optional[int] = None) -> bool:
    """Remove the file if it still names ``pid`` (None: whatever it holds); return whether that was done."""
    try:
        if pid is not None and _read(path, False).pid not in (pid, None):
            return False  # another daemon has written it since
        os.unlink(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise PidFileError(f"pidfile {path} cannot be removed: {error.strerror}") from error
    return True
