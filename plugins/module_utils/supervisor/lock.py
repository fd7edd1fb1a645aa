# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock by which a supervisor is the only one of its run folder.

Children of a killed supervisor share its lock until they have executed their program; so whoever has the lock knows
that every one of them can be told by its marker.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time

from .errors import StartError
from .tracking import proc

_PATIENCE = 10.0  # seconds for the last children of a killed supervisor to execute their programs


def take(run_folder: str) -> int:
    """Return a descriptor that holds the lock of ``run_folder`` until it is closed; raise StartError."""
    path = os.path.join(run_folder, "lock")
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    deadline = time.monotonic() + _PATIENCE
    while not _locked(lock):
        alive = _holder(lock)
        if alive:
            raise StartError(f"another supervisor (pid {alive}) runs with {run_folder}; stop it first")
        if time.monotonic() > deadline:
            raise StartError(
                f"{path} is held by a process of an earlier supervisor that does not end; see fuser {path}"
            )
        time.sleep(0.002)
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()} {proc.start_time(os.getpid())}\n".encode(), 0)
    return lock


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EAGAIN):
            raise
        return False
    return True


def _holder(lock: int) -> int:
    """Return the pid of the supervisor that wrote the lock file, 0 where it does not run any more."""
    words = (os.pread(lock, 64, 0) or b"0").split()
    pid = int(words[0]) if words and words[0].isdigit() else 0
    stat = proc.stat(pid) if pid else None
    if stat is None or stat.ended or str(stat.start_time).encode() != words[-1]:
        return 0
    return pid
