# SPDX-License-Identifier: GPL-3.0-or-later
"""Go on where a former supervisor stopped, killed or executed anew: the ledger, /proc and the cgroups are made to
agree.

A process of the ledger that still has its start time is adopted. What the engine had asked for without an answer is
looked for by
its cgroup, mark or marker variables, so that what the killed one had just started is not started twice.
"""

from __future__ import annotations

import os
from typing import Any, Optional

from ..engine.messages import InstanceKey, ProcessExited, Signal, Spawn, Spawned
from ..job.model import Job, ProcessKind
from .host import Host
from .tracking import proc
from .tracking.cgroup import folder_name

_KINDS = {kind.value: kind for kind in ProcessKind}


class Recovery:
    """One recovery of ``host`` from ``saved``, the ledger's records."""

    def __init__(self, host: Host, saved: dict[str, Any]) -> None:
        self._host = host
        self._saved = saved
        self._alive: dict[int, tuple[InstanceKey, ProcessKind]] = {}
        self._ended: dict[int, tuple[InstanceKey, ProcessKind]] = {}
        self._index: Optional[dict[InstanceKey, list[int]]] = None

    def run(self, jobs: list[Job]) -> int:
        """Restore the engine with the definitions of today, and adopt; return how many processes are still there."""
        host = self._host
        host.past.restore(self._saved)
        host.families.restore([record for key, record in self._saved.items() if key.startswith("mark/")])
        for key, record in self._saved.items():
            if key.startswith("process/"):
                self._sort(int(key[len("process/") :]), record)
        for pid, (instance_key, kind) in self._alive.items():
            tracked = host.processes.track(instance_key, kind, pid)
            if not host.processes.is_child(pid):
                host.processes.adopt(tracked)
        for pid in self._ended:
            host.ledger.put(f"process/{pid}", None)
        records = {key[len("engine/") :]: record for key, record in self._saved.items() if key.startswith("engine/")}
        host.starter.wanted = self._is_missing
        effects = host.engine.restore(records, jobs, host.loop.now())
        host.carry_out(effects)
        host.starter.wanted = None
        self._reconcile()
        host.pump()
        return len(self._alive)

    def _sort(self, pid: int, record: Any) -> None:
        job, name, kind, earliest, latest = record
        stat = proc.stat(pid)
        ours = stat is not None and earliest is not None and earliest <= stat.start_time <= latest
        if stat is not None and ours and (not stat.ended or stat.parent == os.getpid()):
            self._alive[pid] = ((job, name), _KINDS[kind])
        else:
            self._ended[pid] = ((job, name), _KINDS[kind])

    def _is_missing(self, effect: Spawn) -> bool:
        """Tell whether a process that the former supervisor wanted has to be started; answer for the one that is
        there.
        """
        host, slot = self._host, (effect.key, effect.kind)
        answered = self._answered(effect.key)
        for pid, found in self._alive.items():
            if found == slot and pid not in answered:
                self._answer(effect, pid)
                return False
        for pid, found in self._ended.items():
            if found == slot and pid not in answered:
                host.answer(Spawned(effect.key, effect.kind, pid))
                host.answer(ProcessExited(effect.key, effect.kind, pid))
                return False
        unrecorded = self._search(effect)
        if unrecorded is None:
            return True
        tracked = host.processes.track(effect.key, effect.kind, unrecorded)
        if not host.processes.is_child(unrecorded):
            host.processes.adopt(tracked)
        self._alive[unrecorded] = slot
        self._answer(effect, unrecorded)
        return False

    def _answer(self, effect: Spawn, pid: int) -> None:
        host = self._host
        host.answer(Spawned(effect.key, effect.kind, pid))
        if effect.kind is ProcessKind.MAIN:
            host.processes.watch_again(host.processes.known[pid], effect.job, ready=False)

    def _answered(self, key: InstanceKey) -> set[int]:
        instance = self._host.engine.instance(key)
        return set(instance.processes.values()) if instance is not None else set()

    def _search(self, effect: Spawn) -> Optional[int]:
        """Return a process of the instance that leads a session and is not on the ledger: started just before the
        end.
        """
        families = self._host.families
        if families.cgroups is not None:
            pids = families.cgroups.members(folder_name(*effect.key))
        else:
            pids = self._marked().get(effect.key, [])
        found = []
        for pid in pids:
            stat = proc.stat(pid)
            if pid in self._alive or stat is None or stat.session != pid or stat.ended:
                continue
            found.append(stat)
        found.sort(key=lambda stat: stat.start_time)
        return found[-1].pid if found else None

    def _marked(self) -> dict[InstanceKey, list[int]]:
        """Return the processes that carry our marker variables, by instance; looked at once."""
        if self._index is None:
            self._index = {}
            for pid in proc.all_pids():
                owner = self._host.families.owner(pid)
                if owner is not None:
                    self._index.setdefault(owner, []).append(pid)
        return self._index

    def _reconcile(self) -> None:
        """Tell the engine of processes that ended meanwhile, and say again what may not have been heard."""
        host = self._host
        for job_class in list(host.engine.jobs.values()):
            for instance in list(job_class.instances.values()):
                for kind, pid in list(instance.processes.items()):
                    if pid not in host.processes.known:
                        host.answer(ProcessExited(instance.key, kind, pid))
                    elif kind is ProcessKind.MAIN and instance.state == "killed":
                        host.carry_out([Signal(instance.key, kind, instance.job.kill_signal)])
                    elif kind is ProcessKind.MAIN and host.processes.known[pid].watcher is None:
                        host.processes.watch_again(host.processes.known[pid], instance.job, instance.ready)
        known = {pid for job_class in host.engine.jobs.values() for each in job_class.instances.values()
                 for pid in each.processes.values()}  # fmt: skip
        for pid, tracked in list(host.processes.known.items()):
            instance_or_none = host.engine.instance(tracked.key)
            if pid not in known and not (instance_or_none is not None and instance_or_none.spawning):
                host.processes.forget(pid)
                if instance_or_none is None:
                    host.kernel.signal_process(pid, 9)  # its job was stopped and forgotten: nothing of it stays
