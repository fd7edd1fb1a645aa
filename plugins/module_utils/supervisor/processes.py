# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of instances, from the moment they are there to the one in which the engine is told of their end.

Children end with SIGCHLD (``reap``), adopted ones with their pidfd. Which process is an instance's main one may change
while it runs: its watcher (``readiness``) says so.
"""

from __future__ import annotations

import os
from typing import Optional

from ..engine.messages import InstanceKey, ProcessExited, Ready, Spawned, SpawnFailed
from ..job.model import Job, ProcessKind
from .kernel import Exit
from .loop import READ
from .means import Inputs, Means
from .pidfd import exit_status
from .readiness import watchers
from .spawn import parse_status
from .tracking import proc

_LOOK_AGAIN = 1.0  # seconds between looks at an adopted process where there are no pidfds


class Tracked:
    """A process of an instance that we started or adopted."""

    __slots__ = ("adopted_fd", "key", "kind", "pid", "status", "watcher")

    def __init__(self, key: InstanceKey, kind: ProcessKind, pid: int) -> None:
        self.key = key
        self.kind = kind
        self.pid = pid
        self.status = -1  # descriptor of a child that is still preparing itself
        self.adopted_fd = -1  # pidfd of a process that is not our child
        self.watcher: Optional[watchers.Watcher] = None


class Processes:
    """All that are known, by pid."""

    def __init__(self, means: Means, inputs: Inputs) -> None:
        self._means = means
        self._inputs = inputs
        self.known: dict[int, Tracked] = {}

    # ---- coming -----------------------------------------------------------------------------------------------

    def track(self, key: InstanceKey, kind: ProcessKind, pid: int) -> Tracked:
        """Note a process of ``key`` in the ledger (which has to be flushed) and in memory."""
        tracked = self.known[pid] = Tracked(key, kind, pid)
        self._means.ledger.put(f"process/{pid}", [key[0], key[1], kind.value, self._means.kernel.start_time(pid)])
        self._means.families.started(key, pid)
        return tracked

    def started(self, tracked: Tracked) -> None:
        """The process has executed its program."""
        self._inputs.answer(Spawned(tracked.key, tracked.kind, tracked.pid))
        if tracked.watcher is not None:
            tracked.watcher.begin()

    def prepare(self, tracked: Tracked, status: int) -> None:
        """Wait for a child that is still preparing itself and will say on ``status`` how it went."""
        tracked.status = status
        self._means.loop.watch(status, READ, lambda _events: self._prepared(tracked))

    def _prepared(self, tracked: Tracked) -> None:
        """The child has executed its program, or has failed to."""
        data = os.read(tracked.status, 256)
        self._means.loop.unwatch(tracked.status)
        os.close(tracked.status)
        tracked.status = -1
        error = parse_status(data)
        if error is None:
            self.started(tracked)
            self._inputs.go_on()
            return
        self._means.warn(f"{tracked.key[0]} {tracked.kind.value} process: unable to start, step {error}")
        self._drop(tracked)
        self._inputs.submit(SpawnFailed(tracked.key, tracked.kind, error.step, error.errno))

    def watcher(self, tracked: Tracked, job: Job) -> Optional[watchers.Watcher]:
        """Give the process the watcher that ``expect`` asks for, and return it; it is to be begun by the caller."""
        tracked.watcher = watchers.watcher(_Around(self, tracked), job.expect, tracked.pid)
        return tracked.watcher

    def watch_readiness(self, tracked: Tracked, job: Job) -> None:
        """Wait for what ``expect`` says with a process that is there already."""
        watcher = self.watcher(tracked, job)
        if watcher is not None:
            watcher.begin()

    # ---- changing ---------------------------------------------------------------------------------------------

    def moved(self, tracked: Tracked, pid: int) -> None:
        """The main process is another one from now on."""
        if pid == tracked.pid:
            return
        watcher, tracked.watcher = tracked.watcher, None
        self._drop(tracked)
        successor = self.track(tracked.key, tracked.kind, pid)
        successor.watcher = watcher
        if watcher is not None:
            watcher.follow(_Around(self, successor))
        if proc.stat(pid) is not None and not self.is_child(pid):
            self.adopt(successor)

    def is_child(self, pid: int) -> bool:
        stat = proc.stat(pid)
        return stat is not None and stat.parent == os.getpid()

    def adopt(self, tracked: Tracked) -> None:
        """Watch a process that is not our child through a pidfd."""
        loop = self._means.loop
        try:
            tracked.adopted_fd = os.pidfd_open(tracked.pid)
        except (OSError, AttributeError):
            loop.call_later(_LOOK_AGAIN, lambda: self._look_at(tracked))  # Linux before 5.3
            return
        loop.watch(tracked.adopted_fd, READ, lambda _events: self._adopted_ended(tracked))

    def _look_at(self, tracked: Tracked) -> None:
        if self.known.get(tracked.pid) is not tracked:
            return
        if proc.stat(tracked.pid) is None:
            self._ended(tracked, None, None)
        else:
            self._means.loop.call_later(_LOOK_AGAIN, lambda: self._look_at(tracked))

    # ---- going ------------------------------------------------------------------------------------------------

    def reap(self) -> None:
        """Deal with every child that has ended or stopped."""
        for tracked in list(self.known.values()) if self._some_expect_stop() else ():
            if tracked.watcher is not None:
                tracked.watcher.child_changed()
        kernel = self._means.kernel
        while True:
            ended = kernel.next_exit()
            if ended is None:
                break
            self._child_ended(ended)
            kernel.reap(ended.pid)

    def _some_expect_stop(self) -> bool:
        return any(isinstance(tracked.watcher, watchers.Stop) for tracked in self.known.values())

    def _child_ended(self, ended: Exit) -> None:
        tracked = self.known.get(ended.pid)
        if tracked is not None:
            self._ended(tracked, ended.code, ended.signal)
            return
        for other in self.known.values():
            if isinstance(other.watcher, watchers.Check) and other.watcher.check_ended(ended.pid, ended.code):
                return

    def _adopted_ended(self, tracked: Tracked) -> None:
        code, number = exit_status(tracked.adopted_fd)
        self._means.loop.unwatch(tracked.adopted_fd)
        os.close(tracked.adopted_fd)
        tracked.adopted_fd = -1
        if self.known.get(tracked.pid) is tracked and not self.is_child(tracked.pid):
            self._ended(tracked, code, number)

    def _ended(self, tracked: Tracked, code: Optional[int], number: Optional[int]) -> None:
        """Tell the engine of a process that ended: both None where nobody can tell how."""
        if tracked.status >= 0:
            self._prepared(tracked)  # it may have failed, or executed and ended at once
            if tracked.pid not in self.known:
                return
        self._means.logs.drain(tracked.key)
        watcher = tracked.watcher
        if watcher is not None and self._wants_to_run(tracked.key):
            successor = watcher.exited(code)
            if successor is not None:
                return
        self._drop(tracked)
        self._inputs.submit(ProcessExited(tracked.key, tracked.kind, tracked.pid, code, number))

    def _wants_to_run(self, key: InstanceKey) -> bool:
        instance = self._means.engine.instance(key)
        return (
            instance is not None and instance.goal == "start" and instance.state in ("spawned", "post-start", "running")
        )

    def _drop(self, tracked: Tracked) -> None:
        self.forget(tracked.pid)
        if tracked.watcher is not None:
            tracked.watcher.cancel()

    def forget(self, pid: int) -> None:
        """Take a process out of memory and ledger, whatever becomes of it."""
        self.known.pop(pid, None)
        self._means.ledger.put(f"process/{pid}", None)


class _Around:
    """What a watcher sees of the instance whose main process it watches."""

    def __init__(self, processes: Processes, tracked: Tracked) -> None:
        self._processes = processes
        self._tracked = tracked
        self._means = processes._means
        self._inputs = processes._inputs
        self.loop = self._means.loop

    def members(self) -> list[proc.Stat]:
        return self._means.families.members(self._tracked.key)

    def moved(self, pid: int) -> None:
        tracked = self._tracked
        instance = self._means.engine.instance(tracked.key)
        self._processes.moved(tracked, pid)
        if instance is not None and instance.ready:
            self._inputs.submit(Ready(tracked.key, pid))
        else:
            self._inputs.submit(Spawned(tracked.key, ProcessKind.MAIN, pid))

    def ready(self, pid: int) -> None:
        self._processes.moved(self._tracked, pid)
        self._inputs.submit(Ready(self._tracked.key, pid))

    def stopped(self, pid: int) -> bool:
        return self._means.kernel.has_stopped(pid)

    def warn(self, text: str) -> None:
        self._means.warn(f"{self._tracked.key[0]}: {text}")
