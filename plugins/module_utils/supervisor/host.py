# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor around the engine: puts inputs through it, keeps the ledger, and carries out the effects.

For every input: the engine decides, what has changed goes on the ledger, and then the effects are acted on in order,
each by the part that knows how: ``starting``, ``ending``, ``processes``, or the few that are here. What they lead to
(a process that was started) is queued as the next input, never handled inside.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Optional, Union

from ..engine.messages import (
    Announce,
    CancelTimer,
    CloseFile,
    Define,
    EndFamily,
    Forget,
    Input,
    InstanceKey,
    ProcessExited,
    Refuse,
    Reply,
    SetTimer,
    Signal,
    Spawn,
    TimerFired,
    Undefine,
    Warn,
)  # fmt: skip
from ..job.model import Job, ProcessKind
from . import explain, report, telling
from .ending import Ender
from .history import History
from .jobfolder import JobFolder
from .loop import TimerHandle
from .means import Means, OnReply
from .processes import Processes
from .starting import Starter

_ACTS = frozenset((Spawn, Signal, EndFamily, Reply, Refuse))  # what somebody else gets to see
_BURST = 200  # inputs in one go, after which memory is given back


class Host:
    """Owns the engine and everything that acts."""

    def __init__(self, means: Means, run_folder: Optional[str] = None) -> None:
        self.engine = means.engine
        self.loop = means.loop
        self.kernel = means.kernel
        self.ledger = means.ledger
        self.logs = means.logs
        self.families = means.families
        self.warn = means.warn
        self.run_folder = run_folder
        self.subreaper = False  # orphans of jobs become ours
        self.log_priority = "message"
        self.version = "init (upstart 1.13.2)"
        self.folder: Optional[JobFolder] = None
        self.past = History(means.logs.tail, means.ledger.put)
        self.announce: list[Callable[[Announce], None]] = []
        self.marker: tuple[str, str] = ("", "")
        self.addresses: list[str] = []
        self.on_reexec: Callable[[], None] = lambda: None
        self.on_shutdown: Callable[[], None] = lambda: None
        self.processes = Processes(means, self, self.past)
        self.starter = Starter(means, self, self.processes)
        self.ender = Ender(means, self, self.processes)
        self._queue: deque[tuple[Any, Optional[OnReply]]] = deque()
        self._pumping = False
        self._replies: dict[int, OnReply] = {}
        self._last_request = 1 << 32  # numbers of our own, apart from those of callers
        self._timers: dict[tuple[InstanceKey, str], TimerHandle] = {}
        self._cause: Optional[dict[str, Any]] = None
        self._effects: dict[type, Callable[[Any], None]] = {
            Spawn: self.starter.spawn, Signal: self.ender.signal, EndFamily: self.ender.end_family,
            SetTimer: self._set_timer, CancelTimer: self._cancel_timer, Reply: self._reply, Refuse: self._reply,
            Announce: self._announce, CloseFile: self._close_file, Forget: self._forget, Warn: self._warn,
        }  # fmt: skip

    # ---- inputs -----------------------------------------------------------------------------------------------

    def submit(self, message: Input, on_reply: Optional[OnReply] = None) -> None:
        """Put ``message`` through the engine and carry out what follows; ``on_reply`` gets its Reply or Refuse."""
        self._queue.append((message, on_reply))
        self.go_on()

    def answer(self, message: Input) -> None:
        """Queue what an effect has led to."""
        self._queue.append((message, None))

    def go_on(self) -> None:
        """Deal with everything that is queued, unless that is being done already."""
        if not self._pumping:
            self.pump()

    def pump(self) -> None:
        """Deal with everything that is queued."""
        self._pumping = True
        inputs = 0
        try:
            while self._queue:
                inputs += 1
                message, on_reply = self._queue.popleft()
                if on_reply is not None:
                    self._last_request += 1
                    message = replace(message, request=self._last_request)
                    self._replies[self._last_request] = on_reply
                elif isinstance(message, ProcessExited):
                    self._ended(message)
                self._cause = self.past.cause(message)
                self.carry_out(self.engine.handle(message, self.loop.now()))
            self.ledger.flush()
        finally:
            self._pumping = False
            self.kernel.settle()
            if inputs > _BURST:
                self.loop.call_later(1.0, self.kernel.give_back_memory)

    def carry_out(self, effects: list[Any]) -> None:
        """Write down what has changed, then act; ``effects`` is empty afterwards."""
        for key, record in self.engine.changes():
            self.ledger.put(f"engine/{key}", record)
        if any(type(effect) in _ACTS for effect in effects):
            self.ledger.flush()
        effects.reverse()
        while effects:  # each is given back before what comes next takes memory: there may be thousands
            effect = effects.pop()
            self._effects[type(effect)](effect)

    def _ended(self, message: ProcessExited) -> None:
        instance = self.engine.instance(message.key)
        line = telling.ended(message) if instance is not None and instance.goal == "start" else None
        if line is not None:
            self.warn(line)

    def reap(self) -> None:
        """Deal with every child that has ended or stopped."""
        self.processes.reap()
        self.ender.check()

    # ---- effects ----------------------------------------------------------------------------------------------

    def _set_timer(self, effect: SetTimer) -> None:
        self._cancel_timer(effect)
        slot = (effect.key, effect.name)

        def fired() -> None:
            self._timers.pop(slot, None)
            waits = self._what_it_waits_for(effect.key) if effect.name == "start" else ""
            if waits:
                self._warn(Warn(f"it waits for {waits}", effect.key))
            self.submit(TimerFired(*slot, waits))

        self._timers[slot] = self.loop.call_later(effect.seconds, fired)

    def _what_it_waits_for(self, key: InstanceKey) -> str:
        """Return what has not happened yet of a start, "" where nobody knows."""
        instance = self.engine.instance(key)
        pid = instance.processes.get(ProcessKind.MAIN, 0) if instance is not None else 0
        tracked = self.processes.known.get(pid)
        watcher = tracked.watcher if tracked is not None else None
        return watcher.waits_for() if watcher is not None and not watcher.done else ""

    def _cancel_timer(self, effect: Union[SetTimer, CancelTimer]) -> None:
        timer = self._timers.pop((effect.key, effect.name), None)
        if timer is not None:
            timer.cancel()

    def _close_file(self, effect: CloseFile) -> None:
        os.close(effect.file)

    def _reply(self, effect: Union[Reply, Refuse]) -> None:
        on_reply = self._replies.pop(effect.request, None)
        if on_reply is not None:
            on_reply(effect)

    def _announce(self, effect: Announce) -> None:
        if effect.what == "Failed" and effect.key is not None:
            self.past.failed(effect.key, self._cause, too_often=effect.process == "respawn")
        elif effect.what == "JobRemoved" and effect.key is not None and effect.key[0] not in self.engine.jobs:
            self.past.forget(effect.key[0])
        for listener in self.announce:
            listener(effect)

    def _forget(self, effect: Forget) -> None:
        if self.engine.instance(effect.key) is None:  # not started again meanwhile
            self.logs.forget(effect.key)
            self.past.gone(effect.key)
            self.ender.forget(effect.key)

    def _warn(self, effect: Warn) -> None:
        self.warn(f"{telling.title(effect.key)}: {effect.text}" if effect.key else effect.text)
        if effect.key is not None:
            self.past.note(effect.key, effect.text)

    # ---- what the job folders report, and the control socket asks ------------------------------------------------

    def defined(self, job: Job) -> None:
        self.submit(Define(job))

    def gone(self, name: str) -> None:
        self.submit(Undefine(name))

    def vanishing(self, name: str) -> None:
        self.submit(Undefine(name, lazily=True))

    def again(self, name: str) -> None:
        """Take a job whose files have not changed for read again: Upstart replaces its definition all the same."""
        known = self.engine.jobs.get(name)
        if known is not None:
            self.submit(Define(known.pending if isinstance(known.pending, Job) else known.job))

    def reload(self) -> None:
        """Read the job folders again, now, as Upstart does: every job is replaced."""
        if self.folder is not None:
            self.folder.reload(everything=True)

    def read_changes(self) -> None:
        """Read what has changed in the job folders, now."""
        if self.folder is not None:
            self.folder.reload()

    def reexec(self) -> None:
        self.on_reexec()

    def shutdown(self) -> None:
        self.on_shutdown()

    def state_json(self) -> str:
        return report.state(self)

    def now(self) -> float:
        """Return the time in the engine's terms: seconds, monotonic."""
        return self.loop.now()

    def is_of_a_job(self, pid: int) -> bool:
        return self.families.owner(pid) is not None

    def describe(self, names: Sequence[str]) -> str:
        return report.describe(self, names)

    def capabilities(self) -> str:
        return report.capabilities(self)

    def history(self, job: str) -> str:
        return report.history(self, job)

    def explain(self, job: str, instance: str) -> str:
        return explain.explain(self, job, instance)
