# SPDX-License-Identifier: GPL-3.0-or-later
"""The data of a job: what an admin wrote down, parsed, with every default filled in.

Everything here is frozen: a running instance keeps the very definition that it was started with.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Optional, Union


class ProcessKind(enum.Enum):
    """The processes of a job; the value is the word used in job files, output and D-Bus."""

    MAIN = "main"
    PRE_START = "pre-start"
    POST_START = "post-start"
    PRE_STOP = "pre-stop"
    POST_STOP = "post-stop"
    SECURITY = "security"


@dataclass(frozen=True)
class Process:
    """What to run: a command line (``exec``) or the text of a shell script (``script``)."""

    command: str
    script: bool = False


@dataclass(frozen=True)
class Match:
    """One event of a condition: its name and what its variables must match.

    ``arguments``: tuple of ``VALUE`` (positional), ``KEY=VALUE`` or ``KEY!=VALUE``; values are fnmatch patterns.
    """

    event: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class And:
    """Both have come true."""

    left: Condition
    right: Condition


@dataclass(frozen=True)
class Or:
    """One of them has come true."""

    left: Condition
    right: Condition


Condition = Union[Match, And, Or]


@dataclass(frozen=True)
class Expect:
    """What tells that the main process is ready, and which process it is.

    ``kind`` is none, fork, daemon, stop, exit, auto, notify, listen, dbus, pidfile, newline or check;
    ``argument`` is the count, address, name, path, descriptor or command that follows it ("" when there is none).
    """

    kind: str = "none"
    argument: str = ""


@dataclass(frozen=True)
class RespawnLimit:
    """At most ``count`` respawns in ``interval`` seconds; a count of 0 means no limit."""

    count: int = 10
    interval: int = 5


@dataclass(frozen=True)
class RespawnDelay:
    """Seconds before a respawn: ``first``, doubled each time up to ``cap``."""

    first: float = 0.0
    cap: float = 0.0


@dataclass(frozen=True)
class Limit:
    """A resource limit; None means unlimited."""

    soft: Optional[int]
    hard: Optional[int]


@dataclass(frozen=True)
class Job:
    """One job definition. Field names are the stanza names with underscores; see stanzas.py for each meaning."""

    name: str
    description: Optional[str] = None
    author: Optional[str] = None
    version: Optional[str] = None
    usage: Optional[str] = None
    emits: tuple[str, ...] = ()
    start_on: Optional[Condition] = None
    stop_on: Optional[Condition] = None
    instance: str = ""
    env: tuple[str, ...] = ()  # "KEY=VALUE", or "KEY" to take the value from the supervisor's environment
    env_files: tuple[str, ...] = ()  # paths, "-PATH" for one that may be absent; beyond Upstart
    export: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()  # ChromiumOS "import"
    tmpfiles: tuple[str, ...] = ()  # ChromiumOS "tmpfiles"
    task: bool = False
    exec_main: Optional[Process] = None
    pre_start: Optional[Process] = None
    post_start: Optional[Process] = None
    pre_stop: Optional[Process] = None
    post_stop: Optional[Process] = None
    expect: Expect = field(default_factory=Expect)
    start_timeout: Optional[float] = None  # seconds; beyond Upstart
    watchdog: Optional[float] = None  # seconds; beyond Upstart
    ready_on: Optional[Condition] = None  # beyond Upstart
    respawn: bool = False
    respawn_limit: RespawnLimit = field(default_factory=RespawnLimit)
    respawn_delay: RespawnDelay = field(default_factory=RespawnDelay)  # beyond Upstart
    permanent_failure: tuple[Union[int, str], ...] = ()  # beyond Upstart: statuses, signal names
    normal_exit: tuple[Union[int, str], ...] = ()  # exit statuses 0-255 and signal names without SIG
    kill_signal: str = "TERM"  # a name without SIG, or a number as text
    kill_timeout: int = 5  # seconds
    kill_schedule: tuple[Union[int, str], ...] = ()  # beyond Upstart: ("TERM", 30, "KILL", 5)
    keep_leftovers: bool = False  # beyond Upstart: do not end children that outlive main
    reload_signal: str = "HUP"
    restart_in_place: bool = False  # beyond Upstart: keep Upstart's restart, where a pre-stop keeps the pid
    console: str = "log"  # log, none, output, owner
    log_size: Optional[int] = None  # bytes before rotation; beyond Upstart
    log_keep: Optional[int] = None  # rotated files that are kept; beyond Upstart
    umask: Optional[int] = None
    nice: Optional[int] = None
    oom_score: Optional[int] = None  # -1000 ("never") to 1000
    limits: tuple[tuple[str, Limit], ...] = ()  # ("nofile", Limit(...)), sorted by name
    chroot: Optional[str] = None
    chdir: Optional[str] = None
    setuid: Optional[str] = None
    setgid: Optional[str] = None
    apparmor_load: Optional[str] = None
    apparmor_switch: Optional[str] = None
    cgroup: tuple[tuple[str, str], ...] = ()  # keys of cgroup v2: ("memory.max", "100M"); beyond Upstart
    cgroup_controllers: tuple[tuple[str, ...], ...] = ()  # Upstart's CONTROLLER [NAME] [KEY VALUE], as written
    debug: bool = False

    def process(self, kind: ProcessKind) -> Optional[Process]:
        """Return what ``kind`` runs, or None where the job has no such process."""
        field_name = _PROCESS_FIELDS.get(kind)
        return getattr(self, field_name) if field_name else None


_PROCESS_FIELDS = {
    ProcessKind.MAIN: "exec_main",
    ProcessKind.PRE_START: "pre_start",
    ProcessKind.POST_START: "post_start",
    ProcessKind.PRE_STOP: "pre_stop",
    ProcessKind.POST_STOP: "post_stop",
}
