# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes that an instance has started, however they have forked.

With cgroups it is their cgroup's members. Without, it is what the supervisor inherits as a subreaper: every orphan of
a job becomes
its child, and is told by its session or by the marker variables that it was started with.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from typing import Optional

from ...engine.messages import InstanceKey
from . import proc
from .cgroup import Cgroups, folder_name


class Families:
    """Find the members of each instance's family. ``marker``: (variable, value) that this supervisor's jobs carry."""

    def __init__(
        self, cgroups: Optional[Cgroups], marker: tuple[str, str], known: Callable[[], Collection[int]]
    ) -> None:
        self.cgroups = cgroups
        self._marker = marker
        self._known = known
        self._sessions: dict[InstanceKey, list[int]] = {}

    def started(self, key: InstanceKey, pid: int) -> None:
        """Note that ``pid``, which leads a session, was started for ``key``."""
        if self.cgroups is None:
            self._sessions.setdefault(key, []).append(pid)

    def forget(self, key: InstanceKey) -> None:
        self._sessions.pop(key, None)

    def members(self, key: InstanceKey) -> list[proc.Stat]:
        """Return the living processes of ``key``, the oldest first."""
        if self.cgroups is not None:
            pids = self.cgroups.members(folder_name(*key))
        else:
            pids = self._by_descent(key)
        found = [stat for pid in pids if (stat := proc.stat(pid)) is not None and stat.state not in "ZX"]
        return sorted(found, key=lambda stat: (stat.start_time, stat.pid))

    def _by_descent(self, key: InstanceKey) -> list[int]:
        known = self._known()
        roots = [pid for pid in self._sessions.get(key, ()) if pid in known]
        for pid in proc.children(os.getpid()):
            if pid not in known and self._belongs(pid, key):
                roots.append(pid)
        found = list(roots)
        for pid in roots:
            found.extend(proc.descendants(pid))
        return list(dict.fromkeys(found))

    def _belongs(self, pid: int, key: InstanceKey) -> bool:
        stat = proc.stat(pid)
        if stat is None or stat.state in "ZX":
            return False
        return stat.session in self._sessions.get(key, ()) or self.owner(pid) == key

    def owner(self, pid: int) -> Optional[InstanceKey]:
        """Return the instance whose marker variables ``pid`` carries, None where it has none of ours."""
        variables = proc.environment(pid)
        name, value = self._marker
        if variables.get(name) != value or "UPSTART_JOB" not in variables:
            return None
        return variables["UPSTART_JOB"], variables.get("UPSTART_INSTANCE", "")
