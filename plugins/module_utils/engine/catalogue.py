# SPDX-License-Identifier: GPL-3.0-or-later
"""The jobs that are known: how definitions come, change and go, and who listens to which event.

A changed definition takes its place at once where the job has no instances, else when the last of them has ended.
Jobs keep the order in which they first came.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ..job.model import Job
from .condition import Listener, keys_of, listeners
from .environment import Table, add, table, values
from .event import Event, EventQueue
from .instance import Instance, JobClass, Removed
from .messages import Announce, Env, InstanceKey
from .records import Records


class Catalogue:
    """All jobs by name, an index of what they listen to, and the environment that their processes start from.

    ``announcements`` is where Announce effects go; ``inherited``: where ``env KEY`` finds its value.
    """

    def __init__(self, env: Env, inherited: Optional[Mapping[str, str]], events: EventQueue, records: Records) -> None:
        self.jobs: dict[str, JobClass] = {}
        self.environment: Table = table(env)
        self._first_environment = env
        self._inherited = values(env) if inherited is None else inherited
        self._events = events
        self._records = records
        self._listeners: dict[Listener, dict[int, JobClass]] = {}
        self._last_order = 0

    # ---- definitions ----------------------------------------------------------------------------------------

    def define(self, job: Job) -> list[Announce]:
        """Take a definition in; return what is to be announced."""
        job_class = self.jobs.get(job.name)
        if job_class is None:
            self.add(job)
            return [_announce("JobAdded", job.name)]
        if job_class.instances:
            job_class.pending = job
            return []
        return self._replace(job_class, job)  # even if it is the same, as in Upstart

    def undefine(self, name: str, lazily: bool) -> list[Announce]:
        """Let a job go; return what is to be announced."""
        job_class = self.jobs.get(name)
        if job_class is None:
            return []
        if job_class.instances or lazily:
            job_class.pending = Removed(announced=lazily)
            return []
        return self._remove(job_class)

    def add(self, job: Job, order: int = 0) -> JobClass:
        """Make a job known, without telling anybody."""
        if not order:
            self._last_order += 1
            order = self._last_order
        job_class = JobClass(job, order, self._events)
        self.jobs[job.name] = job_class
        for key in _listens_to(job):
            self._listeners.setdefault(key, {})[order] = job_class
        return job_class

    def _remove(self, job_class: JobClass) -> list[Announce]:
        if job_class.start_on is not None:
            job_class.start_on.reset()
        self._forget(job_class)
        return [_announce("JobRemoved", job_class.name)]

    def _forget(self, job_class: JobClass) -> None:
        for key in _listens_to(job_class.job):
            found = self._listeners.get(key)
            if found is not None:
                found.pop(job_class.order, None)
                if not found:
                    del self._listeners[key]
        self.jobs.pop(job_class.name, None)
        self._records.class_changed(job_class.name)
        if job_class.start_on is not None:
            self._records.condition_changed(job_class.name)

    def _replace(self, job_class: JobClass, job: Job) -> list[Announce]:
        """Put ``job`` in the place of the definition of a job without instances; half-matched events go with it."""
        self._forget(job_class)
        fresh = self.add(job, job_class.order)
        if job_class.start_on is not None:
            if fresh.start_on is not None:
                fresh.start_on.take_over(job_class.start_on)
            job_class.start_on.reset()
        return [_announce("JobRemoved", job.name), _announce("JobAdded", job.name)]

    # ---- instances ------------------------------------------------------------------------------------------

    def instance(self, key: InstanceKey) -> Optional[Instance]:
        """Return that instance, None where there is none."""
        job_class = self.jobs.get(key[0])
        return job_class.instances.get(key[1]) if job_class is not None else None

    def instances(self) -> list[Instance]:
        """Return all instances, job by job."""
        return [each for job_class in self.jobs.values() for each in job_class.instances.values()]

    def add_instance(self, job_class: JobClass, name: str) -> Instance:
        """Make an instance that is still at rest, without telling anybody."""
        if not job_class.instances:
            self._records.class_changed(job_class.name)
        instance = Instance(job_class, name, self._events)
        job_class.instances[name] = instance
        return instance

    def instance_gone(self, instance: Instance) -> list[Announce]:
        """Take an instance that has ended off, and let a waiting definition in; return what is to be announced."""
        job_class = instance.job_class
        job_class.instances.pop(instance.name, None)
        removed = Announce("InstanceRemoved", instance.key)
        if job_class.instances:
            return [removed]
        self._records.class_changed(job_class.name)
        pending = job_class.pending
        if pending is None:
            return [removed]
        announcements = self._remove(job_class)
        if isinstance(pending, Removed):
            return [*announcements, removed] if pending.announced else announcements
        self.add(pending, job_class.order)
        return [*announcements, _announce("JobAdded", pending.name)]

    # ---- who listens, and with which environment ------------------------------------------------------------

    def listening(self, event: Event) -> list[JobClass]:
        """Return the jobs that may listen to ``event``, in the order in which they came."""
        found: dict[int, JobClass] = {}
        for key in keys_of(event):
            some = self._listeners.get(key)
            if some:
                found.update(some)
        return [found[order] for order in sorted(found)]

    def class_environment(self, job_class: JobClass) -> Table:
        """Return what every instance of a job starts from."""
        env = dict(self.environment)
        if job_class.job.env:
            add(env, job_class.job.env, self._inherited)
        return env

    def reset_environment(self, env: Optional[Env] = None) -> None:
        """Set the table that all jobs' processes start from; without ``env`` back to the first one."""
        self.environment = table(self._first_environment if env is None else env)


def _listens_to(job: Job) -> set[Listener]:
    return listeners(job.start_on) | listeners(job.stop_on) | listeners(job.ready_on)


def _announce(what: str, name: str, *arguments: Any) -> Announce:
    return Announce(what, (name, ""), arguments)
