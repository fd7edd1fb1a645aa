# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is to tell of jobs, whichever init runs them."""

from __future__ import annotations

from typing import Any, Optional

from ..inits.interface import JobInit
from ..processes.ancestry import cgroup
from ..processes.identity import boot_id, read_stat
from .proofs import Proofs
from .supervisor import Supervisor


class Facts:
    """The facts of the jobs of one init. ``user``: it belongs to a user."""

    def __init__(self, init: JobInit, user: bool) -> None:
        self._init = init
        self._proofs = Proofs(user)
        self._boot_id = boot_id()
        self._names: dict[int, str] = {}

    def jobs(self, name: Optional[str], history: bool = False) -> list[dict[str, Any]]:
        """Return the job called ``name``, all without one, by name; an empty list where it is not known."""
        found = []
        jobs = sorted(self._init.describe(*([name] if name else [])).items())
        explained = self._explained([(each, one["name"]) for each, described in jobs for one in described["instances"]])
        for each, described in jobs:
            job = {key: value for key, value in described.items() if key != "unread"}
            job["instances"] = [
                {**self._instance(instance), **explained.get((each, instance["name"]), {})}
                for instance in described["instances"]
            ]
            proofs = (self._proofs.instance(instance, self._init.pid) for instance in described["instances"])
            job["escape"] = [proof for proof in proofs if proof is not None]
            if not job["instances"]:
                job["why_not_running"] = self._init.explain(each, "")
                if job["why_not_running"].get("failure"):
                    job.setdefault("last_failure", job["why_not_running"]["failure"])
            if history and isinstance(self._init, Supervisor):
                job["history"] = self._init.history(each)
            found.append(job)
        return found

    def _explained(self, names: list[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
        """Return what is added to instances that are there: the supervisor's words; other inits have none."""
        if not isinstance(self._init, Supervisor):
            return {}
        return {each: {"explain": told} for each, told in self._init.explain_all(names).items()}

    def _instance(self, instance: dict[str, Any]) -> dict[str, Any]:
        return {**instance, "processes": [self._process(process) for process in instance["processes"]]}

    def _process(self, process: dict[str, Any]) -> dict[str, Any]:
        """Return the process with its boot and, as long as it lives, with who is above it and where it stands."""
        told = {**process, "boot_id": self._boot_id}
        stat = read_stat(process["pid"])
        if stat is None or stat.start_time != process["start_time"]:
            return told
        if stat.ppid not in self._names:
            parent = read_stat(stat.ppid)
            self._names[stat.ppid] = parent.name if parent else ""
        above = {"ppid": stat.ppid, "parent": self._names[stat.ppid]}
        return {**told, **above, "session": stat.session, "cgroup": cgroup(stat.pid).path}
