# SPDX-License-Identifier: GPL-3.0-or-later
"""End what the tests have started when they are killed before they can do so themselves.

A guard, one for each run of pytest, reads pids from a pipe that only pytest holds. When that closes, pytest is gone,
whatever has ended it: what is still there of those processes gets SIGTERM, on which a supervisor stops its jobs.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Optional

_PATIENCE = 20.0  # seconds for a supervisor to stop its jobs
_ONE = threading.Lock()  # cases of conformance run side by side


def watch_over(pid: int) -> None:
    """Let that process end with this one, at the latest."""
    with _ONE:
        pipe = _guard().stdin
        assert pipe is not None
        pipe.write(f"{pid} {_start_time(pid)}\n".encode())
        pipe.flush()


@functools.cache
def _guard() -> subprocess.Popen[bytes]:
    # In a session of its own: who kills a whole group of processes does not get it.
    command = [sys.executable, "-IS", str(Path(__file__).resolve())]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


def _start_time(pid: int) -> Optional[str]:
    """Return when a living process started: with the pid it says which one is meant, for all time."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def main() -> None:
    """Be the guard."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    known = dict(line.split() for line in sys.stdin)
    for number in (signal.SIGTERM, signal.SIGKILL):
        left = [int(pid) for pid, start in known.items() if _start_time(int(pid)) == start]
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, number)
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline and any(_start_time(pid) == known[str(pid)] for pid in left):
            time.sleep(0.05)


if __name__ == "__main__":
    main()
