# SPDX-License-Identifier: GPL-3.0-or-later
"""The data of a job that is known and of each of its running copies. What happens to them is in ``lifecycle``."""

from __future__ import annotations

from typing import Optional, Union

from ..job.model import Job, ProcessKind
from .condition import Tree
from .event import Event, EventQueue, Told
from .messages import Env, InstanceKey
from .respawn import RespawnHistory
from .states import STOP, WAITING


class Removed:
    """Stands in the place of a definition: the job is to go away. ``quietly``: as its last instance does."""

    __slots__ = ("announced",)

    def __init__(self, announced: bool) -> None:
        self.announced = announced  # whether InstanceRemoved is still announced


class JobClass:
    """A job and its instances, which all run ``job``; ``pending`` takes its place when the last of them has ended."""

    __slots__ = ("instances", "job", "name", "order", "pending", "start_on")

    def __init__(self, job: Job, order: int, events: EventQueue) -> None:
        self.name = job.name
        self.order = order
        self.instances: dict[str, Instance] = {}
        self.pending: Union[Job, Removed, None] = None
        self.job = job
        self.start_on = Tree(job.start_on, events) if job.start_on is not None else None


_FAILURES = {
    "start": "Job failed to start",
    "stop": "Job failed while stopping",
    "restart": "Job failed to restart",
}


class Waiter:
    """A request that waits for an instance; ``operation`` is start, stop or restart."""

    __slots__ = ("operation", "request")

    def __init__(self, operation: str, request: int) -> None:
        self.operation = operation
        self.request = request

    @property
    def failure(self) -> str:
        """What the request is told when the instance has failed."""
        return _FAILURES[self.operation]


class Instance:
    """One copy of a job. Environments are tables of ``KEY=VALUE``; times are seconds, monotonic."""

    __slots__ = (
        "alone", "blocker", "blocking", "ending_family", "env", "exit_status", "failed", "failed_process", "goal",
        "job_class", "key", "kill_step", "name", "processes", "ready", "ready_on", "replace", "respawn",
        "running_since", "spawning", "start_env", "state", "stop_env", "stop_on", "timers", "told", "wait",
    )  # fmt: skip

    def __init__(self, job_class: JobClass, name: str, events: EventQueue) -> None:
        self.job_class = job_class
        self.name = name
        self.key: InstanceKey = (job_class.name, name)  # one tuple, for all who remember it
        self.goal = STOP
        self.state = WAITING
        self.env: Env = ()
        self.start_env: Optional[Env] = None  # what env is to become
        self.stop_env: Optional[Env] = None
        stop_on = job_class.job.stop_on
        self.stop_on = Tree(stop_on, events) if stop_on is not None else None
        self.ready_on: Optional[Tree] = None
        self.processes: dict[ProcessKind, int] = {}
        self.spawning: tuple[ProcessKind, ...] = ()  # asked for, not answered yet
        self.blocker: Optional[Event] = None  # our event that has to finish before we go on
        self.blocking: tuple[Union[Event, Waiter], ...] = ()  # what waits for us
        self.failed = False
        self.failed_process = ""  # a process kind, or "respawn"
        self.exit_status = 0
        self.ready = False  # what expect waits for has happened
        self.replace = False  # a restart is under way, the process is not to go on
        self.ending_family = False
        self.alone = True  # nothing of its family can live: what is left need not be ended, which takes a turn
        self.kill_step = 0
        self.timers: Optional[dict[str, float]] = None  # when they run out
        self.respawn: Optional[RespawnHistory] = None
        self.running_since = 0.0
        self.wait = 0.0  # seconds to wait before the next start
        self.told: Optional[Told] = None  # the notes on the event that moved us last

    @property
    def job(self) -> Job:
        """The definition that this instance runs."""
        return self.job_class.job

    @property
    def title(self) -> str:
        """The name as Upstart writes it in messages: ``job (instance)``, or just ``job``."""
        return f"{self.job_class.name} ({self.name})" if self.name else self.job_class.name

    @property
    def waits_for_nothing(self) -> bool:
        """Tell whether all that makes it run is there: its main process, what ``expect`` and ``ready on`` wait for."""
        if self.ready_on is not None and not self.ready_on.true:
            return False
        if self.job.exec_main is None:
            return True
        return ProcessKind.MAIN in self.processes and (self.ready or self.job.expect.kind == "none")

    def busy(self, kind: ProcessKind) -> bool:
        """Tell whether that process runs or is about to."""
        return kind in self.processes or kind in self.spawning


def waiting_in_a_circle(instances: list[Instance]) -> list[Instance]:
    """Return the instances that can never go on, since their events are held by others of them."""
    holders: dict[int, list[Instance]] = {}
    for instance in instances:
        for waiter in instance.blocking:
            if isinstance(waiter, Event):
                holders.setdefault(waiter.number, []).append(instance)
    tied = {id(instance): instance for instance in instances if instance.blocker is not None}
    while True:
        free = [
            number
            for number, instance in tied.items()
            if instance.blocker is None
            or not any(id(each) in tied for each in holders.get(instance.blocker.number, ()))
        ]
        if not free:
            return list(tied.values())
        for number in free:
            del tied[number]
