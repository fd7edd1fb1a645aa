# SPDX-License-Identifier: GPL-3.0-or-later
"""The table: for each stanza of a job what says the same in a unit of systemd, or why nothing does.

docs/systemd.md is printed from it. A row writes its lines when the stanza is given; ``always`` when it is not, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Callable

from ..errors import UnknownParameter
from ..expand import expand
from ..model import Job
from . import lifecycle, resources
from .dependencies import start_lines, stop_lines
from .errors import CannotSay
from .quoting import line_value, list_word, path_value, variable_problem
from .target import Line, Target
from .unit_names import escape_instance

_ONE_VARIABLE = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})\Z")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,30}\$?\Z")

Write = Callable[[Job, Target], Iterable[Line]]


@dataclass(frozen=True)
class Row:
    """One stanza (or those that set one field): the field of Job, the directives for people, a note, and the writer.

    Without a writer nothing is written: ``cannot`` says why a unit has nothing for it; where that is empty, there is
    nothing to say, and the note tells why.
    """

    stanza: str
    field: str
    directives: str = ""
    note: str = ""
    write: Write = lambda job, target: ()
    cannot: str = ""
    always: bool = False


def _service(directive: str, value: Callable[[Job], str]) -> Write:
    return lambda job, target: [Line("Service", directive, value(job))]


def instance_variable(job: Job) -> str:
    """Return the variable that alone makes up the names of the instances, "" where there is no such one."""
    found = _ONE_VARIABLE.match(job.instance)
    return (found.group(1) or found.group(2)) if found else ""


def _description(job: Job, target: Target) -> Iterable[Line]:
    value = line_value(job.description or "")
    return [Line("Unit", "Description", value)] if value else ()


def _instance(job: Job, target: Target) -> Iterable[Line]:
    variable = instance_variable(job)
    if variable:
        yield Line("Service", "Environment", f"{variable}=%I")
    if job.start_on is None:
        return
    env = dict(pair.partition("=")[::2] for pair in job.env if "=" in pair)
    try:
        name = expand(job.instance, {"JOB": job.name, **env})
    except UnknownParameter as error:
        raise CannotSay(
            "instance",
            "instance",
            f"a unit that starts by itself needs the name of its instance, and no env says {error.name}",
        ) from None
    if not name:
        raise CannotSay("instance", "instance", "an instance with an empty name has no unit")
    yield Line("Install", "DefaultInstance", escape_instance(name))


def _environment(job: Job, target: Target) -> Iterable[Line]:
    instance = "UPSTART_INSTANCE=%I" if job.instance else "UPSTART_INSTANCE="
    yield Line("Service", "Environment", f"{list_word(f'UPSTART_JOB={job.name}')} {instance}")
    for pair in job.env:
        name, equals, value = pair.partition("=")
        problem = "" if _NAME.match(name) else f"{name} is not a name that systemd takes for a variable"
        problem = problem or variable_problem(value)
        if problem:
            raise CannotSay("env", "env", problem)
        if equals:
            yield Line("Service", "Environment", list_word(pair))
        else:
            yield Line("Service", "PassEnvironment", name)


def _environment_files(job: Job, target: Target) -> Iterable[Line]:
    for path in job.env_files:
        dash = "-" if path.startswith("-") else ""
        if set("*?[") & set(path):
            raise CannotSay("environment file", "env_files", f"systemd reads {path} as a pattern of many files")
        try:
            yield Line("Service", "EnvironmentFile", dash + path_value(path[len(dash) :]))
        except ValueError as error:
            raise CannotSay("environment file", "env_files", str(error)) from None


def _tmpfiles(job: Job, target: Target) -> Iterable[Line]:
    command = "systemd-tmpfiles --user --create" if target.user else "+systemd-tmpfiles --create"
    paths = " ".join(list_word(path).replace("$", "$$") for path in job.tmpfiles)
    return [Line("Service", "ExecStartPre", f"{command} {paths}")]


def _identity(directive: str, stanza: str, field: str) -> Write:
    def write(job: Job, target: Target) -> Iterable[Line]:
        name = str(getattr(job, field))
        if target.user:
            raise CannotSay(stanza, field, "the manager of a user cannot change to another one")
        if not _USER.match(name):
            raise CannotSay(stanza, field, f"{ascii(name)[1:-1]} is not a name that systemd takes")
        return [Line("Service", directive, name)]

    return write


def _path(directive: str, stanza: str, field: str) -> Write:
    def write(job: Job, target: Target) -> Iterable[Line]:
        try:
            return [Line("Service", directive, path_value(str(getattr(job, field))))]
        except ValueError as error:
            raise CannotSay(stanza, field, str(error)) from None

    return write


_CONSOLES = {
    "log": (),
    "none": ("StandardOutput=null", "StandardError=null"),
    "output": ("StandardOutput=tty", "StandardError=inherit", "TTYPath=/dev/console"),
    "owner": ("StandardInput=tty-force", "StandardOutput=inherit", "StandardError=inherit", "TTYPath=/dev/console"),
}


def _console(job: Job, target: Target) -> Iterable[Line]:
    return [Line("Service", *each.split("=")) for each in _CONSOLES[job.console]]


def _apparmor(job: Job, target: Target) -> Iterable[Line]:
    profile = str(job.apparmor_switch)
    if not re.match(r"[A-Za-z0-9_./:@+-]+\Z", profile):
        raise CannotSay("apparmor switch", "apparmor_switch", f"systemd takes no profile {ascii(profile)[1:-1]}")
    return [Line("Service", "AppArmorProfile", profile)]


ROWS: tuple[Row, ...] = (
    Row("description", "description", "Description=", write=_description),
    Row("author", "author", note="For people: it stays in the comment at the top."),
    Row("version", "version", note="For people: it stays in the comment at the top."),
    Row("usage", "usage", note="For people: it stays in the comment at the top."),
    Row("emits", "emits", note="For people: it stays in the comment at the top."),
    Row("start on, manual", "start_on", "WantedBy=, After=, Before=, Wants=, Requisite=",
        "See the conditions below. Without it the unit has no [Install] and is started by hand only.", start_lines),
    Row("stop on", "stop_on", "BindsTo=, After=, Before=, IgnoreOnIsolate=", "See the conditions below.", stop_lines),
    Row("env", "env", "Environment=, PassEnvironment=",
        "UPSTART_JOB and UPSTART_INSTANCE are set as well. Further variables of a start lie in a drop-in below /run.",
        _environment, always=True),
    Row("environment file", "env_files", "EnvironmentFile=", "", _environment_files),
    Row("instance", "instance", "NAME@.service, Environment=VARIABLE=%I, DefaultInstance=",
        "Each instance is a unit of the template. With start on, the env has to say which instance starts by itself.",
        _instance),
    Row("export", "export", note="For events, which systemd does not have: a job that waits for one is refused."),
    Row("import", "imports", cannot="systemd has no events to take variables from"),
    Row("tmpfiles", "tmpfiles", "ExecStartPre=+systemd-tmpfiles --create", write=_tmpfiles),
    Row("apparmor load", "apparmor_load", "ExecStartPre=+", "Nothing is loaded where the kernel has no AppArmor.",
        lifecycle.apparmor_load),
    Row("task", "task", "Type=oneshot"),
    Row("expect", "expect", "Type=, PIDFile=, BusName=, NotifyAccess=",
        "See the kinds below. A job without exec or script is a oneshot with RemainAfterExit=.", lifecycle.kind,
        always=True),
    Row("pre-start", "pre_start", "ExecStartPre=",
        "While respawning, one that fails is tried again up to the respawn limit.", lifecycle.pre_start),
    Row("exec, script", "exec_main", "ExecStart=", "", lifecycle.main, always=True),
    Row("post-start", "post_start", "ExecStartPost=-", "", lifecycle.post_start),
    Row("reload signal", "reload_signal", "ExecReload=", "", lifecycle.reload, always=True),
    Row("pre-stop", "pre_stop", "ExecStop=-",
        "It may take as long as the kill timeout, or 90 s where that is not given: a unit has one time for both.",
        lifecycle.pre_stop),
    Row("post-stop", "post_stop", "ExecStopPost=", "", lifecycle.post_stop),
    Row("start timeout", "start_timeout", "TimeoutStartSec=", "infinity where it is not given.",
        lifecycle.start_timeout, always=True),
    Row("watchdog", "watchdog", "WatchdogSec=", "", lifecycle.watchdog),
    Row("ready on", "ready_on", cannot="systemd has no events that could say that a unit is ready"),
    Row("respawn", "respawn", "Restart=, RestartPreventExitStatus=",
        "always for a service, on-failure for a task; not after a normal exit, a permanent failure, or where a program "
        "could not be executed.", lifecycle.respawn),
    Row("respawn limit", "respawn_limit", "StartLimitBurst=, StartLimitIntervalSec=",
        "One more than the count, because the first start counts as well.", lifecycle.respawn_limit, always=True),
    Row("respawn delay", "respawn_delay", "RestartSec=, RestartSteps=, RestartMaxDelaySec=",
        "One that grows needs systemd 254.", lifecycle.respawn_delay, always=True),
    Row("permanent failure", "permanent_failure", "RestartPreventExitStatus=", "", lifecycle.permanent_failure),
    Row("normal exit", "normal_exit", "SuccessExitStatus=, RestartPreventExitStatus=",
        "systemd takes an end by HUP, INT, TERM or PIPE for a success in any case.", lifecycle.normal_exit),
    Row("kill signal", "kill_signal", "KillSignal=", "", lifecycle.kill_signal),
    Row("kill timeout", "kill_timeout", "TimeoutStopSec=", "", lifecycle.kill_timeout, always=True),
    Row("kill schedule", "kill_schedule", "KillSignal=, TimeoutStopSec=",
        "One signal, its time, and KILL at the end; a unit has no more steps.", lifecycle.kill_schedule),
    Row("keep leftovers", "keep_leftovers", "KillMode=process", "", _service("KillMode", lambda job: "process")),
    Row("restart in place", "restart_in_place", cannot="a unit's restart always replaces the process"),
    Row("console", "console", "StandardInput=, StandardOutput=, StandardError=, TTYPath=",
        "The log is the journal.", _console),
    Row("log size", "log_size", cannot="the log is the journal, which has one size for all (journald.conf)"),
    Row("log keep", "log_keep", cannot="the log is the journal, which has one size for all (journald.conf)"),
    Row("umask", "umask", "UMask=", write=_service("UMask", lambda job: f"{job.umask:04o}")),
    Row("nice", "nice", "Nice=", write=_service("Nice", lambda job: str(job.nice))),
    Row("oom score, oom", "oom_score", "OOMScoreAdjust=",
        write=_service("OOMScoreAdjust", lambda job: str(job.oom_score))),
    Row("limit", "limits", "LimitAS=, LimitCORE=, ... LimitSTACK=", "", resources.limits),
    Row("chroot", "chroot", "RootDirectory=", "Users and groups are looked up outside of it.",
        _path("RootDirectory", "chroot", "chroot")),
    Row("chdir", "chdir", "WorkingDirectory=", "", _path("WorkingDirectory", "chdir", "chdir")),
    Row("setuid", "setuid", "User=", "systemd sets HOME, USER, LOGNAME and SHELL as well.",
        _identity("User", "setuid", "setuid")),
    Row("setgid", "setgid", "Group=", "", _identity("Group", "setgid", "setgid")),
    Row("apparmor switch", "apparmor_switch", "AppArmorProfile=", "For all processes, not the main one alone.",
        _apparmor),
    Row("cgroup KEY VALUE", "cgroup",
        "MemoryMax=, MemoryHigh=, MemoryLow=, MemoryMin=, MemorySwapMax=, TasksMax=, CPUWeight=, CPUQuota=, IOWeight=, "
        "AllowedCPUs=, AllowedMemoryNodes=", "These keys and no others.", resources.cgroup),
    Row("cgroup CONTROLLER", "cgroup_controllers", cannot="systemd manages the control groups of version 1 itself"),
    Row("debug", "debug", cannot="a unit cannot stop a process before its program runs"),
)  # fmt: skip
