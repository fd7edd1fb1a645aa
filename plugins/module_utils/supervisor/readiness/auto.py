# SPDX-License-Identifier: GPL-3.0-or-later
"""``expect auto``: stay in the foreground, fork once, twice or ten times: the main process is found.

What ends with 0 and leaves others behind has made place for one of them. Ready is who has not done so for a moment;
a starter that waits for its detached child to come up (pg_ctl, rsyslogd, php-fpm) is waited for.
"""

from __future__ import annotations

from ..tracking import proc
from . import pidfiles
from .choose import CERTAIN, LIKELY, Choice
from .watcher import Watcher

_SETTLED = 0.25  # seconds without a change after which what is seen is believed
_STARTER = 10.0  # seconds that a process with a detached child is taken for its starter, which is about to end
_EARLY = 60.0  # seconds after its own start in which a starter starts its daemon


class Auto(Watcher):
    """Follow the family until it has settled."""

    def waits_for(self) -> str:
        return "its processes to settle: `expect auto` follows them until none has forked and ended for a moment"

    def begin(self) -> None:
        self._began = self._around.loop.now()
        self._pause = _SETTLED
        if not self.done:
            self._later(_SETTLED, self._look)

    def _look(self) -> None:
        if self.done:
            return
        members = self._around.members()
        if not self.links and self._around.loop.now() - self._began < _STARTER and self._starts_another(members):
            # Its end is an event; that its child has gone is none.
            self._pause = min(self._pause * 1.5, 1.0)
            self._later(self._pause, self._look)
            return
        self._ready(self._settled([member.pid for member in members]))

    def _starts_another(self, members: list[proc.Stat]) -> bool:
        """Tell whether somebody has detached itself while the first process is still there."""
        mine = [member.session for member in members if member.pid == self.pid]
        return any(member.session not in mine for member in members) if mine else False

    def _settled(self, pids: list[int]) -> Choice:
        """Return who is the main process, now that nothing changes any more."""
        if len(pids) > 1:
            named = pidfiles.search(pids)
            if named is not None:
                return named
        if not self.links:
            return Choice(self.pid, CERTAIN if len(pids) < 2 else LIKELY, "it is what the job runs, and it has stayed")
        return self.choice

    def _plausible(self, successor: Choice) -> bool:
        if super()._plausible(successor):
            return True
        return not self.links and self._was_started_early(successor.pid)

    def _was_started_early(self, pid: int) -> bool:
        """Tell whether ``pid`` is a daemon that the first process has made: detached, soon after its own start."""
        mine, theirs = proc.stat(self.pid), proc.stat(pid)
        if mine is None or theirs is None or theirs.session == mine.session:
            return False
        return theirs.start_time - mine.start_time <= _EARLY * proc.TICKS

    def _went_on(self) -> None:
        if not self.done:
            self._pause = _SETTLED
            self._later(_SETTLED, self._look)
        else:
            self._around.warn(f"its main process has made place for process {self.pid}: {self.choice.reason}")
