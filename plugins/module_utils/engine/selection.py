# SPDX-License-Identifier: GPL-3.0-or-later
"""Which instance is meant: by its name, or by the variables that make it; and the refusal where there is none."""

from __future__ import annotations

from typing import Union

from ..job.errors import ExpandError, UnknownParameter
from ..job.expand import expand
from .catalogue import Catalogue
from .environment import Table, add, all_valid, values
from .instance import Instance, JobClass
from .messages import Env, Restart, Stop
from .turn import Turn


class Refused(Exception):
    """A request cannot be granted. ``error``: the last part of the D-Bus error name (see ``messages.Refuse``)."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error = error
        self.message = message


class Selection:
    """Find instances in ``catalogue``, and make those that are not there yet; raises Refused."""

    def __init__(self, catalogue: Catalogue, turn: Turn) -> None:
        self._catalogue = catalogue
        self._turn = turn

    def job_class(self, name: str) -> JobClass:
        """Return the job of that name."""
        job_class = self._catalogue.jobs.get(name)
        if job_class is None:
            raise Refused("UnknownJob", f"Unknown job: {name}")
        return job_class

    def named(self, job_class: JobClass, name: str) -> Instance:
        """Return the instance of that name."""
        instance = job_class.instances.get(name)
        if instance is None:
            raise Refused("UnknownInstance", f"Unknown instance: {name}")
        return instance

    def selected(self, message: Union[Stop, Restart]) -> Instance:
        """Return the instance that a request names, or selects by its variables."""
        job_class = self.job_class(message.job)
        check_env(message.env)
        if message.instance is not None:
            return self.named(job_class, message.instance)
        return self.named(job_class, self.instance_name(job_class, message.env))

    def instance_name(self, job_class: JobClass, env: Env) -> str:
        """Return the name of the instance that ``env`` selects, on top of the job's own variables."""
        if "$" not in job_class.job.instance:
            return job_class.job.instance
        whole = self._catalogue.class_environment(job_class)
        add(whole, env, {})
        return expanded_name(job_class, whole)

    def new_instance(self, job_class: JobClass, name: str) -> Instance:
        """Make an instance that is still at rest, and tell of it."""
        instance = self._catalogue.add_instance(job_class, name)
        self._turn.touch(instance)
        self._turn.announce("InstanceAdded", instance)
        return instance


def expanded_name(job_class: JobClass, env: Table, usage: bool = False) -> str:
    """Return the instance's name with the variables of ``env`` put in; ``usage``: tell how the job is used if not."""
    job = job_class.job
    if "$" not in job.instance:
        return job.instance
    try:
        return expand(job.instance, values(env.values()))
    except (UnknownParameter, ExpandError) as error:
        hint = f"\nUsage: {job.usage}" if usage and job.usage else ""
        raise Refused("InvalidArgs", f"{error}{hint}") from error


def check_env(env: Env) -> None:
    """Refuse what is not a list of KEY=VALUE."""
    if not all_valid(env):
        raise Refused("InvalidArgs", "Env must be KEY=VALUE pairs")
