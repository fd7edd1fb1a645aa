# SPDX-License-Identifier: GPL-3.0-or-later
"""The proofs of escape of one task: what many jobs have in common above them is looked at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ..inits.interface import main_pid
from ..processes import escape
from ..processes.identity import Stat


class Proofs:
    """Proofs for what one init runs. ``user``: it belongs to a user, so a user's manager may be above it."""

    def __init__(self, user: bool) -> None:
        self._user = user
        self._above: dict[int, Stat] = {}
        self._of_starters: dict[int, escape.Proof] = {}

    def starter(self, pid: int) -> escape.Proof:
        """Return the proof for the process that starts the jobs."""
        if pid not in self._of_starters:
            self._of_starters[pid] = escape.proof(pid, user=self._user)
        return self._of_starters[pid]

    def instance(self, instance: Mapping[str, Any], starter: int) -> Optional[dict[str, Any]]:
        """Return the proof for the main process of the instance, None where there is no such process.

        ``starter``: the pid of the process that starts the jobs.
        """
        pid = main_pid(instance)
        if pid is None:
            return None
        proof = escape.proof(pid, supervisor=starter, user=self._user, above=self._above)
        if not proof.escaped and proof.ppid != starter:
            # A supervisor that was killed leaves its jobs to whoever is above it, and takes them up again from there.
            higher = self.starter(starter)
            if higher.escaped and higher.ppid == proof.ppid:
                proof = escape.proof(pid, supervisor=higher.ppid, user=self._user, above=self._above)
        return {"instance": instance["name"], **proof._asdict()} if proof.ppid else None  # else it has ended since
