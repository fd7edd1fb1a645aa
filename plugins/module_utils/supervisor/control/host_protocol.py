# SPDX-License-Identifier: GPL-3.0-or-later
"""What the D-Bus service needs from the supervisor around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional, Protocol, Union

from ...engine.messages import Env, Input, Refuse, Reply
from ...job.model import Job, ProcessKind

OnReply = Callable[[Union[Reply, Refuse]], None]


class InstanceView(Protocol):
    """A running copy of a job, to read."""

    @property
    def goal(self) -> str: ...

    @property
    def state(self) -> str: ...

    @property
    def processes(self) -> Mapping[ProcessKind, int]: ...

    @property
    def env(self) -> Env: ...


class JobView(Protocol):
    """A job with its instances by name, to read."""

    @property
    def job(self) -> Job: ...

    @property
    def instances(self) -> Mapping[str, InstanceView]: ...


class EngineView(Protocol):
    """The engine, to read: nothing here changes it, changes go through ``Host.submit``."""

    @property
    def jobs(self) -> Mapping[str, JobView]: ...

    @property
    def environment(self) -> Env: ...


class Host(Protocol):
    """The supervisor, as the service sees it. JSON is text, as org.foster.Init1 sends it."""

    log_priority: str
    version: str  # "init (upstart 1.13.2)"

    @property
    def engine(self) -> Any: ...  # an EngineView

    def now(self) -> float:
        """Return the time in the engine's terms: seconds, monotonic."""

    def submit(self, message: Input, on_reply: Optional[OnReply] = None) -> None:
        """Put a request through the engine; ``on_reply`` gets its Reply or Refuse, now or later."""

    def warn(self, text: str) -> None:
        """Write a sentence into the supervisor's own log."""

    def reload(self) -> None:
        """Read the job folders again, all of them."""

    def read_changes(self) -> None:
        """Read what has changed in the job folders."""

    def reexec(self) -> None:
        """Execute the supervisor's program anew, with its state; connections end without a reply."""

    def shutdown(self) -> None:
        """End the session: stop every job, then leave."""

    def state_json(self) -> str:
        """Return the whole state, in the shape of Upstart's GetState."""

    def is_of_a_job(self, pid: int) -> bool:
        """Tell whether a process is one that a job has brought."""

    def describe(self, names: Sequence[str]) -> str:
        """Return the jobs with these names (all when empty)."""

    def capabilities(self) -> str:
        """Return what this host can do."""

    def history(self, job: str) -> str:
        """Return what happened to the processes of a job."""

    def explain(self, job: str, instance: str) -> str:
        """Return why an instance is in its state."""


class Timer(Protocol):
    """What ``Loop.call_later`` returns."""

    def cancel(self) -> None: ...


class Loop(Protocol):
    """The event loop: ``events`` are those of epoll(7)."""

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None: ...

    def unwatch(self, fd: int) -> None: ...

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer: ...
