# SPDX-License-Identifier: GPL-3.0-or-later
"""Which signals end a process, and how long each may take."""

from __future__ import annotations

from ..job.model import Job

UNKILLABLE = 10.0  # seconds after SIGKILL in which a process has to be gone


def kill_steps(job: Job) -> list[tuple[str, float]]:
    """Return signals and the seconds to wait after each; the last is always KILL, so that a stop has an end."""
    steps: list[tuple[str, float]] = []
    for entry in job.kill_schedule or (job.kill_signal, job.kill_timeout):
        if steps and isinstance(entry, int) and steps[-1][1] == 0:
            steps[-1] = (steps[-1][0], float(entry))
        else:
            steps.append((str(entry), 0.0))
    if not steps or steps[-1][0] not in ("KILL", "9"):
        steps.append(("KILL", 0.0))
    return steps
