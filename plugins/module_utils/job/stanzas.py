# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of all stanzas: the parser, the writer, the options, and the reference in docs/ read it, and nothing else.

The order of the table is the order in which a job is written.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Optional

from .compound import (
    Cgroup,
    CgroupControllers,
    Command,
    ConditionKind,
    ExpectKind,
    KillSchedule,
    Limits,
    Manual,
    OomAdjustment,
    OomScore,
    RespawnDelayKind,
    RespawnLimitKind,
    Script,
)  # fmt: skip
from .model import Job
from .values import MOST, Choice, Flag, Integer, Kind, Octal, Seconds, Several, SignalName, Size, Statuses, Variables


@dataclass(frozen=True)
class Stanza:
    """One row: the ``words`` that begin it, the field of Job that it sets, what follows (``syntax``), what it means.

    ``option`` is its name in YAML, "" for a stanza that has none of its own.
    """

    words: str
    field: str
    kind: Kind
    syntax: str
    meaning: str
    beyond_upstart: bool = False
    option: str = ""


def _row(
    words: str, field: str, kind: Kind, syntax: str, meaning: str, *, beyond: bool = False, option: Optional[str] = None
) -> Stanza:
    return Stanza(words, field, kind, syntax, meaning, beyond, words.replace(" ", "_") if option is None else option)


_TEXT, _FLAG, _SEVERAL, _CONDITION, _COMMAND, _SCRIPT = Kind(), Flag(), Several(), ConditionKind(), Command(), Script()

STANZAS: tuple[Stanza, ...] = (
    _row("description", "description", _TEXT, "TEXT", "What the job is, for people."),
    _row("author", "author", _TEXT, "TEXT", "Who wrote the job."),
    _row("version", "version", _TEXT, "TEXT", "The version of the job, for people."),
    _row("usage", "usage", _TEXT, "TEXT", "How to start the job: shown when a variable that it needs is missing."),
    _row("emits", "emits", _SEVERAL, "EVENT...", "Events that the job itself emits; documentation only."),
    _row("start on", "start_on", _CONDITION, "EVENT [[KEY=]VALUE]... [and|or EVENT...]",
         "Start the job when the condition has come true. Without it the job is started by hand only."),
    _row("manual", "start_on", Manual(), "", "Forget the start on before it; meant for override files.", option=""),
    _row("stop on", "stop_on", _CONDITION, "EVENT [[KEY=]VALUE]... [and|or EVENT...]",
         "Stop the job when the condition has come true; variables in it are the instance's."),
    _row("instance", "instance", _TEXT, "NAME",
         "The name of an instance, with variables such as $PORT: one instance runs for each different name."),
    _row("env", "env", Variables(), "KEY[=VALUE]",
         "A variable of the job's processes, its default; without a value it is taken from the supervisor's "
         "environment."),
    _row("environment file", "env_files", _SEVERAL, "[-]PATH...",
         "Files of KEY=VALUE lines, read at each start, that replace what env says; with - it may be absent.",
         beyond=True),
    _row("export", "export", _SEVERAL, "KEY...", "Variables of the job that its own events carry."),
    _row("import", "imports", _SEVERAL, "KEY...",
         "Take the variable from the event or command that starts the job (ChromiumOS).", beyond=True),
    _row("tmpfiles", "tmpfiles", _SEVERAL, "PATH...",
         "Apply these tmpfiles.d files before pre-start (ChromiumOS).", beyond=True),
    _row("task", "task", _FLAG, "", "The job ends by itself; whoever started it waits for that."),
    _row("exec", "exec_main", _COMMAND, "COMMAND", "The main process; a shell runs it where it needs one."),
    _row("script", "exec_main", _SCRIPT, "", "The main process as a shell script, run with sh -e."),
    _row("pre-start exec", "pre_start", _COMMAND, "COMMAND",
         "Run this before the main process; if it fails, so does the start.", option="pre_start"),
    _row("pre-start script", "pre_start", _SCRIPT, "", "The same as a script.", option="pre_start"),
    _row("post-start exec", "post_start", _COMMAND, "COMMAND",
         "Run this once the main process is there, before the job is running.", option="post_start"),
    _row("post-start script", "post_start", _SCRIPT, "", "The same as a script.", option="post_start"),
    _row("pre-stop exec", "pre_stop", _COMMAND, "COMMAND",
         "Run this before the main process is ended.", option="pre_stop"),
    _row("pre-stop script", "pre_stop", _SCRIPT, "", "The same as a script.", option="pre_stop"),
    _row("post-stop exec", "post_stop", _COMMAND, "COMMAND",
         "Run this after the main process has ended.", option="post_stop"),
    _row("post-stop script", "post_stop", _SCRIPT, "", "The same as a script.", option="post_stop"),
    _row("expect", "expect", ExpectKind(), "KIND [ARGUMENT]",
         "What tells that the main process is ready, and which process it is. Upstart's: none, fork, daemon, stop."
         " Beyond: fork N, exit [N], auto, notify, listen [ADDRESS], dbus NAME, pidfile PATH, newline FD, check "
         "COMMAND."),
    _row("start timeout", "start_timeout", Seconds(), "SECONDS",
         "The start has failed if the job is not ready by then, also if it was respawned meanwhile.", beyond=True),
    _row("watchdog", "watchdog", Seconds(), "SECONDS",
         "With expect notify: the main process is ended when it has not said WATCHDOG=1 for so long.", beyond=True),
    _row("ready on", "ready_on", _CONDITION, "EVENT [[KEY=]VALUE]... [and|or EVENT...]",
         "The job is running when the condition has come true.", beyond=True),
    _row("respawn", "respawn", _FLAG, "", "Start the main process again when it ends unexpectedly."),
    _row("respawn limit", "respawn_limit", RespawnLimitKind(), "COUNT SECONDS | unlimited",
         "At most this many respawns in so many seconds, then the job is stopped; 0 is no limit."),
    _row("respawn delay", "respawn_delay", RespawnDelayKind(), "FIRST [LONGEST]",
         "Seconds to wait before a respawn, doubled each time up to the longest.", beyond=True),
    _row("permanent failure", "permanent_failure", Statuses(), "STATUS|SIGNAL...",
         "Ends of the main process after which it is not started again, and the job has failed.", beyond=True),
    _row("normal exit", "normal_exit", Statuses(), "STATUS|SIGNAL...",
         "Ends of the main process that are neither a failure nor a reason to respawn."),
    _row("kill signal", "kill_signal", SignalName(), "SIGNAL", "Sent to end the job's processes."),
    _row("kill timeout", "kill_timeout", Integer(0, MOST, "a number of seconds"), "SECONDS",
         "Seconds between the kill signal and SIGKILL."),
    _row("kill schedule", "kill_schedule", KillSchedule(), "SIGNAL/SECONDS/...",
         "Signals and the seconds to wait after each, such as TERM/30/KILL/5, instead of kill signal and kill "
         "timeout.", beyond=True),
    _row("keep leftovers", "keep_leftovers", _FLAG, "",
         "Leave alone what the main process started and left running.", beyond=True),
    _row("reload signal", "reload_signal", SignalName(), "SIGNAL", "Sent to the main process by reload."),
    _row("restart in place", "restart_in_place", _FLAG, "",
         "Restart as Upstart does: where the job has a pre-stop, it runs and the main process goes on.",
         beyond=True),
    _row("console", "console", Choice("log", "none", "output", "owner"), "log | none | output | owner",
         "Where the output goes: the job's log, nowhere, the console, or the console as its owner."),
    _row("log size", "log_size", Size(), "BYTES[K|M|G]",
         "The log is rotated when it is larger than this.", beyond=True),
    _row("log keep", "log_keep", Integer(0, 1000, "a number of files"), "COUNT",
         "How many rotated logs are kept.", beyond=True),
    _row("umask", "umask", Octal(), "OCTAL", "The file mode creation mask of the job's processes."),
    _row("nice", "nice", Integer(-20, 19, "a niceness"), "NICENESS", "Their priority."),
    _row("oom score", "oom_score", OomScore(), "SCORE | never",
         "How likely the kernel ends them when memory is short: -1000 to 1000."),
    _row("oom", "oom_score", OomAdjustment(), "ADJUSTMENT | never", "The same on the old scale, -17 to 15.", option=""),
    _row("limit", "limits", Limits(), "RESOURCE SOFT HARD",
         "A resource limit: as, core, cpu, data, fsize, memlock, msgqueue, nice, nofile, nproc, rss, rtprio, "
         "sigpending or stack; each a number or unlimited."),
    _row("chroot", "chroot", _TEXT, "PATH", "The root directory of the job's processes."),
    _row("chdir", "chdir", _TEXT, "PATH", "Their working directory."),
    _row("setuid", "setuid", _TEXT, "USER", "The user that they run as."),
    _row("setgid", "setgid", _TEXT, "GROUP", "The group that they run as; the user's own when only setuid is given."),
    _row("apparmor load", "apparmor_load", _TEXT, "PATH", "An AppArmor profile to load before the job starts."),
    _row("apparmor switch", "apparmor_switch", _TEXT, "PROFILE", "The AppArmor profile of the main process."),
    _row("cgroup", "cgroup", Cgroup(), "KEY VALUE",
         "A key of the job's cgroup v2 and its value, such as memory.max 100M.", beyond=True),
    _row("cgroup", "cgroup_controllers", CgroupControllers(), "CONTROLLER [NAME] [KEY VALUE]",
         "A controller of cgroup v1, as Upstart has it.", option="cgroup_controllers"),
    _row("debug", "debug", _FLAG, "", "Stop each process before it runs its program, for a debugger."),
)  # fmt: skip

DEFAULTS = {field.name: getattr(Job(name=""), field.name) for field in fields(Job)}


def default_of(field: str) -> object:
    """Return the value that ``field`` of a job has when no stanza sets it."""
    return DEFAULTS[field]
