# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of instances, from the moment they are there to the one in which the engine is told of their end.

Children end with SIGCHLD (``reap``), others as ``tracking.adopted`` tells. Which process is an instance's main one may
change while it runs: its watcher (``readiness``) says so.
"""

from __future__ import annotations

import os
from typing import Optional

from ..engine.messages import InstanceKey, ProcessExited, Spawned, SpawnFailed
from ..job.model import Job, ProcessKind
from .history import History
from .kernel import Exit
from .loop import READ
from .means import Inputs, Means
from .readiness import kinds, notify
from .readiness.stopping import Stop
from .readiness.watcher import Watcher
from .spawn import parse_status
from .surroundings import Around
from .telling import title
from .tracking import proc
from .tracking.adopted import Adopted, End

_AT_ONCE = 500  # children that are reaped before anything else is done


class Tracked:
    """A process of an instance that we started or adopted."""

    __slots__ = ("key", "kind", "pid", "status", "watcher")

    def __init__(self, key: InstanceKey, kind: ProcessKind, pid: int) -> None:
        self.key = key
        self.kind = kind
        self.pid = pid
        self.status = -1  # descriptor of a child that is still preparing itself
        self.watcher: Optional[Watcher] = None


class Processes:
    """All that are known, by pid."""

    def __init__(self, means: Means, inputs: Inputs, past: History) -> None:
        self._means = means
        self._inputs = inputs
        self.past = past
        self.adopted = Adopted(means.loop)
        self.known: dict[int, Tracked] = {}
        self.helpers: dict[int, Watcher] = {}  # commands that a watcher has started, by pid
        self._just_reaped: dict[int, str] = {}  # the jobs of the children that the last SIGCHLD was about, by pid

    # ---- coming -----------------------------------------------------------------------------------------------

    def track(self, key: InstanceKey, kind: ProcessKind, pid: int, since: Optional[int] = None) -> Tracked:
        """Note a process of ``key`` in the ledger (which has to be flushed) and in memory.

        ``since``: the tick just before we started it. Then its start time lies between that and now, which tells it
        from others as well as its start time does, and /proc need not be read.
        """
        tracked = self.known[pid] = Tracked(key, kind, pid)
        kernel = self._means.kernel
        began = kernel.start_time(pid) if since is None else since
        ended = began if since is None else kernel.ticks()
        self._means.ledger.put(f"process/{pid}", [key[0], key[1], kind.value, began, ended])
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

    def watcher(self, key: InstanceKey, job: Job) -> Optional[Watcher]:
        """Return a new watcher for the main process of ``key``, None where ``expect`` asks for none."""
        address = ""
        if job.expect.kind == "notify":
            mark = self._means.families.mark(key)
            address = notify.address(self._means.run_folder, mark, job.chroot is not None)
        return kinds.watcher(job, address)

    def watch(self, tracked: Tracked, watcher: Optional[Watcher]) -> None:
        """Let ``watcher`` see the process, which was just started; it begins with the program."""
        tracked.watcher = watcher
        if watcher is not None:
            watcher.attach(self._around(tracked), tracked.pid)

    def watch_again(self, tracked: Tracked, job: Job, ready: bool) -> None:
        """Watch a main process that a former supervisor has started; ``ready``: it was ready then."""
        watcher = tracked.watcher = self.watcher(tracked.key, job)
        if watcher is not None:
            watcher.resume(self._around(tracked), tracked.pid, ready)
            watcher.begin()

    def _around(self, tracked: Tracked) -> Around:
        return Around(self._means, self._inputs, self, tracked)

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
            watcher.follow(self._around(successor))
        if not self.is_child(pid):  # also where it has gone since it was chosen: its end has to be told
            self.adopt(successor)

    def is_child(self, pid: int) -> bool:
        stat = proc.stat(pid)
        return stat is not None and stat.parent == os.getpid()

    def job_of_child(self, pid: int) -> Optional[str]:
        """Return the job that our child ``pid`` is a process of; None for every other process.

        Who has sent a signal and ended may have been reaped before we got to the signal; that is a child, too.
        """
        if not self.is_child(pid):
            return self._just_reaped.get(pid)
        tracked = self.known.get(pid)
        key = tracked.key if tracked is not None else self._means.families.owner(pid)
        return None if key is None else key[0]

    def adopt(self, tracked: Tracked) -> None:
        """Watch a process that is not our child."""
        self.adopted.follow(tracked.pid, lambda end: self._adopted_ended(tracked, end))

    # ---- going ------------------------------------------------------------------------------------------------

    def reap(self) -> None:
        """Deal with every child that has ended or stopped."""
        self._just_reaped.clear()
        self._reap()

    def _reap(self) -> None:
        for tracked in [each for each in self.known.values() if isinstance(each.watcher, Stop)]:
            if tracked.watcher is not None:
                tracked.watcher.child_changed()
        kernel = self._means.kernel
        for _child in range(_AT_ONCE):
            ended = kernel.next_exit()
            if ended is None:
                return
            self._child_ended(ended)
            kernel.reap(ended.pid)
            self._means.families.reaped(ended.pid)
        self._means.loop.call_later(0.0, self._reap)  # others have their turn before who forks and ends for ever

    def _child_ended(self, ended: Exit) -> None:
        tracked = self.known.get(ended.pid)
        if tracked is not None:
            self._just_reaped[ended.pid] = tracked.key[0]
            self._ended(tracked, ended.code, ended.signal)
            return
        watcher = self.helpers.pop(ended.pid, None)
        if watcher is not None:
            watcher.helper_ended(ended.pid, ended.code)
            return
        key = self._means.families.owner(ended.pid)
        if key is not None:
            self._just_reaped[ended.pid] = key[0]
            self.past.ended(key, "child", ended.pid, ended.code, ended.signal)

    def _adopted_ended(self, tracked: Tracked, end: End) -> None:
        if self.known.get(tracked.pid) is not tracked or self.is_child(tracked.pid):
            return  # it has become our child meanwhile
        if end.unknown:
            text = f"How process {tracked.pid} ended is unknown: {end.unknown}"
            self._means.warn(f"{title(tracked.key)}: {text}")
            self.past.note(tracked.key, text)
        self._ended(tracked, end.code, end.signal)

    def _ended(self, tracked: Tracked, code: Optional[int], number: Optional[int]) -> None:
        """Tell the engine of a process that ended: both None where nobody can tell how."""
        if tracked.status >= 0:
            self._prepared(tracked)  # it may have failed, or executed and ended at once
            if tracked.pid not in self.known:
                return
        self._means.logs.drain(tracked.key)
        self.past.ended(tracked.key, tracked.kind.value, tracked.pid, code, number)
        watcher = tracked.watcher
        if watcher is not None and self._wants_to_run(tracked.key):
            successor = watcher.exited(code)
            if successor is not None:
                return
        self._drop(tracked)
        alone = self._means.families.look(tracked.key, lambda _pid: False).gone
        self._inputs.submit(ProcessExited(tracked.key, tracked.kind, tracked.pid, code, number, alone))

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
