# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests have started ends with them, also when they are killed."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys

import guard

_TESTS = """
import subprocess, sys
sys.path.insert(0, sys.argv[1])
import guard
orphan = subprocess.Popen(["setsid", "sleep", "1000"])
guard.watch_over(orphan.pid)
print(orphan.pid, flush=True)
sys.stdin.read()
"""


def test_a_process_ends_with_the_tests_that_are_killed() -> None:
    """An interrupted run has left supervisors and their jobs behind."""
    command = [sys.executable, "-c", _TESTS, os.path.dirname(guard.__file__)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as tests:
        assert tests.stdout is not None
        descriptor = os.pidfd_open(int(tests.stdout.readline()))
        try:
            tests.send_signal(signal.SIGKILL)
            assert select.select([descriptor], [], [], 60)[0]
        finally:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            os.close(descriptor)
