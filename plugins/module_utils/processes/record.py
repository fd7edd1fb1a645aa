# SPDX-License-Identifier: GPL-3.0-or-later
"""What an earlier task started, in a folder that only this user can write: which process, to be found again exactly.

A pidfile is the daemon's and may be lost, late or wrong; the record is ours. It names a process by pid, start time and
boot, so it can be stale but never wrong.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterator
from typing import NamedTuple, Optional

from .identity import Identity

_LOOK_AGAIN = 0.05  # seconds; a lock cannot be waited for with a timeout


class Entry(NamedTuple):
    """A process, who started it (foster or systemd), what it is called there, and its pidfile, "" for none."""

    identity: Identity
    init: str
    unit: str
    pidfile: str = ""


class Locked(Exception):
    """Somebody else starts or stops the same daemon and does not finish; one sentence."""


def read(folder: str, key: str) -> Optional[Entry]:
    """Return the process that is recorded under ``key``; None where none is, or the record cannot be understood."""
    try:
        descriptor = os.open(os.path.join(folder, f"{key}.json"), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(descriptor, encoding="utf-8") as file:
            if os.fstat(descriptor).st_uid not in (0, os.geteuid()):
                return None
            found = json.load(file)
        identity = Identity(int(found["pid"]), int(found["start_time"]), str(found["boot_id"]))
        return Entry(identity, str(found["init"]), str(found["unit"]), str(found.get("pidfile", "")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def all_of(folder: str) -> dict[str, Entry]:
    """Return all records by their keys."""
    try:
        keys = sorted(name[: -len(".json")] for name in os.listdir(folder) if name.endswith(".json"))
    except OSError:
        return {}
    return {key: entry for key in keys if (entry := read(folder, key)) is not None}


def write(folder: str, key: str, entry: Entry) -> None:
    """Record a process; the file is whole or not there."""
    os.makedirs(folder, mode=0o755, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{key}.", dir=folder)
    with open(descriptor, "w", encoding="utf-8") as file:
        fields = {"init": entry.init, "unit": entry.unit, "pidfile": entry.pidfile}
        json.dump({**entry.identity._asdict(), **fields}, file)
    os.rename(temporary, os.path.join(folder, f"{key}.json"))


def forget(folder: str, key: str) -> None:
    """Remove the record; that there is none is fine."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(folder, f"{key}.json"))


@contextlib.contextmanager
def lock(folder: str, key: str, timeout: float) -> Iterator[None]:
    """Hold the lock ``key``: of two who look and start at once, the second one looks when the first has started.

    Raise Locked when it cannot be had within ``timeout`` seconds. The kernel gives it back when its holder dies.
    """
    os.makedirs(folder, mode=0o755, exist_ok=True)
    path = os.path.join(folder, f"{key}.lock")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Locked(
                        f"somebody else has been starting or stopping this daemon for {timeout:g} s: who holds {path}"
                    ) from None
                time.sleep(_LOOK_AGAIN)
        yield
    finally:
        os.close(descriptor)
