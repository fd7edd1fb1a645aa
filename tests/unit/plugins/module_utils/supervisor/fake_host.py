# SPDX-License-Identifier: GPL-3.0-or-later
"""A host whose kernel starts nothing: effects become calls, and a test tells who has ended."""

from __future__ import annotations

from collections import deque

from ansible_collections.foster.init.plugins.module_utils.engine.engine import Engine
from ansible_collections.foster.init.plugins.module_utils.engine.messages import Start, Stop
from ansible_collections.foster.init.plugins.module_utils.job.parser import parse_job
from ansible_collections.foster.init.plugins.module_utils.supervisor.host import Host
from ansible_collections.foster.init.plugins.module_utils.supervisor.kernel import Exit, Started
from ansible_collections.foster.init.plugins.module_utils.supervisor.ledger import Ledger
from ansible_collections.foster.init.plugins.module_utils.supervisor.loop import Loop
from ansible_collections.foster.init.plugins.module_utils.supervisor.means import Means
from ansible_collections.foster.init.plugins.module_utils.supervisor.tracking.family import Look

FIRST = 10_000_000  # above any pid: nothing real is touched


class FakeKernel:
    """Start nothing, and remember everything."""

    def __init__(self, ledger_path) -> None:
        self.ledger_path = ledger_path
        self.started: list[tuple[str, int]] = []
        self.signals: list[tuple[int, int]] = []
        self.exits: deque[Exit] = deque()
        self.refuse = None
        self.ledger_at_start: list[str] = []

    def start(self, plan, output, cgroup):
        if self.refuse is not None:
            raise self.refuse
        self.ledger_at_start.append(self.ledger_path.read_text())
        pid = FIRST + len(self.started)
        self.started.append((" ".join(plan.argv), pid))
        return Started(pid)

    def settle(self):
        pass

    def give_back_memory(self):
        pass

    def restore_limits(self):
        pass

    def next_exit(self):
        return self.exits[0] if self.exits else None

    def reap(self, pid):
        self.exits.popleft()

    def has_stopped(self, pid):
        return False

    def signal_group(self, pid, number):
        self.signals.append((pid, number))

    def signal_process(self, pid, number):
        self.signals.append((pid, number))

    def signal_member(self, member, number):
        self.signals.append((member.pid, number))

    def start_time(self, pid):
        return 1

    def ticks(self):
        return 1


class NoLogs:
    def __init__(self, null) -> None:
        self._null = null

    def open(self, key, job):
        import os

        return os.dup(self._null)

    def drain(self, key):
        pass

    def forget(self, key):
        pass

    def tail(self, key, lines=10):
        return ["last line"]

    def path(self, key):
        return "/log"


class NoFamily:
    cgroups = None

    def members(self, key):
        return []

    def look(self, key, spare):
        return Look([], True)

    def mark(self, key):
        return 0

    def restore(self, records):
        pass

    def reaped(self, pid):
        pass

    def owner(self, pid):
        return None

    def forget(self, key):
        pass


class Place:
    def __init__(self, path, null) -> None:
        self.path = path
        self.loop = Loop()
        self.kernel = FakeKernel(path)
        self.warnings: list[str] = []
        self.replies: list[object] = []
        self.null = null
        means = Means(
            Engine(("PATH=/bin",)), self.loop, self.kernel, Ledger(str(path)), NoLogs(null), NoFamily(),
            self.warnings.append, null,
        )  # fmt: skip
        self.host = Host(means)

    def define(self, name: str, text: str) -> None:
        self.host.defined(parse_job(text, name, f"/{name}.conf"))

    def start(self, name: str) -> None:
        self.host.submit(Start(None, name), self.replies.append)

    def stop(self, name: str) -> None:
        self.host.submit(Stop(None, name), self.replies.append)

    def die(self, pid: int, code=None, signal=None) -> None:
        self.kernel.exits.append(Exit(pid, code, signal))
        self.host.reap()
