# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of one job in the job folder: read, replaced atomically, removed; a symbolic link is never followed."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from typing import Optional

from .errors import InitError

MAX_BYTES = 1 << 20


def read(path: str) -> Optional[str]:
    """Return the text of the regular file at ``path``, None where there is none; raise InitError for anything else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise InitError(
                f"{path}: is a symbolic link, which is not followed; put a regular file there or remove it."
            ) from error
        raise InitError(f"{path}: cannot be read: {error.strerror}.") from error
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise InitError(f"{path}: is not a regular file; a job is a text file.")
        if status.st_size > MAX_BYTES:
            raise InitError(f"{path}: has {status.st_size} bytes; a job file has at most {MAX_BYTES}.")
        data = file.read(MAX_BYTES + 1)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InitError(f"{path}: byte {error.start} is not UTF-8; a job is a text file in UTF-8.") from error


def write(path: str, text: str) -> None:
    """Put ``text`` at ``path`` with mode 0644, whole or not at all; make the folder where it is missing."""
    folder = os.path.dirname(path)
    try:
        os.makedirs(folder, mode=0o755, exist_ok=True)
        # The dot in front keeps the supervisor, which watches the folder, from reading the half-written file.
        descriptor, temporary = tempfile.mkstemp(prefix=f".{os.path.basename(path)}.", dir=folder)
        try:
            with open(descriptor, "wb") as file:
                file.write(text.encode("utf-8"))
                file.flush()
                os.fchmod(descriptor, 0o644)
                os.fsync(descriptor)
            os.rename(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise InitError(f"{path}: cannot be written: {error.strerror}.{_hint(error)}") from error


def remove(path: str) -> None:
    """Remove the file at ``path``; that it is gone already is fine."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise InitError(f"{path}: cannot be removed: {error.strerror}.{_hint(error)}") from error


def _hint(error: OSError) -> str:
    if isinstance(error, PermissionError) and os.geteuid() != 0:
        return " Use become, or scope: user for jobs of your own."
    return ""
