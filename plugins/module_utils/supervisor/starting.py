# SPDX-License-Identifier: GPL-3.0-or-later
"""How a Spawn of the engine becomes a process: what it gets to write to, and what it says `ready` on."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from typing import Optional

from ..engine.messages import InstanceKey, Spawn, SpawnFailed
from ..job.model import Job, ProcessKind
from . import apparmor
from .console import Descriptors
from .means import Inputs, Means
from .processes import Processes
from .readiness.watcher import Watcher
from .spawn import Plan, SpawnError, let_go, plan
from .tracking.cgroup import folder_name


class Starter:
    """Carries out Spawn; the process is on the ledger before its program is executed."""

    def __init__(self, means: Means, inputs: Inputs, processes: Processes) -> None:
        self._means = means
        self._inputs = inputs
        self._processes = processes
        self.wanted: Optional[Callable[[Spawn], bool]] = None  # recovery: is the process there already?

    def spawn(self, effect: Spawn) -> None:
        """Start the process and answer, now or when the child has said how it went."""
        if self.wanted is not None and not self.wanted(effect):
            return
        key, kind, job = effect.key, effect.kind, effect.job
        try:
            if kind is ProcessKind.SECURITY and not apparmor.available():
                raise SpawnError("apparmor", 0)
            self._start(effect, plan(job, kind, effect.env))
        except SpawnError as error:
            if error.errno:
                what = f"{job.name}{f' ({key[1]})' if key[1] else ''} {kind.value} process"
                self._means.warn(f"{what}: unable to start, step {error.step}: {os.strerror(error.errno)}")
            self._inputs.answer(SpawnFailed(key, kind, error.step, error.errno))

    def _start(self, effect: Spawn, what: Plan) -> None:
        key, kind, job = effect.key, effect.kind, effect.job
        watcher = self._processes.watcher(key, job) if kind is ProcessKind.MAIN else None
        output = -1
        since = self._means.kernel.ticks()
        try:
            if watcher is not None:
                what = self._equip(watcher, what)
            what = what._replace(mark=self._means.families.mark(key), extra=(*_copies(effect.files), *what.extra))
            if self._means.console.takes(job):
                what = what._replace(extra=(*what.extra, *self._console(job)))
            elif job.console == "log":
                output = self._log(key, job)
            started = self._means.kernel.start(what, self._means.null_fd if output < 0 else output, folder_name(*key))
        except SpawnError:
            if watcher is not None:
                watcher.cancel()
            raise
        finally:
            for fd, _number in (*what.extra, (output, 1)):
                if fd >= 0:
                    os.close(fd)
        tracked = self._processes.track(key, kind, started.pid, since)
        self._processes.watch(tracked, watcher)
        if started.status < 0:
            self._processes.started(tracked)
            return
        self._means.ledger.flush()
        let_go(started.go)
        self._processes.prepare(tracked, started.status)

    def _equip(self, watcher: Watcher, what: Plan) -> Plan:
        try:
            return watcher.equip(what)
        except OSError as error:
            raise SpawnError("expect", error.errno or errno.EIO) from None

    def _console(self, job: Job) -> Descriptors:
        try:
            return self._means.console.descriptors(job)
        except OSError as error:
            raise SpawnError("console", error.errno or errno.EIO) from None

    def _log(self, key: InstanceKey, job: Job) -> int:
        """Return a descriptor that leads to the instance's log."""
        try:
            return self._means.logs.open(key, job)
        except OSError as error:
            raise SpawnError("log", error.errno or errno.EIO) from None


def _copies(files: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return copies of descriptors, with the number that a process is to have each at: that of the original."""
    copies: list[tuple[int, int]] = []
    try:
        for file in files:
            copies.append((fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, 0), file))
    except OSError as error:
        for copy, _number in copies:
            os.close(copy)
        raise SpawnError("file", error.errno or errno.EIO) from None
    return copies
