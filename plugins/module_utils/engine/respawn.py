# SPDX-License-Identifier: GPL-3.0-or-later
"""When a main process that died is started again, and when that has happened too often."""

from __future__ import annotations

from ..job.model import Job


class RespawnHistory:
    """What an instance has to remember. Times are seconds, monotonic; ``since``: 0 before the first respawn."""

    __slots__ = ("count", "delay", "since")

    def __init__(self, since: int = 0, count: int = 0, delay: float = 0.0) -> None:
        self.since = since
        self.count = count
        self.delay = delay  # seconds before the next respawn, 0 before the first


def too_fast(job: Job, history: RespawnHistory, now: float) -> bool:
    """Count one more death and tell whether it is one too many.

    A series begins with its first death and ends ``interval`` whole seconds later (Upstart 1.13.2 counts so).
    """
    limit = job.respawn_limit
    if not limit.count or not limit.interval:
        return False
    if history.count and int(now) - history.since < limit.interval:
        history.count += 1
        return history.count > limit.count
    history.since = int(now)
    history.count = 1
    return False


def next_delay(job: Job, history: RespawnHistory, ran: float) -> float:
    """Return the seconds to wait before this respawn: doubled up to the cap, back to the first after a good run.

    ``ran``: seconds that the process was running. A run is good when it is longer than the limit's interval and
    longer than the delay before it.
    """
    delay = job.respawn_delay
    if delay.first <= 0:
        return 0.0
    if history.delay <= 0 or ran > max(float(job.respawn_limit.interval), history.delay):
        history.delay = delay.first
    else:
        history.delay *= 2
    if delay.cap > 0:
        history.delay = min(history.delay, max(delay.cap, delay.first))
    return history.delay
