# SPDX-License-Identifier: GPL-3.0-or-later
"""Which system calls are worth a look: a seccomp filter that stops for them alone, and what they say.

Everything else runs at full speed. A stop costs the program some 50 microseconds.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from typing import NamedTuple, Optional

from . import events as seen
from .ptrace import SystemCall

_libc = ctypes.CDLL(None, use_errno=True)

# linux/audit.h; elsewhere there is no filter
_X86_64, _AARCH64 = 0xC000003E, 0xC00000B7
_ARCHITECTURES = {"x86_64": _X86_64, "aarch64": _AARCH64}
_NUMBERS = {  # asm/unistd_64.h, asm-generic/unistd.h
    _X86_64: {
        "listen": 50, "setsid": 112, "rename": 82, "renameat": 264, "renameat2": 316, "link": 86, "linkat": 265,
        "creat": 85, "open": 2, "openat": 257,
    },
    _AARCH64: {"listen": 201, "setsid": 157, "renameat": 38, "renameat2": 276, "linkat": 37, "openat": 56},
}  # fmt: skip
_FLAGS = {"open": 1, "openat": 2}  # which argument holds the flags: only calls that create are looked at
_NEW_PATH = {  # which arguments are (folder descriptor, path); None for the working folder
    "creat": (None, 0), "open": (None, 0), "openat": (0, 1), "rename": (None, 1), "renameat": (2, 3),
    "renameat2": (2, 3), "link": (None, 1), "linkat": (2, 3),
}  # fmt: skip
_X32_BIT = 0x40000000

# linux/bpf_common.h, linux/seccomp.h
_LOAD, _EQUAL, _ANY_BIT, _AT_LEAST, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_ALLOW, _TRACE = 0x7FFF0000, 0x7FF00000
_AT_NUMBER, _AT_ARCHITECTURE, _AT_ARGUMENTS = 0, 4, 16
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_AT_FDCWD = -100
_INSTRUCTION = struct.Struct("=HBBI")


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def filter_program(machine: str) -> Optional[bytes]:
    """Return the filter for ``machine`` (as os.uname says); None where the numbers of its calls are not known."""
    architecture = _ARCHITECTURES.get(machine)
    if architecture is None:
        return None
    lines: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, _AT_ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _ALLOW),
        (_LOAD, 0, 0, _AT_NUMBER),
        (_AT_LEAST, 0, 1, _X32_BIT),
        (_RETURN, 0, 0, _ALLOW),
    ]
    for name, number in _NUMBERS[architecture].items():
        if name in _FLAGS:
            lines += [
                (_EQUAL, 0, 4, number),
                (_LOAD, 0, 0, _AT_ARGUMENTS + 8 * _FLAGS[name]),  # the low half: both machines are little-endian
                (_ANY_BIT, 0, 1, os.O_CREAT),
                (_RETURN, 0, 0, _TRACE),
                (_RETURN, 0, 0, _ALLOW),
            ]
        else:
            lines += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _TRACE)]
    lines.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(_INSTRUCTION.pack(*line) for line in lines)


def install(program: bytes) -> bool:
    """Put the filter on this process and all that it will execute; return whether the kernel took it.

    Without CAP_SYS_ADMIN that needs no_new_privs, which takes the effect of set-user-ID away; so does being traced.
    """
    buffer = ctypes.create_string_buffer(program, len(program))
    loaded = _Program(len(program) // _INSTRUCTION.size, ctypes.addressof(buffer))

    def load() -> bool:
        return bool(_libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(loaded), 0, 0) == 0)

    return load() or (_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 and load())


class Said(NamedTuple):
    """What a call says: a kind of event and its detail."""

    kind: str
    detail: str


def meaning(call: SystemCall, tid: int) -> Optional[Said]:
    """Return what the call of the stopped thread ``tid`` is about, None for nothing of interest.

    The detail is empty where the kernel hides it: of a process that has changed its user, from a tracer without
    CAP_SYS_PTRACE.
    """
    names = {number: name for name, number in _NUMBERS.get(call.architecture, {}).items()}
    name = names.get(call.number)
    if name is None:
        return None
    if name == "setsid":
        return Said(seen.SESSION, "")
    if name == "listen":
        target = _link(f"/proc/{tid}/fd/{call.arguments[0] & 0xFFFFFFFF}")
        return Said(seen.LISTEN, target[len("socket:[") : -1])
    folder, path = _NEW_PATH[name]
    found = _path(tid, None if folder is None else call.arguments[folder], call.arguments[path])
    return Said(seen.CREATE, found)


def _path(tid: int, folder: Optional[int], address: int) -> str:
    """Return the path at ``address`` of the thread's memory, as we see it: below its root and its folder."""
    text = os.fsdecode(_string(tid, address))
    if not text:
        return ""
    if not text.startswith("/"):
        number = _AT_FDCWD if folder is None else ctypes.c_int(folder & 0xFFFFFFFF).value
        base = _link(f"/proc/{tid}/cwd" if number == _AT_FDCWD else f"/proc/{tid}/fd/{number}")
        return os.path.normpath(os.path.join(base, text)) if base.startswith("/") else ""
    root = _link(f"/proc/{tid}/root").rstrip("/")
    return root + os.path.normpath(text).replace("//", "/")


def _string(tid: int, address: int) -> bytes:
    """Return the string at ``address``, at most 4095 bytes; empty where it cannot be read."""
    return b"".join(_pieces(tid, address)).partition(b"\0")[0]


def _pieces(tid: int, address: int) -> Iterator[bytes]:
    try:
        memory = os.open(f"/proc/{tid}/mem", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        left = os.pathconf("/", "PC_PATH_MAX")
        while left > 0:
            size = min(left, 4096 - address % 4096)  # not beyond the page: the next one may not be there
            piece = os.pread(memory, size, address)
            yield piece
            if not piece or b"\0" in piece:
                return
            address, left = address + len(piece), left - len(piece)
    except (OSError, OverflowError):
        return
    finally:
        os.close(memory)


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
