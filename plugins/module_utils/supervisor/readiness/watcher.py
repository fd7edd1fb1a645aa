# SPDX-License-Identifier: GPL-3.0-or-later
"""What all watchers have in common, and what they see of the instance around them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Optional, Protocol

from ...job.model import Job
from ..loop import Loop, TimerHandle
from ..spawn import Plan
from ..tracking import proc
from . import pidfiles
from .choose import Choice, choose, started

_TRUST = 5.0  # seconds after a change of the main process in which an exit 0 of it only means one more fork
_MOST_LINKS = 50  # in a row; who forks and ends for ever is no daemon, and following it would never end
_COUNTED = 8  # links up to which those that ended unseen are counted
_LOOKS = 3  # who forks and ends while we look is seen neither before nor after


class Surroundings(Protocol):
    """What a watcher may ask and tell of its instance."""

    loop: Loop

    def members(self) -> list[proc.Stat]:
        """Return the living processes of the family, the oldest first, without those of `expect check`."""

    def belongs(self, pid: int) -> bool:
        """Tell whether ``pid`` is of the family; also of a zombie."""

    def ended_between(self, session: int, successor: int) -> int:
        """Count the family's zombies of these two sessions that are our children: links that ended unseen."""

    def moved(self, choice: Choice) -> None:
        """The main process is another one."""

    def ready(self, choice: Choice) -> None:
        """What `expect` waits for has happened."""

    def never(self, reason: str) -> None:
        """It cannot happen any more: the start has failed."""

    def extend(self, seconds: float) -> None:
        """The process asks for so much time from now on, for what it is doing."""

    def run(self, command: str) -> int:
        """Start a shell command beside the main process, in its surroundings; return its pid. Raises SpawnError."""

    def signal(self, pid: int, number: int, group: bool = False) -> None:
        """Signal a process of the family."""

    def stopped(self, pid: int) -> bool:
        """Tell whether the child ``pid`` was stopped by a signal since this was last asked."""

    def warn(self, text: str) -> None:
        """Write a line into the supervisor's log; it is kept for `fosterctl explain` too."""


class Watcher:
    """Wait for something that the process, or somebody about it, tells. ``pid``: the main process, as far as known.

    ``says``: what the process has told about itself, for people.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.expect = job.expect
        self.pid = 0
        self.done = False
        self.links = 0  # processes that have been the main one and have left it to another
        self.choice = started(0)
        self.says: dict[str, str] = {}
        self._around: Surroundings
        self._timer: Optional[TimerHandle] = None
        self._changed = 0.0  # when the main process or its readiness last changed

    # ---- what the supervisor calls ------------------------------------------------------------------------------

    def equip(self, what: Plan) -> Plan:
        """Give the process what it needs to tell us something, before it is started. Raises OSError."""
        return what

    def attach(self, around: Surroundings, pid: int) -> None:
        """The process was started."""
        self._around = around
        self.pid = pid
        self.choice = started(pid)
        self._changed = around.loop.now()

    def resume(self, around: Surroundings, pid: int, ready: bool) -> None:
        """Go on with a process that a former supervisor had started."""
        self.attach(around, pid)
        self.done = ready

    def begin(self) -> None:
        """Start to look: the program runs."""

    def follow(self, around: Surroundings) -> None:
        """The main process is another one now; ``around`` knows it."""
        self._around = around

    def child_changed(self) -> None:
        """Some child has stopped or ended."""

    def helper_ended(self, pid: int, code: Optional[int]) -> bool:
        """Take the end of a child that this may have started; return whether it had."""
        return False

    def exited(self, code: Optional[int]) -> Optional[int]:
        """The main process has ended (and is still a zombie): return who has taken its place, None where nobody has."""
        if code != 0:
            return None
        if self.links >= _MOST_LINKS:
            self._around.warn(f"its processes fork and end again and again ({self.links} times): not followed any more")
            return None
        successor = self._successor()
        if successor is None or not self._plausible(successor):
            return None
        choice, old = successor, self.pid
        unseen = self._around.ended_between(old, choice.pid) if self.links < _COUNTED else 0
        self.links += 1 + unseen
        self.pid, self.choice = choice.pid, choice
        self._changed = self._around.loop.now()
        self._around.moved(choice)
        self._went_on()
        return self.pid

    def cancel(self) -> None:
        """The process has ended, or is not to go on."""
        if self._timer is not None:
            self._timer.cancel()

    def waits_for(self) -> str:
        """Return the end of the sentence "It waits for ..."."""
        return "its program to begin"

    # ---- what each kind may do otherwise ------------------------------------------------------------------------

    def _named(self) -> Optional[Choice]:
        """Return the process that is known to be the main one, by what this kind looks at."""
        return None

    def _plausible(self, successor: Choice) -> bool:
        """Tell whether the main process has only made place for ``successor``, and not ended in earnest."""
        return not self.done or self._around.loop.now() - self._changed <= _TRUST

    def _went_on(self) -> None:
        """Another process has taken the place of the main one."""

    # ---- what they share ----------------------------------------------------------------------------------------

    def _successor(self) -> Optional[Choice]:
        for _look in range(_LOOKS):
            others = [member for member in self._around.members() if member.pid != self.pid]
            if others:
                return choose(others, self._named(), pidfiles.search)
        return None

    def _ready(self, choice: Optional[Choice] = None) -> None:
        self.done = True
        if choice is not None:
            self.choice = choice
            self.pid = choice.pid
        self._changed = self._around.loop.now()
        if self._timer is not None:
            self._timer.cancel()
        self._around.ready(self.choice)

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._around.loop.call_later(seconds, action)


class Looking(Watcher):
    """Look again and again, with growing pauses, for what no kernel interface reports. ``_look`` does it."""

    _FIRST, _LAST, _GROWTH = 0.01, 0.5, 1.5  # seconds

    def begin(self) -> None:
        self._pause = self._FIRST
        if not self.done:
            self._again()

    def _again(self) -> None:
        if self.done:
            return
        if not self._look():
            self._later(self._pause, self._again)
            self._pause = min(self._pause * self._GROWTH, self._LAST)

    def _look(self) -> bool:
        """Look once; return whether there is nothing to look for any more."""
        raise NotImplementedError
