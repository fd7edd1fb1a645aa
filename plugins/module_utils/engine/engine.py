# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine: inputs in, effects out.

Each input is dealt with, then all events that can go on do so, until none can (Upstart does this once per turn of
its main loop). What is to be done comes back as a list of effects, in order; nothing is done here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Optional

from ..job.model import Job, ProcessKind
from . import states
from .catalogue import Catalogue
from .delivery import Delivery
from .event import EventQueue
from .instance import Instance, JobClass
from .job_events import UNKNOWN
from .lifecycle import Lifecycle
from .messages import (
    Define,
    Effect,
    Emit,
    Env,
    Extend,
    FamilyEnded,
    Input,
    InstanceKey,
    Never,
    ProcessExited,
    Ready,
    Refuse,
    Reload,
    Reply,
    Restart,
    SetJobEnv,
    Spawned,
    SpawnFailed,
    Start,
    Stop,
    StopAll,
    TimerFired,
    Undefine,
)  # fmt: skip
from .records import Records, decode_job, encode_job
from .requests import Requests
from .selection import Refused, Selection
from .turn import Turn

_PATIENCE = 30.0  # seconds that a script may take while everything is being stopped


class Engine:
    """All jobs, their instances, and the events on their way.

    ``environment``: the table that all jobs' processes start from. ``extra_environment``: set last, in every process.
    ``inherited``: where ``env KEY`` finds its value; None: in ``environment``.
    ``encode_job`` and ``decode_job``: how a definition is written into a record.
    """

    def __init__(
        self,
        environment: Env,
        extra_environment: Env = (),
        inherited: Optional[Mapping[str, str]] = None,
        encode_job: Callable[[Job], Any] = encode_job,
        decode_job: Callable[[Any], Job] = decode_job,
    ) -> None:
        self._made_from = (extra_environment, inherited, encode_job, decode_job)
        self.events = EventQueue()
        self._records = Records(encode_job, decode_job)
        self.catalogue = Catalogue(environment, inherited, self.events, self._records)
        self.jobs = self.catalogue.jobs
        self.turn = Turn()
        self.lifecycle = Lifecycle(self.events, extra_environment, self.catalogue.instance_gone, self.turn)
        self._selection = Selection(self.catalogue, self.turn)
        parts = (self.catalogue, self.events, self.lifecycle, self._records, self._selection, self.turn)
        self._requests = Requests(*parts)
        self._delivery = Delivery(*parts)
        self._stopping_all: list[int] = []  # requests that wait for the last instance to go
        self._handlers: dict[type, Callable[[Any], None]] = {
            Define: self._define,
            Undefine: self._undefine,
            Start: self._requests.start,
            Stop: self._requests.stop,
            Restart: self._requests.restart,
            Reload: self._requests.reload,
            Emit: self._requests.emit,
            Spawned: self._spawned,
            SpawnFailed: self._spawn_failed,
            Ready: self._ready,
            Never: self._never,
            Extend: self._extend,
            ProcessExited: self._exited,
            FamilyEnded: self._family_ended,
            TimerFired: self._timer_fired,
            SetJobEnv: self._requests.set_job_env,
            StopAll: self._stop_all,
        }

    @property
    def environment(self) -> Env:
        """The table that all jobs' processes start from, as it is now."""
        return tuple(self.catalogue.environment.values())

    def instance(self, key: InstanceKey) -> Optional[Instance]:
        """Return that instance, None where there is none."""
        return self.catalogue.instance(key)

    def handle(self, message: Input, now: float) -> list[Effect]:
        """Deal with ``message`` at ``now`` (seconds, monotonic) and return what is to be done, in order."""
        self.turn.now = now
        try:
            self._handlers[type(message)](message)
        except Refused as refusal:
            request = getattr(message, "request", None)
            if request is not None:
                self.turn.effects.append(Refuse(request, refusal.error, refusal.message))
        self._go_on()
        return self.turn.take_effects()

    def changes(self) -> Iterator[tuple[str, Any]]:
        """Yield what has changed since it was asked last: (record key, JSON-able record), or None for one that is gone.

        Take all of it before the engine gets its next input.
        """
        return self._records.changes(self)

    def restore(self, saved: Mapping[str, Any], jobs: Iterable[Job], now: float) -> list[Effect]:
        """Go back to where an earlier engine was, from all its records and the definitions of today.

        Requests of that life are forgotten. Returns what has to be done again: its timers, and each Spawn and
        EndFamily that was not answered (where the process is there already, answer without starting another).
        """
        self.turn.now = now
        self._records.restore(self, saved, jobs)
        for instance in self.catalogue.instances():
            if instance.blocker is None and instance.state in (states.STARTING, states.STOPPING):
                self.lifecycle.advance(instance)  # the record of its event was lost
        self._go_on()
        return self.turn.take_effects()

    def instance_name(self, job_class: JobClass, env: Env) -> str:
        """Return the name of the instance that ``env`` selects; raises where a variable is missing."""
        return self._selection.instance_name(job_class, env)

    def twin(self, now: float) -> Engine:
        """Return another engine in the same state, on which things can be tried; requests of this one are not in it."""
        twin = Engine(self.environment, *self._made_from)
        jobs = [job_class.job for job_class in self.jobs.values()]
        twin.restore(self._records.whole(self), jobs, now)
        return twin

    # ---- definitions ----------------------------------------------------------------------------------------

    def _define(self, message: Define) -> None:
        self.turn.effects += self.catalogue.define(message.job)

    def _undefine(self, message: Undefine) -> None:
        self.turn.effects += self.catalogue.undefine(message.name, message.lazily)

    # ---- the end of everything ------------------------------------------------------------------------------

    def _stop_all(self, message: StopAll) -> None:
        self.lifecycle.respawning = False
        if message.event:
            self.events.new(message.event, message.env)
        else:
            self._requests.closed = self._delivery.closed = True
            self.lifecycle.patience = _PATIENCE
            self._release_all()
        for instance in self.catalogue.instances():
            self.lifecycle.change_goal(instance, states.STOP)
        if message.request is not None:
            self._stopping_all.append(message.request)

    def _release_all(self) -> None:
        """Let go what conditions hold: the other half will not come any more, and a stop must not wait for it."""
        for job_class in self.jobs.values():
            if job_class.start_on is not None:
                job_class.start_on.reset()
                self._records.condition_changed(job_class.name)
            for instance in job_class.instances.values():
                if instance.stop_on is not None:
                    instance.stop_on.reset()
                self.lifecycle.limit_script(instance)

    def _go_on(self) -> None:
        """Let everything go as far as it can; answer who waits for the end of all, when it has come."""
        self._delivery.go_on()
        if self._stopping_all and not any(job_class.instances for job_class in self.jobs.values()):
            done, self._stopping_all = self._stopping_all, []
            for request in done:
                self.turn.effects.append(Reply(request))

    # ---- answers of the host --------------------------------------------------------------------------------

    def _spawned(self, message: Spawned) -> None:
        instance = self.instance(message.key)
        if instance is not None:
            self.lifecycle.spawned(instance, message.kind, message.pid)

    def _spawn_failed(self, message: SpawnFailed) -> None:
        instance = self.instance(message.key)
        if instance is None:
            return
        if message.kind is ProcessKind.SECURITY and not message.errno:
            self.lifecycle.skipped(instance, message.kind)
        else:
            self.lifecycle.spawn_failed(instance, message.kind)

    def _ready(self, message: Ready) -> None:
        instance = self.instance(message.key)
        if instance is not None and instance.busy(ProcessKind.MAIN):
            self.lifecycle.became_ready(instance, message.pid)

    def _never(self, message: Never) -> None:
        instance = self.instance(message.key)
        if instance is not None:
            self.lifecycle.not_ready(instance)

    def _extend(self, message: Extend) -> None:
        instance = self.instance(message.key)
        if instance is not None:
            self.lifecycle.extend(instance, message.seconds)

    def _exited(self, message: ProcessExited) -> None:
        instance = self.instance(message.key)
        if instance is None or instance.processes.get(message.kind) != message.pid:
            return
        if message.code is not None:
            status = message.code
        else:
            status = message.signal << 8 if message.signal is not None else UNKNOWN
        self.lifecycle.exited(instance, message.kind, status, message.alone)

    def _family_ended(self, message: FamilyEnded) -> None:
        instance = self.instance(message.key)
        if instance is not None:
            self.lifecycle.family_ended(instance)

    def _timer_fired(self, message: TimerFired) -> None:
        instance = self.instance(message.key)
        if instance is not None:
            self.lifecycle.timer_fired(instance, message.name)
