# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the engine survives a crash: JSON-able records of what changed, and the way back from them.

Kept: instances, events on their way, conditions that have half come true, the job environment, and the
definition that a job's instances run (today's file may say something else). Requests are not kept: who waited
has lost the connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

from ..job.model import And, Expect, Job, Limit, Match, Or, Process, ProcessKind, RespawnDelay, RespawnLimit
from . import states
from .condition import Tree
from .event import Event
from .instance import Instance, JobClass, Removed
from .messages import Effect, EndFamily, InstanceKey, SetTimer
from .respawn import RespawnHistory

if TYPE_CHECKING:
    from .engine import Engine

_KINDS = {kind.value: kind for kind in ProcessKind}
_TYPES = {kind.__name__: kind for kind in (Process, Match, And, Or, Expect, RespawnLimit, RespawnDelay, Limit)}
_ENVIRONMENT = "environment"
_Entry = tuple[str, Any]  # record key, JSON-able record or None for one that is gone


class Records:
    """Which records are out of date, and how they are made."""

    def __init__(self, encode: Callable[[Job], Any], decode: Callable[[Any], Job]) -> None:
        self._encode = encode
        self._decode = decode
        self._classes: set[str] = set()
        self._conditions: set[str] = set()
        self._environment = False
        # Of what there are records, by kind. Keys of the things themselves, in no sets: that saves 190 bytes a job.
        self._written: dict[str, dict[Any, None]] = {"definition": {}, "condition": {}, "event": {}, "instance": {}}

    def class_changed(self, name: str) -> None:
        """Note that the job has got its first instance, lost its last one, or its definition."""
        self._classes.add(name)

    def condition_changed(self, name: str) -> None:
        """Note that the start on of a job has taken an event, or let some go."""
        self._conditions.add(name)

    def environment_changed(self) -> None:
        """Note that the job environment has changed."""
        self._environment = True

    def changes(self, engine: Engine) -> Iterator[_Entry]:
        """Yield the records that differ from what was yielded before; None for those that are gone.

        They are made one by one, since there may be thousands: take them all before the engine goes on.
        """
        if self._environment:
            self._environment = False
            yield self._of_environment(engine)
        classes, self._classes = self._classes, set()  # a set that was emptied would keep its memory
        for name in classes:
            yield from self._worth_writing("definition", name, self._of_definition(engine, name))
        conditions, self._conditions = self._conditions, set()
        for name in conditions:
            yield from self._worth_writing("condition", name, self._of_condition(engine, name))
        changed = engine.events.changed
        for number in sorted(changed):
            yield from self._worth_writing("event", number, self._of_event(engine, number))
        changed.clear()
        instances = engine.turn.changed
        for key in instances:
            yield from self._worth_writing("instance", key, self._of_instance(engine, key))
        instances.clear()

    def whole(self, engine: Engine) -> dict[str, Any]:
        """Return every record as it is now, for a twin of ``engine``; what changes() returns next stays the same."""
        found = [self._of_environment(engine)]
        for name, job_class in engine.jobs.items():
            found += [self._of_definition(engine, name), self._of_condition(engine, name)]
            found += [self._of_instance(engine, instance.key) for instance in job_class.instances.values()]
        found += [self._of_event(engine, number) for number in engine.events.events]
        return {key: record for key, record in found if record is not None}

    def _of_environment(self, engine: Engine) -> _Entry:
        return _ENVIRONMENT, {"env": list(engine.environment)}

    def _of_definition(self, engine: Engine, name: str) -> _Entry:
        job_class = engine.jobs.get(name)
        runs = job_class is not None and job_class.instances
        return f"definition/{name}", self._encode(job_class.job) if runs and job_class else None

    def _of_condition(self, engine: Engine, name: str) -> _Entry:
        job_class = engine.jobs.get(name)
        taken = job_class.start_on.taken() if job_class is not None and job_class.start_on is not None else []
        return f"condition/{name}", {"job": name, "taken": taken} if any(taken) else None

    def _of_event(self, engine: Engine, number: int) -> _Entry:
        event = engine.events.events.get(number)
        return f"event/{number}", _encode_event(event) if event is not None else None

    def _of_instance(self, engine: Engine, key: InstanceKey) -> _Entry:
        instance = engine.instance(key)
        return f"instance/{key[0]}//{key[1]}", _encode_instance(instance) if instance else None

    def _worth_writing(self, kind: str, what: Any, entry: _Entry) -> Iterator[_Entry]:
        """Yield what there is to write, if anything; what came and went between two calls needs no record."""
        written = self._written[kind]
        if entry[1] is not None:
            written[what] = None
            yield entry
        elif what in written:
            del written[what]
            yield entry

    # ---- the way back ---------------------------------------------------------------------------------------

    def restore(self, engine: Engine, saved: Mapping[str, Any], jobs: Iterable[Job]) -> None:
        """Fill ``engine``, which knows nothing yet."""
        by_kind: dict[str, dict[str, Any]] = {}
        for key, record in saved.items():
            kind, _unused, rest = key.partition("/")
            by_kind.setdefault(kind, {})[rest] = record
        if _ENVIRONMENT in saved:
            engine.catalogue.reset_environment(tuple(saved[_ENVIRONMENT]["env"]))
        for number, record in sorted(by_kind.get("event", {}).items(), key=lambda item: int(item[0])):
            engine.events.restore(_decode_event(int(number), record))
        running = {name: self._decode(record) for name, record in by_kind.get("definition", {}).items()}
        self._written["event"] = dict.fromkeys(engine.events.events)
        self._written["definition"] = {job.name: None for job in running.values()}
        for job in jobs:
            old = running.pop(job.name, None)
            job_class = engine.catalogue.add(job if old is None or old == job else old)
            if old is not None:  # even if it is the same: Upstart loads all definitions anew when it re-executes
                job_class.pending = job
        for job in running.values():
            engine.catalogue.add(job).pending = Removed(announced=False)
        for record in by_kind.get("condition", {}).values():
            job_class_or_none = engine.jobs.get(record["job"])
            if job_class_or_none is not None and job_class_or_none.start_on is not None:
                job_class_or_none.start_on.restore(record["taken"])
        for record in by_kind.get("instance", {}).values():
            job_class_or_none = engine.jobs.get(record["job"])
            if job_class_or_none is not None:
                engine.turn.effects += _restore_instance(engine, job_class_or_none, record)
        self._written["condition"] = {record["job"]: None for record in by_kind.get("condition", {}).values()}
        self._written["instance"] = {instance.key: None for instance in engine.catalogue.instances()}


def _encode_event(event: Event) -> dict[str, Any]:
    return {"name": event.name, "env": list(event.env), "progress": event.progress, "failed": event.failed}


def _decode_event(number: int, record: Mapping[str, Any]) -> Event:
    event = Event(number, record["name"], tuple(record["env"]))
    event.progress = record["progress"]
    event.failed = record["failed"]
    return event


def _encode_instance(instance: Instance) -> dict[str, Any]:
    """Return what an instance is now; what has its first value is left out."""
    record: dict[str, Any] = {
        "job": instance.job_class.name,
        "name": instance.name,
        "goal": instance.goal,
        "state": instance.state,
        "env": instance.env,
    }
    for field in ("start_env", "stop_env"):
        value = getattr(instance, field)
        if value is not None:
            record[field] = value
    for field in _PLAIN:
        value = getattr(instance, field)
        if value:
            record[field] = value
    if instance.processes:
        record["processes"] = {kind.value: pid for kind, pid in instance.processes.items()}
    if instance.spawning:
        record["spawning"] = [kind.value for kind in instance.spawning]
    if instance.blocker is not None:
        record["blocker"] = instance.blocker.number
    events = [waiter.number for waiter in instance.blocking if isinstance(waiter, Event)]
    if events:
        record["blocking"] = events
    for field in ("stop_on", "ready_on"):
        tree = getattr(instance, field)
        if tree is not None and any(taken := tree.taken()):
            record[field] = taken
    if instance.timers:
        record["timers"] = dict(instance.timers)
    if instance.respawn is not None:
        history = instance.respawn
        record["respawn"] = [history.since, history.count, history.delay]
    return record


_PLAIN = (
    "failed", "failed_process", "exit_status", "ready", "replace", "ending_family", "kill_step", "running_since",
    "wait",
)  # fmt: skip


def _restore_instance(engine: Engine, job_class: JobClass, record: Mapping[str, Any]) -> list[Effect]:
    events = engine.events
    instance = engine.catalogue.add_instance(job_class, record["name"])
    instance.goal = record["goal"]
    instance.state = record["state"]
    instance.alone = False  # as far as a new supervisor can know
    instance.env = tuple(record["env"])
    for field in ("start_env", "stop_env"):
        if field in record:
            setattr(instance, field, tuple(record[field]))
    for field in _PLAIN:
        if field in record:
            setattr(instance, field, record[field])
    instance.processes = {_KINDS[kind]: pid for kind, pid in record.get("processes", {}).items()}
    instance.spawning = tuple(_KINDS[kind] for kind in record.get("spawning", ()))
    blocker = events.events.get(record.get("blocker", 0))
    if blocker is not None:
        instance.blocker = blocker
        blocker.waiting.append(instance.key)
    for number in record.get("blocking", ()):
        event = events.events.get(number)
        if event is not None:
            events.hold(event)
            instance.blocking += (event,)
    if instance.stop_on is not None and "stop_on" in record:
        instance.stop_on.restore(record["stop_on"])
    ready_on = job_class.job.ready_on
    if ready_on is not None and instance.state in (states.STARTING, states.SECURITY, states.PRE_START, states.SPAWNED):
        instance.ready_on = Tree(ready_on, events, holds=False)
        instance.ready_on.restore(record.get("ready_on", []))
    if "respawn" in record:
        instance.respawn = RespawnHistory(*record["respawn"])
    return _again(engine, instance, record)


def _again(engine: Engine, instance: Instance, record: Mapping[str, Any]) -> list[Effect]:
    """Return the effects that were under way."""
    effects: list[Effect] = []
    timers = record.get("timers")
    if timers:
        instance.timers = dict(timers)
        for name, due in timers.items():
            effects.append(SetTimer(instance.key, name, max(0.0, due - engine.turn.now)))
    effects += [engine.lifecycle.spawn_effect(instance, kind) for kind in instance.spawning]
    if instance.ending_family:
        effects.append(EndFamily(instance.key))
    return effects


# ---- definitions --------------------------------------------------------------------------------------------


def encode_job(job: Job) -> Any:
    """Return a JSON-able form of a definition: the fields that differ from their defaults."""
    return _encode_value(job)


def decode_job(record: Any) -> Job:
    """Go back from encode_job()."""
    return Job(**{name: _decode_value(value) for name, value in record.items() if name != "="})


def _defaults(kind: type) -> list[tuple[str, Any]]:
    """Return the fields of a data class with their defaults (MISSING where there is none)."""
    return [
        (field.name, field.default if field.default_factory is MISSING else field.default_factory())
        for field in fields(kind)
    ]


_DEFAULTS = {kind: _defaults(kind) for kind in (Job, *_TYPES.values())}


def _encode_value(value: Any) -> Any:
    defaults = _DEFAULTS.get(type(value))
    if defaults is not None:
        record: dict[str, Any] = {"=": type(value).__name__}
        for name, default in defaults:
            part = getattr(value, name)
            if part is not default and part != default:
                record[name] = _encode_value(part)
        return record
    if isinstance(value, tuple):
        return [_encode_value(part) for part in value]
    return value


def _decode_value(value: Any) -> Any:
    if isinstance(value, dict):
        kind = _TYPES[value["="]]
        return kind(**{name: _decode_value(part) for name, part in value.items() if name != "="})
    if isinstance(value, list):
        return tuple(_decode_value(part) for part in value)
    return value
