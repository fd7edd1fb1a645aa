# SPDX-License-Identifier: GPL-3.0-or-later
"""``expect listen [ADDRESS]``: the process is ready when one of the job listens there (with no address: anywhere).

No kernel interface reports a listen() without a price. Sockets that begin to listen are announced to nobody
(sock_diag(7) announces only those that end). A seccomp notification would tell at the very call, but its filter stays
for the life of the daemon and every later listen() fails with ENOSYS once the supervisor's descriptor is closed: a
supervisor that dies would break the next reload of every nginx, and nothing here may harm a job by dying. So it is
looked at, soon and then less often, only while the job is being started.
"""

from __future__ import annotations

from typing import Optional

from ...job.listen_address import parse_listen
from ...job.model import Job
from ..tracking.proc import Stat
from . import listening
from .choose import CERTAIN, Choice, choose
from .watcher import Looking


class Listen(Looking):
    """Look for the socket among those that listen, and for its holder in the family."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._address = parse_listen(job.expect.argument)

    def waits_for(self) -> str:
        where = f"at {self.expect.argument}" if self.expect.argument else "anywhere"
        return f"one of its processes to listen {where} (`expect listen`)"

    def _look(self) -> bool:
        members = self._around.members()
        holder = self._holder(members)
        if holder is None:
            return False
        alive = {member.pid: member for member in members}
        # A starter that is still there is about to end; a wrapper that stays is what the job runs.
        self._ready(None if self.pid in alive and _descends(holder.pid, self.pid, alive) else holder)
        return True

    def _holder(self, members: list[Stat]) -> Optional[Choice]:
        pids = listening.holders([member.pid for member in members], self._address)
        found = choose([member for member in members if member.pid in pids])
        return None if found is None else Choice(found.pid, CERTAIN, "it listens")

    def _named(self) -> Optional[Choice]:
        return self._holder(self._around.members())


def _descends(pid: int, ancestor: int, alive: dict[int, Stat]) -> bool:
    while pid in alive and pid != ancestor:
        pid = alive[pid].parent
    return pid == ancestor
