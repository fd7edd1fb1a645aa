# SPDX-License-Identifier: GPL-3.0-or-later
"""How an instance's processes are signalled, and how its family is ended until nothing is left of it.

Where there is cgroup.kill the kernel does it at once. Else whoever is found is killed, and it is looked again until
nobody new is found: who forks faster than we look may not fork any more (RLIMIT_NPROC, not for root), and a process
group dies as one. Most deaths are reported to us, but not those of processes that have other parents, as after a crash
of the supervisor; so families that are being ended are looked at again, with growing pauses, as long as there are any.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Optional

from ..engine.messages import EndFamily, FamilyEnded, InstanceKey, Signal
from ..job.model import ProcessKind
from .kernel import signal_number
from .loop import TimerHandle
from .means import Inputs, Means
from .processes import Processes
from .tracking.cgroup import folder_name
from .tracking.proc import Stat

_SOON, _LATE = 0.01, 0.5  # seconds between looks
_ROUNDS = 20  # in one go, while each one finds somebody new
_GIVE_UP = 10.0  # seconds after the first SIGKILL in which nothing may be left
_FATAL = signal_number("KILL")
_CONTINUE = signal_number("CONT")


class Ender:
    """Carries out Signal and EndFamily, and removes the cgroups of instances that are gone."""

    def __init__(self, means: Means, inputs: Inputs, processes: Processes) -> None:
        self._means = means
        self._inputs = inputs
        self._processes = processes
        self._ends: dict[InstanceKey, Optional[TimerHandle]] = {}  # the timer runs as long as there is grace
        self._empty_cgroups: set[InstanceKey] = set()
        self._deadlines: dict[InstanceKey, float] = {}
        self._looking = False
        self._pause = _SOON

    def signal(self, effect: Signal) -> None:
        """Signal a process of an instance, its group, or its whole family."""
        number = signal_number(effect.signal)
        if effect.family:
            self._sweep(effect.key, number, self._means.families.members)
        pid = self._pid(effect.key, effect.kind)
        if pid is None:
            return
        if effect.alone:
            self._means.kernel.signal_process(pid, number)
        else:
            self._means.kernel.signal_group(pid, number)

    def _pid(self, key: InstanceKey, kind: ProcessKind) -> Optional[int]:
        instance = self._means.engine.instance(key)
        pid = instance.processes.get(kind) if instance is not None else None
        return pid if pid in self._processes.known else None

    def end_family(self, effect: EndFamily) -> None:
        """Begin to end what is left of an instance's family; FamilyEnded follows, at once if there is nothing."""
        key = effect.key
        left = self._leftovers(key)
        if not left:
            self._inputs.answer(FamilyEnded(key))
            return
        number = signal_number(effect.signal)
        if number == _FATAL or effect.grace <= 0:
            self._ends[key] = None
            self._finish(key)
            return
        for member in left:
            self._means.kernel.signal_member(member, number)
            self._means.kernel.signal_member(member, _CONTINUE)  # a stopped one would not hear it
        self._ends[key] = self._means.loop.call_later(effect.grace, lambda: self._finish(key))
        self._look_soon()

    def _leftovers(self, key: InstanceKey) -> list[Stat]:
        """Return who is left of the family, without the instance's own processes that still have something to do."""
        families, known = self._means.families, self._processes.known
        for _look in range(5 if families.cgroups is not None else 2):  # who forks and ends meanwhile may be missed
            if families.cgroups is not None and not families.cgroups.members(folder_name(*key)):
                return []
            found = [
                member
                for member in families.members(key)
                if member.pid not in known or known[member.pid].kind is ProcessKind.MAIN
            ]
            if found:
                return found
        return []

    def _finish(self, key: InstanceKey) -> None:
        if key not in self._ends:
            return
        self._ends[key] = None
        self._deadlines.setdefault(key, self._means.loop.now() + _GIVE_UP)
        self._kill(key)
        self._look_soon()

    def _kill(self, key: InstanceKey) -> None:
        cgroups = self._means.families.cgroups
        self._means.kernel.settle()  # do not stand in a cgroup that is ended
        scripts = any(each.key == key and each.kind is not ProcessKind.MAIN for each in self._processes.known.values())
        if cgroups is not None and not scripts and cgroups.kill(folder_name(*key)):
            return
        self._sweep(key, _FATAL, self._leftovers)

    def _sweep(self, key: InstanceKey, number: int, find: Callable[[InstanceKey], list[Stat]]) -> None:
        """Signal everybody; with SIGKILL also who was forked meanwhile, until nobody new is found."""
        kernel = self._means.kernel
        signalled: set[int] = set()
        for a_round in range(_ROUNDS):
            new = [member for member in find(key) if member.pid not in signalled]
            if not new:
                return
            for member in new:
                if number == _FATAL:
                    kernel.forbid_forks(member.pid)
                kernel.signal_member(member, number)
            if number != _FATAL:
                return
            if a_round:  # somebody forks: a group dies as one, also those that are being born
                for group in {member.group for member in new}:
                    kernel.signal_group(group, number)
            signalled.update(member.pid for member in new)

    def _look_soon(self) -> None:
        self._pause = _SOON
        self._look_again()

    def _look_again(self) -> None:
        if not self._looking and (self._ends or self._empty_cgroups):
            self._looking = True
            self._means.loop.call_later(self._pause, self._looked)
            self._pause = min(self._pause * 1.5, _LATE)

    def _looked(self) -> None:
        self._looking = False
        for key, timer in self._ends.items():
            if timer is None:  # what has forked meanwhile
                self._kill(key)
        self.check()
        self._look_again()

    def check(self) -> None:
        """Report the families of which nothing is left, and remove the cgroups that are empty."""
        for key, timer in list(self._ends.items()):
            left = self._leftovers(key)
            if left and not self._too_long(key, left):
                continue
            del self._ends[key]
            self._deadlines.pop(key, None)
            if timer is not None:
                timer.cancel()
            self._inputs.submit(FamilyEnded(key))
        cgroups = self._means.families.cgroups
        if self._empty_cgroups and cgroups is not None:
            for key in list(self._empty_cgroups):
                if self._means.engine.instance(key) is not None or cgroups.remove(folder_name(*key)):
                    self._empty_cgroups.discard(key)

    def _too_long(self, key: InstanceKey, left: list[Stat]) -> bool:
        """Tell whether not even SIGKILL helps: they hang in the kernel, or belong to another user."""
        due = self._deadlines.get(key)
        if due is None or self._means.loop.now() < due:
            return False
        names = ", ".join(f"{member.pid} ({member.name}, state {member.state})" for member in left[:8])
        text = f"cannot be ended and are left behind: {names}"
        self._means.warn(f"{key[0]}: {text}")
        self._processes.past.note(key, text)
        return True

    def forget(self, key: InstanceKey) -> None:
        """The instance is gone: forget its family, and remove its cgroup, now or as soon as that is empty."""
        families = self._means.families
        families.forget(key)
        if families.cgroups is not None and not families.cgroups.remove(folder_name(*key)):
            self._empty_cgroups.add(key)
            self._look_soon()
