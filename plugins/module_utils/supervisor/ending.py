# SPDX-License-Identifier: GPL-3.0-or-later
"""How an instance's processes are signalled, and how its family is ended until nothing is left of it.

Most deaths are reported to us, but not those of adopted processes that have other parents: so families that are being
ended are looked at again, as long as there are any.
"""

from __future__ import annotations

from typing import Optional

from ..engine.messages import EndFamily, FamilyEnded, InstanceKey, Signal
from ..job.model import ProcessKind
from .kernel import signal_number
from .loop import TimerHandle
from .means import Inputs, Means
from .processes import Processes
from .tracking.cgroup import folder_name

_LOOK_AGAIN = 0.05  # seconds
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
        self._looking = False

    def signal(self, effect: Signal) -> None:
        """Signal a process of an instance, its group, or its whole family."""
        number = signal_number(effect.signal)
        if effect.family:
            for member in self._means.families.members(effect.key):
                self._means.kernel.signal_process(member.pid, number)
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
        for pid in left:
            self._means.kernel.signal_process(pid, number)
            self._means.kernel.signal_process(pid, _CONTINUE)  # a stopped one would not hear it
        self._ends[key] = self._means.loop.call_later(effect.grace, lambda: self._finish(key))
        self._look_again()

    def _leftovers(self, key: InstanceKey) -> list[int]:
        """Return who is left of the family, without the instance's own processes that still have something to do."""
        families, known = self._means.families, self._processes.known
        if families.cgroups is not None and not families.cgroups.members(folder_name(*key)):
            return []
        pids = [member.pid for member in families.members(key)]
        return [pid for pid in pids if pid not in known or known[pid].kind is ProcessKind.MAIN]

    def _finish(self, key: InstanceKey) -> None:
        if key not in self._ends:
            return
        self._ends[key] = None
        self._kill(key)
        self._look_again()

    def _kill(self, key: InstanceKey) -> None:
        for pid in self._leftovers(key):
            self._means.kernel.signal_process(pid, _FATAL)

    def _look_again(self) -> None:
        if not self._looking and (self._ends or self._empty_cgroups):
            self._looking = True
            self._means.loop.call_later(_LOOK_AGAIN, self._looked)

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
            if not self._leftovers(key):
                del self._ends[key]
                if timer is not None:
                    timer.cancel()
                self._inputs.submit(FamilyEnded(key))
        cgroups = self._means.families.cgroups
        if self._empty_cgroups and cgroups is not None:
            for key in list(self._empty_cgroups):
                if self._means.engine.instance(key) is not None or cgroups.remove(folder_name(*key)):
                    self._empty_cgroups.discard(key)

    def forget(self, key: InstanceKey) -> None:
        """The instance is gone: forget its family, and remove its cgroup, now or as soon as that is empty."""
        families = self._means.families
        families.forget(key)
        if families.cgroups is not None and not families.cgroups.remove(folder_name(*key)):
            self._empty_cgroups.add(key)
            self._look_again()
