# SPDX-License-Identifier: GPL-3.0-or-later
"""The socket that clients connect to, made so that it is ours alone and nobody can take its place.

A path socket has file permissions and can be reached from every network namespace; an abstract one, which Upstart's
session mode uses, has neither, so who may do what is decided from SO_PEERCRED alone.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat
from typing import Optional

_BACKLOG = 128
_LONGEST_PATH = 107  # bytes, unix(7)
OPEN_TO_ALL = 0o666
OPEN_TO_OWNER = 0o600


class ListenError(Exception):
    """The socket cannot be made: one sentence that says why and what to do."""


class Listener:
    """A listening socket with its D-Bus ``address``. Use ``at_path``, ``abstract`` or ``inherit``."""

    def __init__(
        self, sock: socket.socket, address: str, path: Optional[str] = None, lock: Optional[int] = None
    ) -> None:
        sock.setblocking(False)
        self.socket = sock
        self.address = address
        self.path = path
        self.lock = lock  # descriptor; whoever holds the lock on it is the one supervisor at this path

    @classmethod
    def at_path(cls, path: str, open_to_all: bool = False) -> Listener:
        """Listen at ``path``; its folder is made if it is missing, and must be ours. Raise ListenError.

        ``open_to_all``: every local user may connect (what they may do is decided later); else only our own uid and
        root.
        """
        if len(os.fsencode(path)) > _LONGEST_PATH:
            raise ListenError(f"The socket path {path} is longer than {_LONGEST_PATH} bytes; choose a shorter one")
        try:
            _check_folder(os.path.dirname(path) or ".")
            lock = _take_lock(path)
        except OSError as error:
            raise ListenError(f"Cannot listen at {path}: {error.strerror}") from None
        try:
            return cls(
                _bind(path, OPEN_TO_ALL if open_to_all else OPEN_TO_OWNER), f"unix:path={quote(path)}", path, lock
            )
        except ListenError:
            os.close(lock)
            raise
        except OSError as error:
            os.close(lock)
            raise ListenError(f"Cannot listen at {path}: {error.strerror}") from None

    @classmethod
    def abstract(cls, name: str) -> Listener:
        """Listen at the abstract address ``name`` (session mode). Raise ListenError."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.bind("\0" + name)
            sock.listen(_BACKLOG)
        except OSError as error:
            sock.close()
            why = "another one listens there" if error.errno == errno.EADDRINUSE else error.strerror
            raise ListenError(f"Cannot listen at the abstract address {name}: {why}") from None
        return cls(sock, f"unix:abstract={quote(name)}")

    @classmethod
    def inherit(
        cls, fd: int, address: str, path: Optional[str] = None, lock: Optional[int] = None, open_to_all: bool = False
    ) -> Listener:
        """Go on with the descriptors that the program before us has left open (stateful re-exec)."""
        if path is not None:
            with contextlib.suppress(OSError):  # somebody has removed it
                os.chmod(path, OPEN_TO_ALL if open_to_all else OPEN_TO_OWNER)
        for one in (fd, lock):
            if one is not None:
                os.set_inheritable(one, False)
        return cls(socket.socket(fileno=fd), address, path, lock)

    def close(self, remove: bool = True) -> None:
        """Stop listening; ``remove``: take the socket file away as well."""
        if remove and self.path is not None:
            with contextlib.suppress(OSError):  # gone already
                os.unlink(self.path)
        self.socket.close()
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None


def quote(value: str) -> str:
    """Return ``value`` as it stands in a D-Bus address: other characters than ``-0-9A-Za-z_/.*`` as %xx."""
    plain = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_/.*"
    return "".join(chr(byte) if byte in plain else f"%{byte:02x}" for byte in os.fsencode(value))


def _check_folder(folder: str) -> None:
    """Make ``folder`` where it is missing; refuse it when someone else could replace what is in it."""
    try:
        os.mkdir(folder, 0o755)
        os.chmod(folder, 0o755)  # whatever the umask is
    except FileExistsError:
        pass
    found = os.lstat(folder)
    if stat.S_ISLNK(found.st_mode):
        raise ListenError(f"The folder {folder} is a symbolic link; give the real path of the socket")
    if not stat.S_ISDIR(found.st_mode):
        raise ListenError(f"{folder} is not a folder")
    if found.st_uid != os.geteuid():
        raise ListenError(f"The folder {folder} belongs to the user {found.st_uid}, not to {os.geteuid()}; remove it")
    if found.st_mode & 0o022:
        raise ListenError(f"Other users may write in {folder}; run: chmod go-w {folder}")


def _take_lock(path: str) -> int:
    """Return a descriptor that holds the lock of the supervisor at ``path``; the kernel lets go of it when we end."""
    name = path + ".lock"
    while True:
        lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(lock), os.stat(name)):
                return lock
        except FileNotFoundError:
            pass  # its owner has removed the file between our two steps: a lock on it would hold nobody off
        except BlockingIOError:
            os.close(lock)
            raise ListenError(f"Another supervisor runs at {path}; stop it first") from None
        os.close(lock)


def _bind(path: str, mode: int) -> socket.socket:
    """Return a socket that listens at ``path`` with the permissions ``mode``; a dead predecessor's file is removed."""
    _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)  # nobody connects before the permissions are what they shall be
    try:
        sock.bind(path)
        os.chmod(path, mode)
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    finally:
        os.umask(before)
    return sock


def _remove_stale(path: str) -> None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise ListenError(f"{path} exists and is not a socket; remove it")
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        probe.setblocking(False)
        probe.connect(path)
    except (ConnectionRefusedError, FileNotFoundError):
        os.unlink(path)
        return
    except OSError as error:
        raise ListenError(f"Something listens at {path} already ({error.strerror}); stop it first") from None
    finally:
        probe.close()
    raise ListenError(f"Something listens at {path} already; stop it first")
