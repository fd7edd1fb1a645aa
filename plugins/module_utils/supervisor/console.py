# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the output of jobs goes that is not logged to files: the console, or the supervisor's own standard output.

An init of a machine has /dev/console. In a container that is the standard output of PID 1, which its runtime keeps
for the admin to read; jobs write there themselves, nothing passes through the supervisor.
"""

from __future__ import annotations

import os
from typing import NamedTuple, Optional

from ..job.model import Job

Descriptors = tuple[tuple[int, int], ...]  # (descriptor, the number that the process shall have it at)


class Console(NamedTuple):
    """``own``: jobs with `console output` write to the supervisor's own output. ``logged``: the others log to files,
    else they write there as well. ``reader``: the job that gets the supervisor's standard input.
    """

    own: bool = False
    logged: bool = True
    reader: Optional[str] = None

    def takes(self, job: Job) -> bool:
        """Tell whether the output of ``job`` comes here."""
        return job.console == "output" or (job.console == "log" and not self.logged)

    def descriptors(self, job: Job) -> Descriptors:
        """Return new descriptors for a process of ``job``, to be closed after its start; none: it gets /dev/null."""
        if self.own or job.console == "log":
            numbers = (0, 1, 2) if job.name == self.reader else (1, 2)
            return tuple((os.dup(number), number) for number in numbers)
        try:
            console = os.open("/dev/console", os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError:
            return ()
        return ((console, 1), (os.dup(console), 2))
