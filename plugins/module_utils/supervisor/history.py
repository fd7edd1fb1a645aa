# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened to the processes of each job: the last ones that ended, and the last failure with its output."""

from __future__ import annotations

import time
from collections import deque
from typing import Any, Callable, Optional

from ..engine.messages import InstanceKey, ProcessExited, SpawnFailed, TimerFired

_LENGTH = 20  # processes remembered for each job


class History:
    """``tail``: returns the last lines of an instance's output."""

    def __init__(self, tail: Callable[[InstanceKey], list[str]], keep: Callable[[str, Any], None]) -> None:
        self._tail = tail
        self._keep = keep
        self._ended: dict[str, deque[dict[str, Any]]] = {}
        self.failures: dict[str, dict[str, Any]] = {}

    def cause(self, message: Any) -> Optional[dict[str, Any]]:
        """Return how a failure that ``message`` leads to is told, None where it tells of no end of a process."""
        if isinstance(message, ProcessExited):
            return {"process": message.kind.value, **result(message)}
        if isinstance(message, SpawnFailed):
            return {"process": message.kind.value, "step": message.step, "errno": message.errno}
        if isinstance(message, TimerFired):
            return {"process": "main", "timeout": message.name}
        return None

    def ended(self, message: ProcessExited) -> None:
        """Remember a process that has ended."""
        record = {"instance": message.key[1], "process": message.kind.value, "pid": message.pid, "when": time.time()}
        record.update(result(message))
        self._ended.setdefault(message.key[0], deque(maxlen=_LENGTH)).append(record)

    def failed(self, key: InstanceKey, cause: Optional[dict[str, Any]]) -> None:
        """Remember that an instance has failed, and why."""
        failure = {
            "instance": key[1],
            **(cause or {"process": "main"}),
            "when": time.time(),
            "log_tail": self._tail(key),
        }
        self.failures[key[0]] = failure
        self._keep(f"failure/{key[0]}", failure)

    def of(self, job: str) -> list[dict[str, Any]]:
        return list(self._ended.get(job, ()))

    def forget(self, job: str) -> None:
        self._ended.pop(job, None)
        if self.failures.pop(job, None) is not None:
            self._keep(f"failure/{job}", None)


def result(message: ProcessExited) -> dict[str, Any]:
    """Return how a process ended, as it is shown; both None: nobody could tell."""
    if message.signal is not None:
        return {"signal": message.signal}
    return {"exit_status": message.code}
