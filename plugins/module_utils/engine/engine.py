# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine: inputs in, effects out.

Each input is dealt with, then all events that can go on do so, until none can (Upstart does this once per turn of
its main loop). What is to be done comes back as a list of effects, in order; nothing is done here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Optional, Union

from ..job.errors import ExpandError, UnknownParameter
from ..job.expand import expand
from ..job.model import Job, ProcessKind
from . import states
from .catalogue import Catalogue
from .environment import Table, add, add_events, all_valid, change, table, values
from .event import HANDLING, PENDING, Event, EventQueue
from .instance import Instance, JobClass, Waiter, waiting_in_a_circle
from .job_events import UNKNOWN
from .lifecycle import Lifecycle
from .messages import (
    Announce,
    Define,
    Effect,
    Emit,
    Env,
    FamilyEnded,
    Input,
    InstanceKey,
    ProcessExited,
    Ready,
    Refuse,
    Reload,
    Reply,
    Restart,
    SetJobEnv,
    Signal,
    Spawned,
    SpawnFailed,
    Start,
    Stop,
    StopAll,
    TimerFired,
    Undefine,
    Warn,
)  # fmt: skip
from .records import Records, decode_job, encode_job

_PATIENCE = 30.0  # seconds that a script may take while everything is being stopped


class _Refused(Exception):
    """A request cannot be granted."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error = error
        self.message = message


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
        self.events = EventQueue()
        self._records = Records(encode_job, decode_job)
        self.catalogue = Catalogue(environment, inherited, self.events, self._records)
        self.jobs = self.catalogue.jobs
        self.lifecycle = Lifecycle(self.events, extra_environment, self.catalogue.instance_gone)
        self._stopping_all: list[int] = []  # requests that wait for the last instance to go
        self._closed = False  # no new job starts
        self._handlers: dict[type, Callable[[Any], None]] = {
            Define: self._define,
            Undefine: self._undefine,
            Start: self._start,
            Stop: self._stop,
            Restart: self._restart,
            Reload: self._reload,
            Emit: self._emit,
            Spawned: self._spawned,
            SpawnFailed: self._spawn_failed,
            Ready: self._ready,
            ProcessExited: self._exited,
            FamilyEnded: self._family_ended,
            TimerFired: self._timer_fired,
            SetJobEnv: self._set_job_env,
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
        self.lifecycle.now = now
        try:
            self._handlers[type(message)](message)
        except _Refused as refusal:
            request = getattr(message, "request", None)
            if request is not None:
                self.lifecycle.effects.append(Refuse(request, refusal.error, refusal.message))
        self._go_on()
        return self._take_effects()

    def changes(self) -> list[tuple[str, Any]]:
        """Return what has changed since the last call: (record key, JSON-able record), or None for one that is gone."""
        return self._records.changes(self)

    def restore(self, saved: Mapping[str, Any], jobs: Iterable[Job], now: float) -> list[Effect]:
        """Go back to where an earlier engine was, from all its records and the definitions of today.

        Requests of that life are forgotten. Returns what has to be done again: its timers, and each Spawn and
        EndFamily that was not answered (where the process is there already, answer without starting another).
        """
        self.lifecycle.now = now
        self._records.restore(self, saved, jobs)
        for instance in self.catalogue.instances():
            if instance.blocker is None and instance.state in (states.STARTING, states.STOPPING):
                self.lifecycle.advance(instance)  # the record of its event was lost
        self._go_on()
        return self._take_effects()

    # ---- definitions ----------------------------------------------------------------------------------------

    def _define(self, message: Define) -> None:
        self.lifecycle.effects += self.catalogue.define(message.job)

    def _undefine(self, message: Undefine) -> None:
        self.lifecycle.effects += self.catalogue.undefine(message.name, message.lazily)

    # ---- commands -------------------------------------------------------------------------------------------

    def _start(self, message: Start) -> None:
        job_class = self._class(message.job)
        self._check_env(message.env)
        if self._closed:
            raise _Refused("ShuttingDown", f"No job starts any more, the supervisor is stopping: {message.job}")
        start_env: Optional[Env] = None
        if message.instance is not None:
            instance = self._named(job_class, message.instance)
        else:
            env = self.catalogue.class_environment(job_class)
            add(env, message.env, {})
            start_env = tuple(env.values())
            name = self._instance_name(job_class, env, usage=True)
            found = job_class.instances.get(name)
            instance = found if found is not None else self._new_instance(job_class, name)
        if instance.goal != states.STOP:
            raise _Refused("AlreadyStarted", f"Job is already running: {instance.title}")
        instance.start_env = start_env
        self._command(instance, "start", message.request, message.wait, (states.START,))

    def _stop(self, message: Stop) -> None:
        instance = self._selected(message)
        if instance.goal == states.STOP:
            raise _Refused("AlreadyStopped", f"Job has already been stopped: {instance.title}")
        instance.stop_env = message.env if message.instance is None else None
        self._command(instance, "stop", message.request, message.wait, (states.STOP,))

    def _restart(self, message: Restart) -> None:
        instance = self._selected(message)
        if instance.goal == states.STOP:
            # Upstart names only the instance here where the instance was selected by variables.
            title = instance.title if message.instance is not None else instance.name
            raise _Refused("AlreadyStopped", f"Job has already been stopped: {title}")
        start_env: Optional[Env] = None
        if message.instance is None:
            env = self.catalogue.class_environment(instance.job_class)
            add(env, message.env, {})
            start_env = tuple(env.values())
        instance.start_env = start_env
        instance.stop_env = None
        if self.lifecycle.has_timer(instance, "respawn"):
            self._command(instance, "restart", message.request, message.wait, ())
            self.lifecycle.cancel_timer(instance, "respawn")
            self.lifecycle.advance(instance)
        else:
            self._command(instance, "restart", message.request, message.wait, (states.STOP, states.START))

    def _command(
        self, instance: Instance, operation: str, request: Optional[int], wait: bool, goals: tuple[str, ...]
    ) -> None:
        """Release who waited for something else, and change the goal; the reply comes now or when it is reached."""
        lifecycle = self.lifecycle
        lifecycle.touch(instance)
        lifecycle.finished(instance)
        waiter = Waiter(operation, request) if request is not None else None
        if waiter is not None and wait:
            instance.blocking.append(waiter)
        for goal in goals:
            lifecycle.change_goal(instance, goal)
            if goal == states.STOP and len(goals) > 1 and not instance.job.restart_in_place:
                instance.replace = instance.state in (states.PRE_STOP, states.POST_START)
        if waiter is not None and not wait:
            lifecycle.answer(instance, waiter)

    def _reload(self, message: Reload) -> None:
        instance = self._named(self._class(message.job), message.instance)
        if ProcessKind.MAIN not in instance.processes:
            raise _Refused("NotRunning", f"Job is not running: {instance.title}")
        self.lifecycle.effects.append(Signal(instance.key, ProcessKind.MAIN, instance.job.reload_signal, alone=True))
        self._reply(message.request)

    def _emit(self, message: Emit) -> None:
        if not message.name:
            raise _Refused("InvalidArgs", "Name may not be empty string")
        self._check_env(message.env)
        event = self.events.new(message.name, message.env)
        if message.request is not None and message.wait:
            event.waiting.append(message.request)
        else:
            self._reply(message.request)

    def _stop_all(self, message: StopAll) -> None:
        self.lifecycle.respawning = False
        if message.event:
            self.events.new(message.event, message.env)
        else:
            self._closed = True
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

    def _set_job_env(self, message: SetJobEnv) -> None:
        instance: Optional[Instance] = None
        if message.key is not None:
            job, name = message.key
            instance = self._class(job).instances.get(name)
            if instance is None:
                raise _Refused("UnknownJobInstance", f"Unknown instance: {name} of job {job}")
        if not all(entry.partition("=")[0] for entry in message.env):
            raise _Refused("InvalidArgs", "Variable may not be empty string")
        if message.reset:
            if instance is None:
                self.catalogue.reset_environment()
            else:
                instance.env = tuple(self.catalogue.class_environment(instance.job_class).values())
                self.lifecycle.touch(instance)
        else:
            targets = [instance] if instance is not None else self.catalogue.instances()
            if instance is None:
                change(self.catalogue.environment, message.env, message.replace, message.unset)
            for each in targets:
                env = table(each.env)
                change(env, message.env, message.replace, message.unset)
                each.env = tuple(env.values())
                self.lifecycle.touch(each)
        if instance is None:
            self._records.environment_changed()
        self._reply(message.request)

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

    def _exited(self, message: ProcessExited) -> None:
        instance = self.instance(message.key)
        if instance is None or instance.processes.get(message.kind) != message.pid:
            return
        if message.code is not None:
            status = message.code
        else:
            status = message.signal << 8 if message.signal is not None else UNKNOWN
        self.lifecycle.exited(instance, message.kind, status)

    def _family_ended(self, message: FamilyEnded) -> None:
        instance = self.instance(message.key)
        if instance is not None:
            self.lifecycle.family_ended(instance)

    def _timer_fired(self, message: TimerFired) -> None:
        instance = self.instance(message.key)
        if instance is not None:
            self.lifecycle.timer_fired(instance, message.name)

    # ---- events ---------------------------------------------------------------------------------------------

    def _untie(self) -> None:
        """While everything is being stopped, let no instances wait for each other in a circle: release one of them."""
        while True:
            tied = waiting_in_a_circle(self.catalogue.instances())
            if not tied:
                return
            self._warn("is waited for by what it waits for, no longer held", tied[0].key)
            self.lifecycle.finished(tied[0])
            self._visit_events()

    def _go_on(self) -> None:
        """Let everything go as far as it can."""
        self._visit_events()
        if self._closed:
            self._untie()
        if self._stopping_all and not any(job_class.instances for job_class in self.jobs.values()):
            done, self._stopping_all = self._stopping_all, []
            for request in done:
                self._reply(request)

    def _visit_events(self) -> None:
        for event in self.events.visit():
            if event.progress == PENDING:
                event.progress = HANDLING
                self.events.changed.add(event.number)
                if not self._closed:
                    self._offer(event)
            if event.holders == 0:
                self._finish(event)

    def _offer(self, event: Event) -> None:
        """Offer an event to all that listen: to each job's running instances first, then to its start on."""
        for job_class in self.catalogue.listening(event):
            for instance in list(job_class.instances.values()) if job_class.instances else ():
                self._offer_to_instance(instance, event)
            start_on = job_class.start_on
            if start_on is not None and start_on.handle(event):
                self._records.condition_changed(job_class.name)
                if start_on.true:
                    self._started_by_events(job_class)
                    start_on.reset()

    def _offer_to_instance(self, instance: Instance, event: Event) -> None:
        lifecycle = self.lifecycle
        if instance.ready_on is not None and instance.ready_on.handle(event, instance.env):
            lifecycle.touch(instance)
            lifecycle.check_ready(instance)
        stop_on = instance.stop_on
        if stop_on is None or event is instance.blocker:
            return  # it would wait for itself
        if not stop_on.handle(event, instance.env):
            return
        lifecycle.touch(instance)
        if not stop_on.true:
            return
        if instance.goal != states.STOP:
            causes = stop_on.events()
            env: Table = {}
            add_events(env, causes, "UPSTART_STOP_EVENTS")
            instance.stop_env = tuple(env.values())
            lifecycle.finished(instance)
            self._block(instance, causes)
            lifecycle.change_goal(instance, states.STOP)
        stop_on.reset()

    def _started_by_events(self, job_class: JobClass) -> None:
        if job_class.start_on is None:
            return
        causes = job_class.start_on.events()
        env = self.catalogue.class_environment(job_class)
        add_events(env, causes, "UPSTART_EVENTS")
        try:
            name = self._instance_name(job_class, env)
        except _Refused as refusal:
            self._warn(f"{job_class.name} is not started by an event: {refusal.message}", (job_class.name, ""))
            return
        instance = job_class.instances.get(name)
        if instance is None:
            instance = self._new_instance(job_class, name)
        if instance.goal != states.STOP:
            return
        instance.start_env = tuple(env.values())
        self.lifecycle.finished(instance)
        self._block(instance, causes)
        self.lifecycle.change_goal(instance, states.START)

    def _block(self, instance: Instance, causes: list[Event]) -> None:
        for event in causes:
            if event is not instance.blocker:  # it would wait for itself
                self.events.hold(event)
                instance.blocking.append(event)

    def _finish(self, event: Event) -> None:
        """Let those go on who waited for the event, then tell that it happened."""
        self.events.finish(event)
        for waiting in event.waiting:
            if isinstance(waiting, int):
                if event.failed:
                    self.lifecycle.effects.append(Refuse(waiting, "EventFailed", "Event failed"))
                else:
                    self._reply(waiting)
            elif isinstance(waiting, tuple):
                instance = self.instance(waiting)
                if instance is not None and instance.blocker is event:
                    instance.blocker = None
                    self.lifecycle.advance(instance)
        if event.failed and not event.name.endswith("/failed"):
            self.events.new(f"{event.name}/failed", event.env)
        self._announce("EventEmitted", None, event.name, event.env)

    # ---- small things ---------------------------------------------------------------------------------------

    def _class(self, name: str) -> JobClass:
        job_class = self.jobs.get(name)
        if job_class is None:
            raise _Refused("UnknownJob", f"Unknown job: {name}")
        return job_class

    def _named(self, job_class: JobClass, name: str) -> Instance:
        instance = job_class.instances.get(name)
        if instance is None:
            raise _Refused("UnknownInstance", f"Unknown instance: {name}")
        return instance

    def _selected(self, message: Union[Stop, Restart]) -> Instance:
        job_class = self._class(message.job)
        self._check_env(message.env)
        if message.instance is not None:
            return self._named(job_class, message.instance)
        return self._named(job_class, self.instance_name(job_class, message.env))

    def instance_name(self, job_class: JobClass, env: Env) -> str:
        """Return the name of the instance that ``env`` selects; raises where a variable is missing."""
        if "$" not in job_class.job.instance:
            return job_class.job.instance
        whole = self.catalogue.class_environment(job_class)
        add(whole, env, {})
        return self._instance_name(job_class, whole)

    def _instance_name(self, job_class: JobClass, env: Table, usage: bool = False) -> str:
        job = job_class.job
        if "$" not in job.instance:
            return job.instance
        try:
            return expand(job.instance, values(env.values()))
        except (UnknownParameter, ExpandError) as error:
            hint = f"\nUsage: {job.usage}" if usage and job.usage else ""
            raise _Refused("InvalidArgs", f"{error}{hint}") from error

    def _new_instance(self, job_class: JobClass, name: str) -> Instance:
        instance = self.catalogue.add_instance(job_class, name)
        self.lifecycle.touch(instance)
        self._announce("InstanceAdded", instance.key)
        return instance

    def _check_env(self, env: Env) -> None:
        if not all_valid(env):
            raise _Refused("InvalidArgs", "Env must be KEY=VALUE pairs")

    def _reply(self, request: Optional[int], value: Any = None) -> None:
        if request is not None:
            self.lifecycle.effects.append(Reply(request, value))

    def _announce(self, what: str, key: Optional[InstanceKey], *arguments: Any) -> None:
        self.lifecycle.effects.append(Announce(what, key, arguments))

    def _warn(self, text: str, key: Optional[InstanceKey] = None) -> None:
        self.lifecycle.effects.append(Warn(text, key))

    def _take_effects(self) -> list[Effect]:
        effects, self.lifecycle.effects = self.lifecycle.effects, []
        return effects
