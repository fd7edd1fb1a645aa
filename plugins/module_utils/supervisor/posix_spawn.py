# SPDX-License-Identifier: GPL-3.0-or-later
"""posix_spawn(3) with what Python's has no argument for: the cgroup that the process is born in.

The kernel puts it there (CLONE_INTO_CGROUP, Linux 5.7; glibc 2.39), and nobody has to move: writing to cgroup.procs
waits for a grace period of RCU, 10 ms and more on an idle machine.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping, Sequence
from typing import Optional

# <spawn.h> of glibc
_SETSIGDEF, _SETSIGMASK, _SETSID, _SETCGROUP = 0x04, 0x08, 0x80, 0x100
_ATTRIBUTES_SIZE, _ACTIONS_SIZE, _SIGSET_SIZE = 512, 256, 128  # at least; 336, 80 and 128 on 64 bits

Duplicates = Sequence[tuple[int, int]]  # (descriptor, the number that the process shall have it at)


class CgroupSpawn:
    """Start processes as leaders of sessions, with the signals ``defaults`` at their defaults and none blocked."""

    def __init__(self, libc: ctypes.CDLL, defaults: Sequence[int]) -> None:
        self._libc = libc
        self._attributes = ctypes.create_string_buffer(_ATTRIBUTES_SIZE)
        signals = ctypes.create_string_buffer(_SIGSET_SIZE)
        libc.posix_spawnattr_init(self._attributes)
        libc.posix_spawnattr_setflags(self._attributes, ctypes.c_short(_SETSIGDEF | _SETSIGMASK | _SETSID | _SETCGROUP))
        libc.sigemptyset(signals)
        libc.posix_spawnattr_setsigmask(self._attributes, signals)
        for number in defaults:
            libc.sigaddset(signals, number)
        libc.posix_spawnattr_setsigdefault(self._attributes, signals)

    @classmethod
    def find(cls, defaults: Sequence[int]) -> Optional[CgroupSpawn]:
        """Return it where the C library has it, else None; whether the kernel has it, the first start will tell."""
        libc = ctypes.CDLL(None)
        return cls(libc, defaults) if hasattr(libc, "posix_spawnattr_setcgroup_np") else None

    def start(
        self, program: str, argv: Sequence[str], env: Mapping[str, str], duplicates: Duplicates, cgroup: int
    ) -> int:
        """Return the pid of a process that has executed ``program`` in ``cgroup`` (a descriptor of its folder).

        Raises OSError, also where the kernel cannot do this, and ValueError for a NUL byte in a string.
        """
        libc, pid = self._libc, ctypes.c_int()
        variables = [f"{key}={value}" for key, value in env.items()]
        actions = ctypes.create_string_buffer(_ACTIONS_SIZE)
        libc.posix_spawn_file_actions_init(actions)
        try:
            for descriptor, number in duplicates:
                libc.posix_spawn_file_actions_adddup2(actions, descriptor, number)
            libc.posix_spawnattr_setcgroup_np(self._attributes, cgroup)
            error = libc.posix_spawn(
                ctypes.byref(pid), _string(program), actions, self._attributes, _strings(argv), _strings(variables)
            )
        finally:
            libc.posix_spawn_file_actions_destroy(actions)
        if error:
            raise OSError(error, os.strerror(error))
        return pid.value


def _string(text: str) -> bytes:
    data = os.fsencode(text)
    if b"\0" in data:
        raise ValueError("embedded null byte")
    return data


def _strings(texts: Sequence[str]) -> ctypes.Array[ctypes.c_char_p]:
    return (ctypes.c_char_p * (len(texts) + 1))(*map(_string, texts), None)
