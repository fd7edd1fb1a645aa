# SPDX-License-Identifier: GPL-3.0-or-later
"""What a watcher sees of the instance whose main process it watches, and how it acts on it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..engine.messages import Extend, InstanceKey, Never, Ready, Spawned
from ..job.model import ProcessKind
from . import spawn
from .means import Inputs, Means
from .readiness.choose import Choice
from .readiness.watcher import Watcher
from .tracking import proc
from .tracking.cgroup import folder_name

if TYPE_CHECKING:
    from .processes import Processes, Tracked


class Around:
    """The ``readiness.watcher.Surroundings`` of one tracked process."""

    def __init__(self, means: Means, inputs: Inputs, processes: Processes, tracked: Tracked) -> None:
        self._means = means
        self._inputs = inputs
        self._processes = processes
        self._tracked = tracked
        self.loop = means.loop

    @property
    def _key(self) -> InstanceKey:
        return self._tracked.key

    # ---- what it may ask ----------------------------------------------------------------------------------------

    def members(self) -> list[proc.Stat]:
        helpers, known = self._processes.helpers, self._processes.known
        found = self._means.families.members(self._key)
        self._processes.past.seen(self._key, found)
        return [
            member
            for member in found
            if member.pid not in helpers
            and member.session not in helpers
            and not _is_script(known.get(member.pid))
            and not _is_script(known.get(member.session))
        ]

    def belongs(self, pid: int) -> bool:
        return self._means.families.has(self._key, pid)

    def ended_between(self, session: int, successor: int) -> int:
        last = proc.stat(successor)
        sessions = {session, last.session if last is not None else 0}
        count = 0
        if last is not None and last.session not in (session, successor) and proc.stat(last.session) is None:
            count = 1  # who made the session has ended, and its own parent, which waited for it, as well
        for pid in proc.children(os.getpid()):
            child = proc.stat(pid) if pid != session and pid not in self._processes.known else None
            count += child is not None and child.ended and child.session in sessions
        return count

    def stopped(self, pid: int) -> bool:
        return self._means.kernel.has_stopped(pid)

    # ---- what it may tell ---------------------------------------------------------------------------------------

    def moved(self, choice: Choice) -> None:
        instance = self._means.engine.instance(self._key)
        key = self._key
        self._processes.moved(self._tracked, choice.pid)
        if instance is not None and instance.ready:
            self._inputs.submit(Ready(key, choice.pid))
        else:
            self._inputs.submit(Spawned(key, ProcessKind.MAIN, choice.pid))

    def ready(self, choice: Choice) -> None:
        key = self._key
        self._processes.moved(self._tracked, choice.pid)
        self._inputs.submit(Ready(key, choice.pid))

    def never(self, reason: str) -> None:
        self.warn(f"the start has failed: {reason}")
        self._inputs.submit(Never(self._key, reason))

    def extend(self, seconds: float) -> None:
        self._inputs.submit(Extend(self._key, seconds))

    def warn(self, text: str) -> None:
        job, instance = self._key
        self._means.warn(f"{job}{f' ({instance})' if instance else ''}: {text}")
        self._processes.past.note(self._key, text)

    # ---- what it may do -----------------------------------------------------------------------------------------

    def run(self, command: str) -> int:
        key, tracked = self._key, self._tracked
        instance = self._means.engine.instance(key)
        if instance is None or tracked.watcher is None:
            raise spawn.SpawnError("check", 0)
        env = self._means.engine.lifecycle.spawn_effect(instance, ProcessKind.MAIN).env
        what = spawn.plan(instance.job, ProcessKind.POST_START, env)
        argv = [spawn.SHELL, "-c", command]
        what = what._replace(argv=argv, script=None, mark=self._means.families.mark(key))
        output = self._output(instance.job.console == "log")
        try:
            started = self._means.kernel.start(what, output, folder_name(*key))
        finally:
            self._means.kernel.settle()
            if output != self._means.null_fd:
                os.close(output)
        if started.status >= 0:
            spawn.let_go(started.go)
            os.close(started.status)  # it exits with 255 where a step fails
        self._helper(started.pid, tracked.watcher)
        return started.pid

    def _helper(self, pid: int, watcher: Watcher) -> None:
        self._processes.helpers[pid] = watcher

    def _output(self, log: bool) -> int:
        instance = self._means.engine.instance(self._key)
        if not log or instance is None:
            return self._means.null_fd
        try:
            return self._means.logs.open(self._key, instance.job)
        except OSError:
            return self._means.null_fd

    def signal(self, pid: int, number: int, group: bool = False) -> None:
        if group:
            self._means.kernel.signal_group(pid, number)
            return
        member = proc.stat(pid)
        if member is not None and self.belongs(pid):
            self._means.kernel.signal_member(member, number)


def _is_script(tracked: object) -> bool:
    """Tell whether a process is one of the instance's own, and not its main one."""
    return getattr(tracked, "kind", ProcessKind.MAIN) is not ProcessKind.MAIN
