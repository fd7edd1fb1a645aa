# SPDX-License-Identifier: GPL-3.0-or-later
"""When a program counts as quiet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.foster.init.plugins.module_utils.processes.trace.quiet import Quiet, work_of


def quiet_after(*looks: tuple[float, float, int, bool]) -> float:
    """Return how long it was quiet after looks at (now, time of the last event, ticks of work, at work)."""
    done = {number: look[2:] for number, look in enumerate(looks)}
    quiet = Quiet(lambda number: done[number])
    for number, (now, last, _ticks, _at_work) in enumerate(looks):
        quiet.look(now, last, [number])
    return round(quiet.seconds, 3)


@pytest.mark.parametrize(
    ("looks", "seconds"),
    [
        ([(0.06, 0.0, 0, False), (0.12, 0.0, 0, False)], 0.12),
        ([(0.06, 0.0, 0, False), (0.12, 0.07, 0, False), (0.18, 0.07, 0, False)], 0.06),  # an event between
        ([(0.06, 0.0, 0, False), (0.12, 0.0, 0, True)], 0.0),  # at work
        ([(0.06, 0.0, 0, False), (0.12, 0.0, 9, False)], 0.0),  # has worked
        ([(0.06, 0.0, 0, False), (9.0, 0.0, 9, False)], 0.16),  # has not worked much in that time
        ([(0.06, 0.0, 0, False), (9.0, 0.0, 0, False)], 0.16),  # nobody has looked for long
        ([(0.06, 0.0, 0, False), (0.07, 0.0, 0, False)], 0.06),  # it is not time yet
    ],
)
def test_it_is_quiet_for_as_long_as_was_looked(looks: list[tuple[float, float, int, bool]], seconds: float) -> None:
    assert quiet_after(*looks) == seconds


def test_a_thread_that_works_is_seen_where_the_first_one_waits() -> None:
    """A thread that waits for a processor on a busy machine was not: /proc/PID/stat tells the first one's state."""
    program = (
        "import threading\n"
        "def work():\n    print(flush=True)\n    while True: pass\n"
        "thread = threading.Thread(target=work)\nthread.start()\nthread.join()\n"
    )
    process = subprocess.Popen([sys.executable, "-IS", "-c", program], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "S":
            pass
        assert work_of(process.pid)[1]
    finally:
        process.kill()
        process.communicate()


def test_who_is_gone_does_not_work() -> None:
    assert work_of(2**22 + 1) == (0, False)
