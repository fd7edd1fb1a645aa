# SPDX-License-Identifier: GPL-3.0-or-later
"""ptrace(2) through ctypes: only what following a family of processes needs. Needs PTRACE_SEIZE, Linux 3.4."""

from __future__ import annotations

import ctypes
import os
import struct
from contextlib import suppress
from typing import NamedTuple, Optional

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)

# linux/ptrace.h; the same numbers on every architecture
_CONT = 7
_GETEVENTMSG = 0x4201
_GETSIGINFO = 0x4202
_SEIZE = 0x4206
_LISTEN = 0x4208
_GET_SYSCALL_INFO = 0x420E  # Linux 5.3
_SYSCALL_INFO_SECCOMP = 3

EVENT_FORK, EVENT_VFORK, EVENT_CLONE, EVENT_EXEC = 1, 2, 3, 4
EVENT_EXIT, EVENT_SECCOMP, EVENT_STOP = 6, 7, 128
BIRTHS = (EVENT_FORK, EVENT_VFORK, EVENT_CLONE)

_EXITKILL = 1 << 20  # Linux 3.8: they end when we do
_OPTIONS = _EXITKILL | sum(1 << event for event in (*BIRTHS, EVENT_EXEC, EVENT_EXIT, EVENT_SECCOMP))

WALL = 0x40000000  # __WALL of waitpid(2): threads, too

_SIGINFO = struct.Struct("iiiii" if ctypes.sizeof(ctypes.c_void_p) == 4 else "iii4xiI")  # signo, errno, code, pid, uid
_SYSCALL_INFO = struct.Struct("=B3xIQQQ6Q")


class SystemCall(NamedTuple):
    """A system call that is about to be made: audit architecture, number, arguments."""

    architecture: int
    number: int
    arguments: tuple[int, ...]


def _ptrace(request: int, pid: int, address: Optional[int] = None, data: Optional[int] = None) -> int:
    result = int(_libc.ptrace(request, pid, address, data))
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def seize(pid: int) -> None:
    """Follow ``pid`` and everything it will make. Raises OSError (EPERM: Yama, seccomp or another tracer forbid it)."""
    _ptrace(_SEIZE, pid, 0, _OPTIONS)


def go_on(tid: int, signal: int = 0) -> None:
    """Let a stopped thread run, with ``signal`` delivered to it. One that has been killed meanwhile is no error."""
    with suppress(ProcessLookupError):
        _ptrace(_CONT, tid, 0, signal)


def stay_stopped(tid: int) -> None:
    """Leave a thread in its group-stop, so that job control goes on as if nobody looked (SIGCONT ends it)."""
    with suppress(ProcessLookupError):
        _ptrace(_LISTEN, tid, 0, 0)


def event_message(tid: int) -> Optional[int]:
    """Return the message of the event that ``tid`` has stopped for: the new pid, the former tid, or the exit status."""
    message = ctypes.c_ulong(0)
    try:
        _ptrace(_GETEVENTMSG, tid, 0, ctypes.addressof(message))
    except ProcessLookupError:
        return None
    return int(message.value)


def sender(tid: int) -> Optional[int]:
    """Return the pid that sent the signal which is about to be delivered; None in a group-stop or when it is gone."""
    buffer = ctypes.create_string_buffer(128)
    try:
        _ptrace(_GETSIGINFO, tid, 0, ctypes.addressof(buffer))
    except OSError:
        return None
    return int(_SIGINFO.unpack_from(buffer.raw)[3])


def system_call(tid: int) -> Optional[SystemCall]:
    """Return the call that a seccomp filter has stopped ``tid`` for; None before Linux 5.3 or when it is gone."""
    buffer = ctypes.create_string_buffer(128)
    try:
        _ptrace(_GET_SYSCALL_INFO, tid, ctypes.sizeof(buffer), ctypes.addressof(buffer))
    except OSError:
        return None
    operation, architecture, _pointer, _stack, number, *arguments = _SYSCALL_INFO.unpack_from(buffer.raw)
    return SystemCall(architecture, number, tuple(arguments)) if operation == _SYSCALL_INFO_SECCOMP else None
