# SPDX-License-Identifier: GPL-3.0-or-later
"""The few system calls that Python has no name for, through ctypes."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys
import termios
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_libc = ctypes.CDLL(None, use_errno=True)

PR_SET_NAME = 15  # prctl(2), Linux 2.6.9
PR_SET_CHILD_SUBREAPER = 36  # Linux 3.4

IN_ATTRIB = 0x4
IN_CLOSE_WRITE = 0x8
IN_MOVED_FROM = 0x40
IN_MOVED_TO = 0x80
IN_CREATE = 0x100
IN_DELETE = 0x200
IN_DELETE_SELF = 0x400
IN_MODIFY = 0x2
IN_Q_OVERFLOW = 0x4000
IN_IGNORED = 0x8000
IN_ONLYDIR = 0x1000000
IN_ISDIR = 0x40000000
_IN_NONBLOCK = os.O_NONBLOCK
_IN_CLOEXEC = os.O_CLOEXEC

_EVENT = struct.Struct("iIII")
_SIGSET_SIZE = 128  # bytes, glibc and musl
_SO_ATTACH_FILTER = 26
_INSTRUCTION_SIZE = 8  # bytes, sock_filter of linux/filter.h
_SIGNAL = struct.Struct("IiiI112x")  # number, errno, code, pid of the sender; signalfd(2), Linux 2.6.22


class Arrived(NamedTuple):
    """A signal. ``sender``: the pid of the process that sent it, 0 for the kernel or one outside of our namespace."""

    number: int
    sender: int


def signal_descriptor(numbers: Iterable[int], descriptor: int = -1) -> int:
    """Return a descriptor from which blocked signals are read (``descriptor`` itself, if given); raise OSError."""
    wanted = ctypes.create_string_buffer(_SIGSET_SIZE)
    _libc.sigemptyset(wanted)
    for number in numbers:
        _libc.sigaddset(wanted, number)
    found = int(_libc.signalfd(descriptor, wanted, os.O_NONBLOCK | os.O_CLOEXEC))
    if found < 0:
        raise OSError(ctypes.get_errno(), "signalfd")
    return found


def read_signals(descriptor: int) -> list[Arrived]:
    """Return what has arrived, in the order of the signals' numbers."""
    try:
        data = os.read(descriptor, 64 * _SIGNAL.size)
    except BlockingIOError:
        return []
    return [
        Arrived(number, sender if code <= 0 or number == signal.SIGCHLD else 0)
        for number, _error, code, sender in _SIGNAL.iter_unpack(data)
    ]


def become_subreaper() -> bool:
    """Make every orphaned descendant a child of this process; return whether the kernel agreed."""
    return bool(_libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def name_process(name: str) -> None:
    """Make ps, top and who asks for a parent's name say ``name`` (at most 15 bytes) and not the interpreter's."""
    _libc.prctl(PR_SET_NAME, name.encode(), 0, 0, 0)


def splice(source: int, target: int, offset: int, count: int) -> int:
    """Move up to ``count`` bytes from a pipe into a file at ``offset`` without holding them here.

    splice(2), Linux 2.6.17; Python has it from 3.10 on. Returns how many were moved; raises OSError (EINVAL: not with
    this kind of file).
    """
    where = ctypes.c_longlong(offset)
    moved = int(_libc.splice(source, None, target, ctypes.byref(where), ctypes.c_size_t(count), ctypes.c_uint(0)))
    if moved < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return moved


def waiting_bytes(pipe: int) -> int:
    """Return how many bytes a pipe holds."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def trim_memory() -> None:
    """Give memory that is not needed any more back to the kernel (malloc_trim(3), glibc only)."""
    trim = getattr(_libc, "malloc_trim", None)
    if trim is not None:
        trim(0)


def filter_socket(filtered: socket.socket, program: bytes) -> None:
    """Let the kernel put only such packets into a socket that ``program`` takes; raise OSError.

    socket(7), SO_ATTACH_FILTER; a program of sock_filter instructions replaces the one before as a whole.
    """
    held = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("HP", len(program) // _INSTRUCTION_SIZE, ctypes.addressof(held))
    filtered.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)


def inotify_open() -> int:
    """Return a new inotify descriptor, non-blocking and closed on exec; raise OSError."""
    fd = int(_libc.inotify_init1(_IN_NONBLOCK | _IN_CLOEXEC))
    if fd < 0:
        raise OSError(ctypes.get_errno(), "inotify_init1")
    return fd


def inotify_add(fd: int, path: str, mask: int) -> int:
    """Watch ``path``; return the watch descriptor; raise OSError."""
    watch = int(_libc.inotify_add_watch(fd, os.fsencode(path), ctypes.c_uint32(mask)))
    if watch < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), path)
    return watch


def inotify_events(fd: int) -> Iterator[tuple[int, int, str]]:
    """Yield the pending events as (watch descriptor, mask, file name)."""
    while True:
        try:
            data = os.read(fd, 65536)
        except BlockingIOError:
            return
        offset = 0
        while offset < len(data):
            watch, mask, _cookie, length = _EVENT.unpack_from(data, offset)
            offset += _EVENT.size
            yield watch, mask, os.fsdecode(data[offset : offset + length].rstrip(b"\0"))
            offset += length
