# SPDX-License-Identifier: GPL-3.0-or-later
"""How an instance's processes are signalled, and how its family is ended until nothing is left of it.

Where there is cgroup.kill the kernel does it at once. Else whoever is found is killed, and it is looked again until
nobody new is found: a process group dies as one, also those in it that are being born; who forks faster than we look
may not fork any more (RLIMIT_NPROC, not for root); and who also leaves its group each time is pursued. A family has
ended when a look says that nobody can be left, not when nobody was seen. Most deaths are reported to us, but not those
of processes that have other parents, as after a crash of the supervisor; so families that are being ended are looked at
again, with growing pauses, as long as there are any.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Optional

from ..engine.messages import EndFamily, FamilyEnded, InstanceKey, Signal
from ..job.model import ProcessKind
from .kernel import signal_number
from .loop import TimerHandle
from .means import Inputs, Means
from .processes import Processes
from .tracking.cgroup import folder_name
from .tracking.family import Look
from .tracking.proc import Stat

_SOON, _LATE = 0.01, 0.5  # seconds between looks
_ROUNDS = 5  # in one go, while each one finds somebody new
_PURSUED = 100  # looks of a pursuit, in which who forks and ends is hit before it forks: some dozens, mostly
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
        self._due: list[InstanceKey] = []  # to be killed at the end of this turn
        self._empty_cgroups: set[InstanceKey] = set()
        self._deadlines: dict[InstanceKey, float] = {}
        self._looking = False
        self._pause = _SOON

    def signal(self, effect: Signal) -> None:
        """Signal a process of an instance, its group, or its whole family."""
        number = signal_number(effect.signal)
        if effect.family:
            self._signal_all(self._means.families.members(effect.key), number)
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
        look = self._look(key)
        if look.gone:
            self._inputs.answer(FamilyEnded(key))
            return
        number = signal_number(effect.signal)
        if number == _FATAL or effect.grace <= 0:
            self._ends[key] = None
            self._finish(key)
            return
        self._signal_all(look.members, number)
        self._signal_all(look.members, _CONTINUE)  # a stopped one would not hear it
        self._ends[key] = self._means.loop.call_later(effect.grace, lambda: self._finish(key))
        self._look_soon()

    def _look(self, key: InstanceKey) -> Look:
        """Look who is left of the family, without the instance's own processes that still have something to do."""
        return self._means.families.look(key, self._is_busy)

    def _is_busy(self, pid: int) -> bool:
        tracked = self._processes.known.get(pid)
        return tracked is not None and tracked.kind is not ProcessKind.MAIN

    def _finish(self, key: InstanceKey) -> None:
        if key not in self._ends:
            return
        self._ends[key] = None
        self._deadlines.setdefault(key, self._means.loop.now() + _GIVE_UP)
        if not self._due:
            self._means.loop.call_later(0.0, self._kill_due)
        self._due.append(key)

    def _kill_due(self) -> None:
        due, self._due = self._due, []
        self._kill([key for key in due if key in self._ends])
        self._look_soon()

    def _kill(self, keys: Collection[InstanceKey]) -> None:
        """Kill these families, in step: one look through /proc serves all of them (see ``Families``)."""
        families = self._means.families
        self._means.kernel.settle()  # do not stand in a cgroup that is ended
        scripts = {each.key for each in self._processes.known.values() if each.kind is not ProcessKind.MAIN}
        left = []
        for key in keys:
            if families.cgroups is None or key in scripts or not families.cgroups.kill(folder_name(*key)):
                left.append(key)
                continue
            for member in families.members(key):
                if member.first_left:  # cgroup.kill signals the first thread only, and that has ended: Linux 6.18
                    self._means.kernel.signal_member(member, _FATAL)
        self._sweep(left)

    def _sweep(self, keys: Collection[InstanceKey]) -> None:
        """Kill everybody, and who was forked meanwhile, until nobody new is found."""
        killed: dict[InstanceKey, set[int]] = {key: set() for key in keys}
        for _round in range(_ROUNDS):
            for key in list(killed):
                look = self._look(key)
                new = [member for member in look.members if member.pid not in killed[key]]
                if look.gone or (look.members and not new):
                    del killed[key]
                    continue
                self._signal_all(new, _FATAL)
                killed[key].update(member.pid for member in new)
        for key in killed:
            self._means.families.pursue(key, self._is_busy, self._kill_at_once, self._bury, _PURSUED)

    def _signal_all(self, members: list[Stat], number: int) -> None:
        kernel = self._means.kernel
        if number == _FATAL:
            for group in {member.group for member in members}:
                if not self._is_busy(group):
                    kernel.kill_group(group)
            for member in members:
                kernel.forbid_forks(member.pid)
        for member in members:
            kernel.signal_member(member, number)

    def _kill_at_once(self, pid: int) -> None:
        self._means.kernel.signal_process(pid, _FATAL)

    def _bury(self, pid: int) -> None:
        """Reap a zombie that nobody waits for."""
        if pid not in self._processes.known and pid not in self._processes.helpers:
            self._means.kernel.reap(pid)
            self._means.families.reaped(pid)

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
        self._kill([key for key, timer in self._ends.items() if timer is None])  # what has forked meanwhile
        self.check()
        self._look_again()

    def check(self) -> None:
        """Report the families of which nothing is left, and remove the cgroups that are empty."""
        ended = []
        for key in self._ends:
            look = self._look(key)
            if look.gone or self._too_long(key, look.members):
                ended.append(key)
        if ended:
            self._processes.reap()  # who is seen to have ended is told of while it is known whose he was
        for key in ended:
            timer = self._ends.pop(key)
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
        names = names or "processes that fork and end faster than they are seen"
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
