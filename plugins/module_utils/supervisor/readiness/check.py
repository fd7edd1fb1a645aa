# SPDX-License-Identifier: GPL-3.0-or-later
"""``expect check COMMAND``: a command succeeds when the process can be used.

It runs with the job's environment, user and folder, is killed when it takes too long, and is run again after a growing
pause: nothing could tell when its answer changes.
"""

from __future__ import annotations

import signal
from typing import Optional

from ..loop import TimerHandle
from ..spawn import SpawnError
from .watcher import Looking

_LONGEST = 10.0  # seconds that the command may take


class Check(Looking):
    """Run the command until it succeeds."""

    _FIRST, _LAST, _GROWTH = 0.05, 5.0, 1.5
    _running = 0
    _limit: Optional[TimerHandle] = None

    def waits_for(self) -> str:
        last = self.says.get("check")
        return f"the command of `expect check` to succeed{f'; the last time it {last}' if last else ''}"

    def _look(self) -> bool:
        try:
            self._running = self._around.run(self.expect.argument)
        except SpawnError as error:
            self.says["check"] = f"could not be run ({error})"
            return False
        self._limit = self._around.loop.call_later(_LONGEST, self._too_long)
        return True  # its end goes on

    def _too_long(self) -> None:
        self.says["check"] = f"was killed after {_LONGEST:g} seconds"
        self._around.signal(self._running, signal.SIGKILL, group=True)

    def helper_ended(self, pid: int, code: Optional[int]) -> bool:
        if not self._running or pid != self._running:
            return False
        self._running = 0
        if self._limit is not None:
            self._limit.cancel()
        if self.done:
            return True
        if code == 0:
            self._ready()
            return True
        if code is not None:
            self.says["check"] = f"exited with status {code}"
        self._later(self._pause, self._again)
        self._pause = min(self._pause * self._GROWTH, self._LAST)
        return True

    def cancel(self) -> None:
        super().cancel()
        if self._limit is not None:
            self._limit.cancel()
        if self._running:
            self._around.signal(self._running, signal.SIGKILL, group=True)
            self._running = 0  # if it has succeeded all the same: that is no news of the next process
