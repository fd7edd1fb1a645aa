# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes into the engine and what comes out: the whole interface between deciding and acting.

Inputs carry a ``request``: a number that the caller chose, which comes back in exactly one Reply or Refuse
(None: nobody waits). Effects are to be carried out in order. Times are seconds, monotonic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Optional, Union

from ..job.model import Job, ProcessKind

Env = tuple[str, ...]  # "KEY=VALUE" strings, in order
InstanceKey = tuple[str, str]  # (job name, instance name)


# ---- inputs -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Define:
    """A job file was read: a new job, or a changed one (loaded at once, or when its last instance has ended)."""

    job: Job


@dataclass(frozen=True)
class Undefine:
    """A job file is gone (or broken): the job goes away, at once or when its last instance has ended.

    ``lazily``: not even a job without instances goes at once, but when its next last instance has ended (Upstart
    1.13.2 does so with a job whose override was broken from the beginning).
    """

    name: str
    lazily: bool = False


@dataclass(frozen=True)
class Start:
    """Start the instance that ``env`` selects. ``instance`` overrides the name (Instance.Start over D-Bus)."""

    request: Optional[int]
    job: str
    env: Env = ()
    wait: bool = True
    instance: Optional[str] = None


@dataclass(frozen=True)
class Stop:
    """Stop the instance that ``env`` selects, or ``instance`` names."""

    request: Optional[int]
    job: str
    env: Env = ()
    wait: bool = True
    instance: Optional[str] = None


@dataclass(frozen=True)
class Restart:
    """Stop the running instance that ``env`` selects, or ``instance`` names, and start it again."""

    request: Optional[int]
    job: str
    env: Env = ()
    wait: bool = True
    instance: Optional[str] = None


@dataclass(frozen=True)
class Reload:
    """Send the reload signal to the main process of an instance."""

    request: Optional[int]
    job: str
    instance: str


@dataclass(frozen=True)
class Emit:
    """Emit an event; ``wait``: reply only when it has finished.

    ``tell``: the Reply's value is the Consequences, also when the event has failed.
    ``file``: a descriptor of the host that goes with the event; it is given back with CloseFile.
    """

    request: Optional[int]
    name: str
    env: Env = ()
    wait: bool = True
    tell: bool = False
    file: Optional[int] = None


class Spawned(NamedTuple):
    """The process that a Spawn asked for was started and has executed its program."""

    key: InstanceKey
    kind: ProcessKind
    pid: int


@dataclass(frozen=True)
class SpawnFailed:
    """A Spawn could not be carried out: which step of the child's side failed, and errno."""

    key: InstanceKey
    kind: ProcessKind
    step: str
    errno: int


@dataclass(frozen=True)
class Ready:
    """What ``expect`` waits for has happened; ``pid`` is the main process from now on."""

    key: InstanceKey
    pid: int


@dataclass(frozen=True)
class Never:
    """What ``expect`` waits for cannot happen any more: the start has failed now, not when its timeout has run out.

    ``reason`` is for people.
    """

    key: InstanceKey
    reason: str = ""


@dataclass(frozen=True)
class Extend:
    """The process asks for ``seconds`` from now on, for being started or ended, where less is left of its timeout."""

    key: InstanceKey
    seconds: float


@dataclass(frozen=True)
class ProcessExited:
    """A process of an instance ended: exit ``code`` 0-255, or ``signal``; both None where nobody can tell.

    ``alone``: nobody of the instance's family lives any more, for sure.
    """

    key: InstanceKey
    kind: ProcessKind
    pid: int
    code: Optional[int] = None
    signal: Optional[int] = None
    alone: bool = False


@dataclass(frozen=True)
class FamilyEnded:
    """Nothing is left of the processes that an EndFamily was for."""

    key: InstanceKey


@dataclass(frozen=True)
class TimerFired:
    """A timer set with SetTimer has run out; ``name`` is kill, start, respawn, ...

    ``waited_for``: what has not happened until then, for people, where the host knows it.
    """

    key: InstanceKey
    name: str
    waited_for: str = ""


@dataclass(frozen=True)
class SetJobEnv:
    """set-env/unset-env/reset-env. ``key`` None: the global table, else that instance's (from inside the job).

    ``unset``: ``env`` holds names. ``reset``: back to the table the engine was made with; ``env`` is empty.
    """

    request: Optional[int]
    key: Optional[InstanceKey]
    env: Env = ()
    replace: bool = True
    unset: bool = False
    reset: bool = False


@dataclass(frozen=True)
class StopAll:
    """Orderly shutdown: stop every instance; the Reply comes when all are gone. No new job starts afterwards.

    ``event``: emit that event as well, as Upstart emits session-end: jobs may still start on events, and are waited
    for, not stopped; a later StopAll without an event stops them too.
    """

    request: Optional[int]
    event: str = ""
    env: Env = ()


Input = Union[
    Define, Undefine, Start, Stop, Restart, Reload, Emit, Spawned, SpawnFailed, Ready, Never, Extend, ProcessExited,
    FamilyEnded, TimerFired, SetJobEnv, StopAll,
]  # fmt: skip


@dataclass(frozen=True)
class Consequences:
    """What an event has led to, directly or by way of the events of the jobs that it moved, in order.

    ``started`` and ``stopped``: instances whose goal it changed; ``failures``: those of them that failed.
    ``finished``: nothing holds the event any more; ``failed``: it has failed, as Upstart says it of an event.
    """

    started: tuple[InstanceKey, ...] = ()
    stopped: tuple[InstanceKey, ...] = ()
    failures: tuple[InstanceKey, ...] = ()
    finished: bool = True
    failed: bool = False


# ---- effects ----------------------------------------------------------------------------------------------


class Spawn(NamedTuple):
    """Start a process of an instance with exactly ``env``; answer with Spawned or SpawnFailed.

    ``files``: descriptors that it gets under the same numbers, those of the events that it is started by.
    """

    key: InstanceKey
    kind: ProcessKind
    job: Job
    env: Env
    files: tuple[int, ...] = ()


@dataclass(frozen=True)
class Signal:
    """Send ``signal`` (name without SIG, or number as text) to the process group of that process of the instance,
    or with ``family`` to everything that the instance has started, or with ``alone`` to nothing but that process."""

    key: InstanceKey
    kind: ProcessKind
    signal: str
    family: bool = False
    alone: bool = False


@dataclass(frozen=True)
class EndFamily:
    """End whatever the instance still has running; answer with FamilyEnded, at once if there is nothing.

    ``signal`` is sent first; what is left ``grace`` seconds later gets SIGKILL.
    """

    key: InstanceKey
    signal: str = "KILL"
    grace: float = 0.0


@dataclass(frozen=True)
class SetTimer:
    """Answer with TimerFired in ``seconds``; a timer of that name that runs already is set anew."""

    key: InstanceKey
    name: str
    seconds: float


@dataclass(frozen=True)
class CancelTimer:
    """Let the timer go, which is set."""

    key: InstanceKey
    name: str


@dataclass(frozen=True)
class Reply:
    """``request`` is done. ``value``: the InstanceKey for start and restart, Consequences for an emit that asked for
    them, None otherwise."""

    request: int
    value: Any = None


@dataclass(frozen=True)
class Refuse:
    """``request`` failed. ``error``: the last part of the D-Bus error name (UnknownJob, JobFailed, ...)."""

    request: int
    error: str
    message: str


class Announce(NamedTuple):
    """Tell listeners. ``what`` is the D-Bus signal: JobAdded, JobRemoved, InstanceAdded, InstanceRemoved, GoalChanged,
    StateChanged, Failed, EventEmitted. ``key``: (job, instance), (job, "") or None; ``arguments``: the signal's own.
    ``process``: what has Failed, a process kind, or "respawn" for one end too many."""

    what: str
    key: Optional[InstanceKey]
    arguments: tuple[Any, ...] = ()
    process: str = ""


@dataclass(frozen=True)
class CloseFile:
    """The event that ``file`` came with has finished: no process will be started with it any more."""

    file: int


@dataclass(frozen=True)
class Forget:
    """The instance is gone: its log, cgroup and records can be closed."""

    key: InstanceKey


@dataclass(frozen=True)
class Warn:
    """Something an admin should read in the supervisor's own log."""

    text: str
    key: Optional[InstanceKey] = None


Effect = Union[Spawn, Signal, EndFamily, SetTimer, CancelTimer, Reply, Refuse, Announce, CloseFile, Forget, Warn]
