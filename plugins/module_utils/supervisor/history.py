# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened to the processes of each job: the last ones that ended, what was said about it, and the last failure.

On the ledger each end is a record of its own, in a slot that is used again, so that nothing is written twice.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from typing import Any, Callable, NamedTuple, Optional

from ..engine.messages import InstanceKey, Never, ProcessExited, SpawnFailed, TimerFired
from .tracking import proc

_LENGTH = 20  # processes remembered for each job
_NOTES = 6  # sentences


class Past(NamedTuple):
    """A process that has ended. ``process``: main, pre-start, ... or "child" for what they have left to us.

    ``parent`` is the first one it was seen with, 0 where it was not seen alive; ``started`` and ``when`` (its end) are
    seconds since 1970, 0.0 where nobody knows. Both ``code`` and ``signal`` None: nobody could tell.
    """

    instance: str
    process: str
    pid: int
    name: str
    parent: int
    started: float
    when: float
    code: Optional[int]
    signal: Optional[int]

    def told(self) -> dict[str, Any]:
        """Return it as it is shown."""
        fields = self._asdict()
        code, signal = fields.pop("code"), fields.pop("signal")
        fields.update({"signal": signal} if signal is not None else {"exit_status": code})
        return fields


class History:
    """``tail``: returns the last lines of an instance's output. ``keep``: writes a record to the ledger."""

    def __init__(self, tail: Callable[[InstanceKey], list[str]], keep: Callable[[str, Any], None]) -> None:
        self._tail = tail
        self._keep = keep
        self._ended: dict[str, deque[Past]] = {}
        self._slots: dict[str, int] = {}
        self._notes: dict[str, deque[tuple[float, str]]] = {}
        self._seen: dict[int, tuple[str, int, int]] = {}  # pid: (job, start time, first parent)
        self.failures: dict[str, dict[str, Any]] = {}

    def restore(self, saved: dict[str, Any]) -> None:
        """Know again what a former supervisor has written."""
        found: dict[str, list[Past]] = {}
        for key, record in saved.items():
            kind, _slash, rest = key.partition("/")
            if kind == "failure":
                self.failures[rest] = record
            elif kind == "past":
                found.setdefault(rest.rpartition("/")[0], []).append(Past(*record))
        for job, ends in found.items():
            self._ended[job] = deque(sorted(ends, key=lambda end: end.when), maxlen=_LENGTH)
            self._slots[job] = len(ends)

    # ---- what happens -----------------------------------------------------------------------------------------

    def cause(self, message: Any) -> Optional[dict[str, Any]]:
        """Return how a failure that ``message`` leads to is told, None where it tells of no end of a process."""
        if isinstance(message, ProcessExited):
            return {"process": message.kind.value, **result(message)}
        if isinstance(message, SpawnFailed):
            return {"process": message.kind.value, "step": message.step, "errno": message.errno}
        if isinstance(message, TimerFired):
            waited = {"waited_for": message.waited_for} if message.waited_for else {}
            return {"process": "main", "timeout": message.name, **waited}
        if isinstance(message, Never):
            return {"process": "main", "never": message.reason}
        return None

    def seen(self, key: InstanceKey, members: Iterable[proc.Stat]) -> None:
        """Remember whose children these are, as long as they are: an orphan becomes ours."""
        for member in members:
            known = self._seen.get(member.pid)
            if known is None or known[1] != member.start_time:
                self._seen[member.pid] = (key[0], member.start_time, member.parent)

    def ended(
        self, key: InstanceKey, process: str, pid: int, code: Optional[int] = None, signal: Optional[int] = None
    ) -> None:
        """Remember a process that has ended, and is still a zombie where we can look at it."""
        stat = proc.stat(pid)
        known = self._seen.pop(pid, None)
        parent = known[2] if known is not None else stat.parent if stat is not None else 0
        ticks = known[1] if known is not None else stat.start_time if stat is not None else 0
        started = round(proc.seconds_since_1970(ticks), 2) if ticks else 0.0
        name = stat.name if stat is not None else ""
        past = Past(key[1], process, pid, name, parent, started, round(time.time(), 3), code, signal)
        self._ended.setdefault(key[0], deque(maxlen=_LENGTH)).append(past)
        slot = self._slots[key[0]] = self._slots.get(key[0], -1) + 1
        self._keep(f"past/{key[0]}/{slot % _LENGTH}", list(past))

    def note(self, key: InstanceKey, text: str) -> None:
        """Remember a sentence that was written to the log about an instance."""
        self._notes.setdefault(key[0], deque(maxlen=_NOTES)).append((round(time.time(), 3), text))

    def failed(self, key: InstanceKey, cause: Optional[dict[str, Any]], too_often: bool = False) -> None:
        """Remember that an instance has failed, and why; ``too_often``: this was one end too many (respawn limit)."""
        failure = {
            "instance": key[1],
            **(cause or {"process": "main"}),
            **({"too_often": True} if too_often else {}),
            "when": time.time(),
            "log_tail": self._tail(key),
        }
        self.failures[key[0]] = failure
        self._keep(f"failure/{key[0]}", failure)

    def gone(self, key: InstanceKey) -> None:
        """The instance is gone: forget who its living processes were."""
        for pid in [pid for pid, known in self._seen.items() if known[0] == key[0]]:
            del self._seen[pid]

    def forget(self, job: str) -> None:
        """The job is gone."""
        for slot in range(min(self._slots.pop(job, -1) + 1, _LENGTH)):
            self._keep(f"past/{job}/{slot}", None)
        self._ended.pop(job, None)
        self._notes.pop(job, None)
        if self.failures.pop(job, None) is not None:
            self._keep(f"failure/{job}", None)

    # ---- what is told -----------------------------------------------------------------------------------------

    def of(self, job: str) -> list[dict[str, Any]]:
        """Return the processes that have ended, the oldest first."""
        return [past.told() for past in self._ended.get(job, ())]

    def ends_of_main(self, key: InstanceKey) -> list[Past]:
        """Return the ends of main processes of an instance that are remembered, the oldest first."""
        return [past for past in self._ended.get(key[0], ()) if past.instance == key[1] and past.process == "main"]

    def children(self, key: InstanceKey) -> list[Past]:
        """Return what the instance's own processes have left to us, and what has ended since, the oldest first."""
        return [past for past in self._ended.get(key[0], ()) if past.instance == key[1] and past.process == "child"]

    def notes(self, job: str) -> list[dict[str, Any]]:
        """Return what was said about the job, the oldest first."""
        return [{"when": when, "text": text} for when, text in self._notes.get(job, ())]


def result(message: ProcessExited) -> dict[str, Any]:
    """Return how a process ended, as it is shown; both None: nobody could tell."""
    if message.signal is not None:
        return {"signal": message.signal}
    return {"exit_status": message.code}
