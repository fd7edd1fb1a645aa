# SPDX-License-Identifier: GPL-3.0-or-later
"""Which signals are orders to the supervisor, and which have reached it by mistake.

A daemon that reports to the process that has started it, with kill(getppid(), ...), means a shell or its own first
process. As our child, or an orphan that we as a subreaper have inherited, it reaches the supervisor: which must neither
end by that nor die of a signal that it has no use for. Who means the supervisor uses fosterctl, the init's own command,
or kill(1), which is not our child when somebody runs it.
PID 1 is the exception: `kill 1` is how a script in a container ends the container.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Optional

# What ends a process that has no handler for it, and nobody can mean us by; signal(7).
MEANINGLESS = (signal.SIGUSR1, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO, signal.SIGPWR)


class Orders:
    """Make callbacks for signals that obey orders, and only tell of mistakes.

    ``job_of_child(pid)``: the job of a child of ours, None for any other process. ``first``: we are PID 1.
    """

    def __init__(self, warn: Callable[[str], None], job_of_child: Callable[[int], Optional[str]], first: bool) -> None:
        self._warn = warn
        self._job_of_child = job_of_child
        self._first = first

    def unless_from_a_job(self, number: signal.Signals, obey: Callable[[], None]) -> Callable[[int], None]:
        """Obey the signal, unless a job's process has sent it to its parent."""

        def arrived(sender: int) -> None:
            if self._first or self._job_of_child(sender) is None:
                obey()
            else:
                self._refuse(number, sender)

        return arrived

    def never(self, number: signal.Signals) -> Callable[[int], None]:
        """Do not obey the signal, whoever has sent it."""
        return lambda sender: self._refuse(number, sender)

    def _refuse(self, number: signal.Signals, sender: int) -> None:
        job = self._job_of_child(sender)
        if job is not None:
            who = f"pid {sender}, a process of the job {job},"
        else:
            who = f"pid {sender}" if sender else "outside"  # of our pid namespace, or the kernel
        self._warn(f"{number.name} from {who} is ignored, as it is no order to the supervisor")
