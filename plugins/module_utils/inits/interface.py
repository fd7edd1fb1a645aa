# SPDX-License-Identifier: GPL-3.0-or-later
"""What every init can be asked for that may run jobs here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Protocol

if TYPE_CHECKING:  # the command line client would pay for it at every call
    from ..job.model import Job


class InstanceStatus(NamedTuple):
    """One instance of a job: words of goal and state, and (kind, pid) of its processes, main first."""

    job: str
    instance: str
    goal: str
    state: str
    processes: tuple[tuple[str, int], ...] = ()


class Init(Protocol):
    """An init that runs jobs. ``env`` holds KEY=VALUE strings and selects the instance; ``wait``: until it is done."""

    name: str

    def start(self, name: str, env: Sequence[str] = (), wait: bool = True) -> None: ...

    def stop(self, name: str, env: Sequence[str] = (), wait: bool = True) -> None: ...

    def restart(self, name: str, env: Sequence[str] = (), wait: bool = True) -> None: ...

    def reload(self, name: str, env: Sequence[str] = ()) -> None: ...

    def status(self, name: str) -> list[InstanceStatus]: ...

    def emit(self, event: str, env: Sequence[str] = (), wait: bool = True) -> None: ...


class Call(NamedTuple):
    """One of several things that an init is asked for together. ``verb`` is start, restart, stop or reload."""

    verb: str
    job: str
    instance: str
    env: Mapping[str, str]


class Definition(NamedTuple):
    """What is written down of a job: its text and that of its override; None where there is none."""

    text: Optional[str]
    override: Optional[str]


class Definitions(Protocol):
    """The files in which an init keeps what it knows of jobs. Raises InitError."""

    def paths(self, name: str) -> tuple[str, str]:
        """Return where the job's text and its override are, for errors and for people."""

    def read(self, name: str) -> Definition:
        """Return what is written down of the job."""

    def names(self) -> list[str]:
        """Return the names of all jobs that are written down here, sorted."""

    def files(self, name: str, wanted: Definition, job: Optional[Job]) -> dict[str, Optional[str]]:
        """Return the files, path to text (None: no such file), that say ``wanted``, which ``job`` was parsed from.

        Without a job: those of a job that is not defined. Raise JobError for what this init cannot do.
        """

    def write(self, name: str, path: str, text: Optional[str]) -> None:
        """Put one of those files into place, or remove it."""


class JobInit(Protocol):
    """An init that jobs are handed over to by a task. Times are seconds; failures are BusError or InitError.

    Jobs and instances are described by dictionaries, as ``Describe`` of org.foster.Init1 gives them (ARCHITECTURE.md).
    """

    @property
    def definitions(self) -> Definitions:
        """Return the files of this init."""

    @property
    def pid(self) -> int:
        """Return the pid of the process that starts the jobs."""

    def describe(self, *names: str) -> dict[str, dict[str, Any]]:
        """Return what is known of the named jobs, of all without names; an unknown one is left out."""

    def load(self) -> None:
        """Take in what was written or removed."""

    def enabled(self, name: str) -> Optional[bool]:
        """Return whether the job comes up with the host, where that is not said by its files; else None."""

    def enable(self, names: Sequence[str], wanted: bool) -> None:
        """Let the jobs come up with the host or not; asked only where ``enabled`` is not None."""

    def start(self, name: str, instance: str, env: Mapping[str, str], timeout: float) -> None:
        """Start an instance and wait until it runs (a task: until it has ended)."""

    def restart(self, name: str, instance: str, env: Mapping[str, str], timeout: float) -> None:
        """Replace the process of a running instance and wait until it runs again."""

    def at_once(self, calls: Sequence[Call], timeout: float) -> list[Optional[Exception]]:
        """Ask for all of ``calls``, then wait for them together; return the BusError or InitError of each, or None."""

    def stop_instance(self, name: str, instance: str, timeout: float) -> None:
        """Stop an instance and wait until it is gone; that it is gone already is fine."""

    def reload_instance(self, name: str, instance: str) -> None:
        """Send the reload signal to the instance."""

    def environment(self, name: str, instance: str) -> dict[str, str]:
        """Return the variables that the instance was started with."""

    def settle(self, name: str, instance: str, timeout: float) -> Optional[dict[str, Any]]:
        """Wait until the instance runs or is given up; return it as it is then, None when it is gone."""

    def stays(self, name: str, instance: str, seconds: float) -> bool:
        """Return whether the instance runs on with the same main process for that long."""

    def last_end(self, name: str, instance: str) -> Optional[dict[str, Any]]:
        """Return how a main process of the instance ended last, None where nobody knows."""

    def explain(self, name: str, instance: str) -> dict[str, Any]:
        """Return why the instance does not run: ``reason`` is a sentence, ``failure`` what failed, or None."""

    def look(self, name: str) -> str:
        """Return the command by which a person sees what the job waits for."""


def instances(description: Optional[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the instances in a job's description by name; the singleton's name is the empty string."""
    return {each["name"]: each for each in (description or {}).get("instances", ())}


def main_pid(instance: Optional[Mapping[str, Any]]) -> Optional[int]:
    """Return the pid of an instance's main process, None where there is none."""
    return next((each["pid"] for each in (instance or {}).get("processes", ()) if each["kind"] == "main"), None)
