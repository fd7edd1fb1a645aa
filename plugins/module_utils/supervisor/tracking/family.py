# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes that an instance has started, however they have forked.

With cgroups it is their cgroup's members. Without, it is what the supervisor inherits as a subreaper: every orphan of
a job becomes its child, and is told by the mark that it was born with. After a supervisor was killed, orphans of its
jobs have gone to another parent; then all of /proc is looked through for the mark, once for all families that ask at
the same moment (``scan``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple, Optional, Protocol

from ...engine.messages import InstanceKey
from . import mark, proc
from .cgroup import Cgroups, folder_name
from .scan import Scan

_Keep = Callable[[str, object], None]  # into the ledger: (key, record or None)
_LOOKS = 5  # at a family that is not seen, and not seen to be gone


class Look(NamedTuple):
    """``members``: the living processes, the oldest first. ``gone``: there is nobody, for sure.

    Neither is so where somebody forks and ends faster than it is looked.
    """

    members: list[proc.Stat]
    gone: bool


class Owned(Protocol):
    """A process that is tracked: whose it is."""

    key: InstanceKey


class Families:
    """Find the members of each instance's family. ``marker``: (variable, value) that this supervisor's jobs carry.

    ``known``: the processes that are tracked, by pid. ``keep`` writes what has to outlive the supervisor. ``moment``: a
    number that changes with the turns of the loop.
    """

    def __init__(
        self, cgroups: Optional[Cgroups], marker: tuple[str, str], known: Callable[[], Mapping[int, Owned]],
        keep: _Keep, moment: Callable[[], int] = lambda: 0,
    ) -> None:  # fmt: skip
        self.cgroups = cgroups
        self.refused: list[str] = []  # why there is no cgroup, or no better one
        self._marker = marker
        self._known = known
        self._keep = keep
        self._moment = moment
        self._marks: dict[InstanceKey, int] = {}
        self._owners: dict[int, InstanceKey] = {}  # by mark
        self._orphans: dict[int, Optional[InstanceKey]] = {}
        self._zombies: set[int] = set()  # children of ours that were seen to have ended, until they are reaped
        self._scattered: set[InstanceKey] = set()  # was there before us: its orphans have other parents
        self._met: dict[InstanceKey, dict[int, int]] = {}  # in looks at a cgroup: pid -> start time
        self._scan = Scan.none()

    def mark(self, key: InstanceKey) -> int:
        """Return the mark that processes of ``key`` are to be born with; on the ledger after its next flush."""
        if key in self._scattered:
            self._scan.asked.add(key)  # it does not know who is born now
        found = self._marks.get(key)
        if found is None:
            found = mark.new()
            self._remember(key, found)
            self._keep(f"mark/{key[0]}//{key[1]}", [key[0], key[1], found])
        return found

    def restore(self, records: Collection[list[object]]) -> None:
        """Know the marks that a former supervisor gave out: ``[job, instance, mark]`` each."""
        for record in records:
            job, name, number = record
            if isinstance(number, int):
                key = (str(job), str(name))
                self._remember(key, number)
                self._scattered.add(key)

    def _remember(self, key: InstanceKey, number: int) -> None:
        self._marks[key] = number
        self._owners[number] = key

    def forget(self, key: InstanceKey) -> None:
        """The instance is gone."""
        self._scattered.discard(key)
        self._met.pop(key, None)
        number = self._marks.pop(key, None)
        if number is not None:
            self._owners.pop(number, None)
            self._keep(f"mark/{key[0]}//{key[1]}", None)

    def members(self, key: InstanceKey) -> list[proc.Stat]:
        """Return the living processes of ``key``, the oldest first; who forks and ends meanwhile may be missed."""
        return self._living(key, self._pids(key))

    def look(self, key: InstanceKey, spare: Callable[[int], bool]) -> Look:
        """Look until somebody is found, or nobody can be there any more; but for the pids that ``spare`` knows.

        Orphans become our children, at the end of the list, and none leaves it but by us. So where each of the family
        that is listed was a zombie before the list was read, nobody lives: the top of who does would be listed.
        """
        for _look in range(_LOOKS):
            pids = [pid for pid in self._pids(key) if not spare(pid)]
            members = self._living(key, pids)
            if self.cgroups is not None and (members or not pids):
                return self._at_cgroup(self.cgroups, key, members)
            if members or not pids:
                return Look(members, not members)
        # Others have the orphans of a scattered family: no look tells for sure.
        return Look([], self._is_scanned(key))

    def _at_cgroup(self, cgroups: Cgroups, key: InstanceKey, listed: list[proc.Stat]) -> Look:
        """Return what a look at a cgroup says that has ``listed`` these: others may have left the list and not ended.

        Their threads are in the kernel, and give back memory, sockets and files: a port may still be taken. While
        anything is held the cgroup says so, though not who holds it; what comes after that is soon over, but a process
        that was met counts until it has ended.
        """
        met = self._met.setdefault(key, {})
        met.update((member.pid, member.start_time) for member in listed)
        members = listed or [
            stat
            for pid, started in met.items()
            if (stat := proc.stat(pid)) is not None and stat.start_time == started and stat.ending and not stat.ended
        ]
        name = folder_name(*key)
        gone = not members and (bool(cgroups.members(name)) or not cgroups.holds(name))
        if gone:
            del self._met[key]
        return Look(members, gone)

    def pursue(
        self, key: InstanceKey, spare: Callable[[int], bool], strike: Callable[[int], None],
        bury: Callable[[int], None], rounds: int,
    ) -> None:  # fmt: skip
        """Call ``strike`` with each process of ``key`` as soon as it is seen, until none is seen or ``rounds`` times.

        For those who fork, leave their group and end, again and again: nothing else comes between look and blow. Who
        has ended is given to ``bury``, to be reaped: the list of our children stays short.
        """
        for _round in range(rounds):
            pids = [pid for pid in self._pids(key) if not spare(pid)]
            if not pids:
                return
            for pid in reversed(pids):
                strike(pid)
            living = {member.pid for member in self._living(key, pids)}
            for pid in pids:
                if pid not in living:
                    bury(pid)

    def _living(self, key: InstanceKey, pids: Collection[int]) -> list[proc.Stat]:
        found = []
        own = os.getpid()
        for pid in pids:
            stat = proc.stat(pid)
            if stat is None:
                continue
            if not stat.ended:
                if not self._is_scanned(key) or mark.of(pid) == self._marks.get(key):  # it is still the one of the scan
                    found.append(stat)
            elif stat.parent == own:
                self._zombies.add(pid)
        return sorted(found, key=lambda stat: (stat.start_time, stat.pid))

    def _pids(self, key: InstanceKey) -> list[int]:
        """Return the processes of ``key``, without the zombies that are known."""
        own = os.getpid()  # we stand in the cgroup of what we have just started
        pids = self.cgroups.members(folder_name(*key)) if self.cgroups is not None else self._by_mark(key)
        return [pid for pid in pids if pid != own]

    def _by_mark(self, key: InstanceKey) -> list[int]:
        number = self._marks.get(key)
        if number is None:
            return []
        if self._is_scanned(key):
            return self._scanned(key, number)
        known = self._known()
        found: list[int] = []
        children = proc.children(os.getpid())
        self._zombies.intersection_update(children)
        for pid in children:
            if pid in self._zombies:
                continue
            tracked = known.get(pid)
            if (tracked.key if tracked is not None else self._orphan_of(pid)) == key:
                found.append(pid)
                found.extend(proc.descendants(pid))
        return list(dict.fromkeys(found))

    def _is_scanned(self, key: InstanceKey) -> bool:
        return self.cgroups is None and key in self._scattered

    def _scanned(self, key: InstanceKey, number: int) -> list[int]:
        """Return who has the mark, from a scan of this moment that ``key`` has not asked: from a new one, if need be.

        Who asks again does so because something has happened since: somebody was signalled, or has ended.
        """
        moment = self._moment()
        if self._scan.moment != moment or key in self._scan.asked:
            self._scan = Scan.begun(moment, {self._marks[each] for each in self._scattered}, self._scan.zombies)
        self._scan.asked.add(key)
        return self._scan.pids.get(number, [])

    def _orphan_of(self, pid: int) -> Optional[InstanceKey]:
        """Return whose a child is that we have inherited; looked at once, until it is ``reaped``."""
        if pid not in self._orphans:
            self._orphans[pid] = self._owners.get(mark.of(pid) or 0)
        return self._orphans[pid]

    def reaped(self, pid: int) -> None:
        """A child of ours is gone; its pid may come again."""
        self._zombies.discard(pid)
        self._orphans.pop(pid, None)

    def has(self, key: InstanceKey, pid: int) -> bool:
        """Tell whether ``pid`` belongs to ``key``: living, or a zombie that nobody has reaped."""
        if pid <= 1 or pid == os.getpid():
            return False
        if self.cgroups is not None:
            part = f"/{self.cgroups.folder}/{folder_name(*key)}/"
            return any(part in f"{path}/" for path in proc.cgroups(pid))
        number = self._marks.get(key)
        if number is None or mark.of(pid) != number:
            return False
        # The mark is no secret, and anybody may put it on; but nobody gets below us who was not started there.
        return key in self._scattered or _is_below(os.getpid(), pid)

    def owner(self, pid: int) -> Optional[InstanceKey]:
        """Return the instance that ``pid`` belongs to, living or zombie; None where it is none of ours."""
        number = mark.of(pid)
        if number is not None and number in self._owners:
            return self._owners[number]
        variables = proc.environment(pid)
        name, value = self._marker
        if variables.get(name) != value or "UPSTART_JOB" not in variables:
            return None
        return variables["UPSTART_JOB"], variables.get("UPSTART_INSTANCE", "")


def _is_below(ancestor: int, pid: int) -> bool:
    """Tell whether ``pid`` descends from ``ancestor``."""
    while pid != ancestor:
        stat = proc.stat(pid) if pid > 1 else None
        if stat is None:
            return False
        pid = stat.parent
    return True
