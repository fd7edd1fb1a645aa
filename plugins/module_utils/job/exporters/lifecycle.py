# SPDX-License-Identifier: GPL-3.0-or-later
"""How a job starts, is ready, respawns and ends, as directives. Source: systemd.service(5), systemd.kill(5).

The numbers of the facts are those of Upstart's behaviour in its init(5): a post-start or pre-stop that fails is
ignored, exit status 0 respawns a service and ends a task, a program that cannot be executed is never respawned.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Union

from ..model import Job
from ..values import decimal
from .errors import CannotSay
from .processes import ONLY_WHILE_MAIN_RUNS, command_line, shell
from .quoting import path_value
from .target import Line, Target

# What exit statuses of systemd's own mean that a process never came to its program: systemd.exec(5).
NEVER_EXECUTED = ("200", "203", "210", "216", "217")  # chdir, exec, chroot, group, user
_DEFAULT_KILL_TIMEOUT = Job(name="").kill_timeout
_PRE_STOP_SECONDS = 90
_BUS_NAME = re.compile(r"[A-Za-z_-][A-Za-z0-9_-]*(\.[A-Za-z_-][A-Za-z0-9_-]*)+\Z")


def _forking(job: Job) -> list[Line]:
    return [Line("Service", "Type", "forking")]


def _pidfile(job: Job) -> list[Line]:
    try:
        path = path_value(job.expect.argument)
    except ValueError as error:
        raise CannotSay("expect", "expect", str(error)) from None
    return [*_forking(job), Line("Service", "PIDFile", path)]


def _notify(job: Job) -> list[Line]:
    return [Line("Service", "Type", "notify"), Line("Service", "NotifyAccess", "all")]


def _dbus(job: Job) -> list[Line]:
    name = job.expect.argument
    if not _BUS_NAME.match(name) or len(name) > 255:
        raise CannotSay("expect", "expect", f"{ascii(name)[1:-1]} is not the name of a D-Bus service")
    return [Line("Service", "Type", "dbus"), Line("Service", "BusName", name)]


_EXPECTS = {
    "none": lambda job: [Line("Service", "Type", "exec")],
    "fork": _forking,
    "daemon": _forking,
    "exit": _forking,
    "pidfile": _pidfile,
    "notify": _notify,
    "dbus": _dbus,
}
# kind of expect -> what says the same, or why nothing does; docs/systemd.md has it
EXPECT_NOTES: dict[str, tuple[str, str]] = {
    "none": ("Type=exec", ""),
    "fork": (
        "Type=forking",
        "systemd finds the main process itself, once the first has ended",
    ),
    "daemon": ("Type=forking", "as fork"),
    "exit": ("Type=forking", "as fork"),
    "pidfile": ("Type=forking, PIDFile=", "the process that is started has to end, as a daemon's first does"),
    "notify": ("Type=notify, NotifyAccess=all", ""),
    "dbus": ("Type=dbus, BusName=", ""),
    "stop": ("", "systemd does not wait for a process that stops itself"),
    "auto": ("", "a unit has to say whether the daemon forks: expect fork, or nothing"),
    "listen": ("", "systemd does not look who listens; a daemon can tell it with expect notify"),
    "newline": ("", "systemd does not read from a daemon's descriptors"),
    "check": ("", "systemd has no command that tells when a daemon is ready"),
}


def kind(job: Job, target: Target) -> Iterable[Line]:
    """Return the type of the unit."""
    expect = job.expect
    if job.exec_main is None:
        if job.task:
            raise CannotSay("task", "expect", "a task without exec or script never ends")
        if expect.kind != "none":
            raise CannotSay("expect", "expect", "there is no main process that could be ready")
        return [Line("Service", "Type", "oneshot"), Line("Service", "RemainAfterExit", "yes")]
    if job.task:
        if expect.kind != "none":
            raise CannotSay("expect", "expect", "a task's unit is ready when it has ended")
        return [Line("Service", "Type", "oneshot")]
    if expect.kind not in _EXPECTS:
        raise CannotSay("expect", "expect", f"{EXPECT_NOTES[expect.kind][1]} (expect {expect.kind})")
    return _EXPECTS[expect.kind](job)


def main(job: Job, target: Target) -> Iterable[Line]:
    """Return what is run; a job without a main process is there until it is stopped."""
    if job.exec_main is None:
        return [Line("Service", "ExecStart", "/bin/true")]
    stanza = "script" if job.exec_main.script else "exec"
    return [Line("Service", "ExecStart", command_line(job, job.exec_main, stanza, "exec_main"))]


def pre_start(job: Job, target: Target) -> Iterable[Line]:
    if job.pre_start is not None:
        yield Line("Service", "ExecStartPre", command_line(job, job.pre_start, "pre-start", "pre_start"))


def post_start(job: Job, target: Target) -> Iterable[Line]:
    if job.task:
        raise CannotSay("post-start", "post_start", "a task's runs beside its main process, a unit's after it")
    if job.post_start is not None:
        yield Line("Service", "ExecStartPost", "-" + command_line(job, job.post_start, "post-start", "post_start"))


def pre_stop(job: Job, target: Target) -> Iterable[Line]:
    if job.task:
        raise CannotSay("pre-stop", "pre_stop", "a task's unit is stopped without it")
    if job.pre_stop is not None and job.exec_main is not None:  # without a main process it never runs, in Upstart too
        line = command_line(job, job.pre_stop, "pre-stop", "pre_stop", ONLY_WHILE_MAIN_RUNS)
        yield Line("Service", "ExecStop", f"-{line}")


def post_stop(job: Job, target: Target) -> Iterable[Line]:
    if job.post_stop is not None:
        yield Line("Service", "ExecStopPost", command_line(job, job.post_stop, "post-stop", "post_stop"))


def apparmor_load(job: Job, target: Target) -> Iterable[Line]:
    quoted = "'" + str(job.apparmor_load).replace("'", "'\\''") + "'"
    text = f"test ! -d /sys/kernel/security/apparmor || exec /sbin/apparmor_parser -r -W {quoted}"
    return [Line("Service", "ExecStartPre", "+" + shell(text, "apparmor load", "apparmor_load"))]


def reload(job: Job, target: Target) -> Iterable[Line]:
    """Let the shell's own kill send the signal: a minimal host has no other."""
    if job.exec_main is not None and not job.task:
        yield Line("Service", "ExecReload", f'/bin/sh -c "kill -{_kill_word(job.reload_signal)} $MAINPID"')


def start_timeout(job: Job, target: Target) -> Iterable[Line]:
    if job.start_timeout is None:
        return [Line("Service", "TimeoutStartSec", "infinity")]
    if job.task or not job.start_timeout:
        raise CannotSay("start timeout", "start_timeout", "a unit has none of 0 s, and none for a task")
    return [Line("Service", "TimeoutStartSec", _seconds(job.start_timeout))]


def watchdog(job: Job, target: Target) -> Iterable[Line]:
    if job.expect.kind != "notify" or not job.watchdog:
        raise CannotSay("watchdog", "watchdog", "a unit has one with expect notify alone, and none of 0 s")
    return [Line("Service", "WatchdogSec", _seconds(job.watchdog))]


def respawn(job: Job, target: Target) -> Iterable[Line]:
    if job.exec_main is None:
        return
    yield Line("Service", "Restart", "on-failure" if job.task else "always")
    yield Line("Service", "RestartPreventExitStatus", " ".join(NEVER_EXECUTED))


def respawn_limit(job: Job, target: Target) -> Iterable[Line]:
    limit = job.respawn_limit
    if not job.respawn or not limit.count or not limit.interval:
        return [Line("Unit", "StartLimitIntervalSec", "0")]
    return [
        Line("Unit", "StartLimitIntervalSec", str(limit.interval)),
        Line("Unit", "StartLimitBurst", str(limit.count + 1)),
    ]


def respawn_delay(job: Job, target: Target) -> Iterable[Line]:
    delay = job.respawn_delay
    if not job.respawn:
        return
    yield Line("Service", "RestartSec", _seconds(delay.first))
    if delay.cap <= delay.first or not delay.first:
        return
    if target.version < 254:
        raise CannotSay("respawn delay", "respawn_delay", f"a growing one needs systemd 254, not {target.version}")
    yield Line("Service", "RestartSteps", str(max(1, math.ceil(math.log2(delay.cap / delay.first)))))
    yield Line("Service", "RestartMaxDelaySec", _seconds(delay.cap))


def normal_exit(job: Job, target: Target) -> Iterable[Line]:
    words = _statuses(job.normal_exit, "normal exit", "normal_exit")
    yield Line("Service", "SuccessExitStatus", words)
    if job.respawn and job.exec_main is not None:
        yield Line("Service", "RestartPreventExitStatus", words)


def permanent_failure(job: Job, target: Target) -> Iterable[Line]:
    if 0 in job.permanent_failure:
        raise CannotSay("permanent failure", "permanent_failure", "for systemd exit status 0 is always a success")
    yield Line(
        "Service",
        "RestartPreventExitStatus",
        _statuses(job.permanent_failure, "permanent failure", "permanent_failure"),
    )


def kill_signal(job: Job, target: Target) -> Iterable[Line]:
    if not job.kill_schedule:
        yield Line("Service", "KillSignal", _signal(job.kill_signal, "kill signal", "kill_signal"))


def kill_timeout(job: Job, target: Target) -> Iterable[Line]:
    if not job.kill_schedule:
        waits_for_pre_stop = job.pre_stop is not None and job.kill_timeout == _DEFAULT_KILL_TIMEOUT
        yield _stop_time(_PRE_STOP_SECONDS if waits_for_pre_stop else job.kill_timeout)


def kill_schedule(job: Job, target: Target) -> Iterable[Line]:
    schedule = job.kill_schedule
    if len(schedule) > 2 and (str(schedule[2]) not in ("KILL", "9") or len(schedule) > 4):
        raise CannotSay("kill schedule", "kill_schedule", "a unit has one signal, its time, and KILL at the end")
    yield Line("Service", "KillSignal", _signal(str(schedule[0]), "kill schedule", "kill_schedule"))
    yield _stop_time(int(schedule[1]) if len(schedule) > 1 else 0)


def _stop_time(seconds: int) -> Line:
    """Return the time before KILL; systemd reads 0 as for ever."""
    return Line("Service", "TimeoutStopSec", str(seconds) if seconds else "1ms")


def _seconds(value: float) -> str:
    """Return a time; less than a microsecond is none."""
    return decimal(value) or "0"


def _statuses(values: Sequence[Union[int, str]], stanza: str, field: str) -> str:
    words = []
    for value in values:
        if isinstance(value, int) and not 0 <= value <= 255:
            raise CannotSay(stanza, field, f"{value} is not an exit status from 0 to 255")
        words.append(str(value) if isinstance(value, int) else _signal(value, stanza, field))
    return " ".join(words)


# Names that are not on every machine, or only another name for one that is.
_OTHER_NAMES = {"IOT": "ABRT", "CLD": "CHLD", "POLL": "IO", "UNUSED": "SYS"}
_NO_SIGNALS = ("EMT", "LOST")


def _signal(name: str, stanza: str, field: str) -> str:
    if name.isdigit():
        if not 1 <= int(name) <= 64 or stanza not in ("kill signal", "kill schedule"):
            raise CannotSay(stanza, field, f"{name} is not a signal that systemd takes")
        return name
    if name in _NO_SIGNALS:
        raise CannotSay(stanza, field, f"there is no signal {name} on Linux")
    return f"SIG{_OTHER_NAMES.get(name, name)}"


def _kill_word(name: str) -> str:
    return name if name.isdigit() else _signal(name, "reload signal", "reload_signal")[3:]
