# SPDX-License-Identifier: GPL-3.0-or-later
"""``expect fork``, ``daemon``, ``fork N``, ``exit N``: so many processes in a row fork and leave it to their child.

A link of the chain is seen when the parent ends: its child becomes ours, since we are a subreaper. No kernel interface
tells of the fork itself without a privilege (the process connector) or without stopping the process at each step
(ptrace, as Upstart did; a job could then not be debugged, and 2008's bugs came from it). A parent that stays is looked
at after some seconds instead.
"""

from __future__ import annotations

from ...job.model import Expect, Job
from ..tracking.proc import Stat
from .watcher import Watcher

_STAYS = 5.0  # seconds after which a parent that is still there is not taken for one that is about to end


def fitting(links: int) -> str:
    """Return the stanza for a daemon of which so many processes have left it to their child."""
    return {0: "expect none", 1: "expect fork", 2: "expect daemon"}.get(links, "expect auto")


def wanted(expect: Expect) -> int:
    """Return how many forks are meant."""
    if expect.argument.isdigit():
        return int(expect.argument)
    return 2 if expect.kind == "daemon" else 1


class Forks(Watcher):
    """Follow a chain of a length that the job tells."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._wanted = wanted(job.expect)

    def begin(self) -> None:
        if not self.done:
            self._later(_STAYS, self._stays)

    def waits_for(self) -> str:
        times = "fork" if self._wanted == 1 else f"fork {self._wanted} times"
        seen = "not at all" if not self.links else "once" if self.links == 1 else f"{self.links} times"
        return (
            f"its main process to {times} as `expect {self._stanza()}` says; it has done so {seen} so far "
            f"(`{fitting(self.links)}` would have fitted what was seen)"
        )

    def _stanza(self) -> str:
        return f"{self.expect.kind} {self.expect.argument}".strip()

    def _went_on(self) -> None:
        if self.links > self._wanted:
            self._around.warn(
                f"its main process forked {self.links} times, not {self._wanted} as `expect {self._stanza()}` says; "
                f"process {self.pid} is the main one now: write `{fitting(self.links)}`"
            )
        if self.done:
            return
        if self.links >= self._wanted:
            self._ready()
        else:
            self._later(_STAYS, self._stays)

    def _stays(self) -> None:
        """Nothing has happened for some seconds: see whether anything is still to be expected."""
        if self.done:
            return
        others = [member for member in self._around.members() if member.pid != self.pid]
        if self._depth(others) + self.links >= self._wanted:
            self._around.warn(
                f"its main process has forked but stays: process {self.pid} goes on as the main one; "
                "write `expect none` if that is right, else `expect auto`"
            )
            self._ready()
            return
        if not self.says.get("hint"):
            self.says["hint"] = fitting(self.links)
            self._around.warn(f"it waits for {self.waits_for()}")
        self._later(_STAYS, self._stays)

    def _depth(self, others: list[Stat]) -> int:
        """Return how many generations live below the main process."""
        level, depth = {self.pid}, 0
        while True:
            level = {member.pid for member in others if member.parent in level}
            if not level:
                return depth
            depth += 1
