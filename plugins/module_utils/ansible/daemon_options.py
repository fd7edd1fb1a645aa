# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a C(daemon) task, checked: who is meant, how to start it, how to end it. Nothing is changed."""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ..inits.launch import IO_CLASSES, POLICIES, Launch
from ..processes import schedule as schedules
from ..processes.matching import Pattern, family_of
from ..processes.pidfile import MOST_PID
from ..processes.schedule import Schedule, ScheduleError
from ..processes.target import Target, TargetError, resolve
from .errors import TaskError

_MATCH = ("pid", "ppid", "pidfile", "exec", "startas", "name", "user", "cgroup", "argv")
_ONLY_BACKGROUND = ("no_close", "output", "notify_await")


@dataclass(frozen=True)
class Request:
    """A checked task. ``key`` tells daemons apart, ``program_key`` programs; both are file names.

    ``program``: what is executed, None for a task that starts nothing. ``pattern``: without what the pidfile says.
    ``only_pidfile``: nothing but the pidfile tells the process. ``number``: the signal of a reload.
    """

    state: str
    label: str
    key: str
    program_key: str
    pattern: Pattern
    pidfile: Optional[str]
    only_pidfile: bool
    program: Optional[Target]
    launch: Optional[Launch]
    runs_as: Optional[int]
    schedule: Schedule
    number: int
    make_pidfile: bool
    remove_pidfile: bool
    on_outdated: str
    use: str
    check: bool


def read(options: Mapping[str, Any], check: bool) -> Request:
    """Return the request, or raise TaskError with the option that cannot be."""
    given = {name: value for name, value in options.items() if value is not None}
    for name in ("pidfile", "chroot", "output"):
        if name in given and not given[name].startswith("/"):
            raise TaskError(f"{name}: {given[name]} is not an absolute path.")
    root = given.get("chroot", "")
    first, target, weak = _targets(given, root)
    _together(given)
    pattern = _pattern(given, target, weak, root)
    number = _signal(given)
    starts = given["state"] in ("started", "restarted")
    if starts and first is None:
        raise TaskError(f"state: {given['state']} needs exec or startas, to know what to start.")
    told = {name: given.get(name) for name in _MATCH if name not in ("pid", "ppid")}
    key = f"pidfile {given['pidfile']}" if "pidfile" in given else repr(sorted(told.items(), key=lambda item: item[0]))
    label = given.get("startas") or given.get("exec") or given.get("name") or given.get("pidfile") or "the daemon"
    digest = _digest(key)
    return Request(
        state=given["state"],
        label=label,
        key=digest,
        program_key=_digest(first.real if first else key),
        pattern=pattern,
        pidfile=given.get("pidfile"),
        only_pidfile=not any(name in given for name in _MATCH if name not in ("pidfile", "ppid")),
        program=first,
        launch=_launch(given, digest, number) if first else None,
        runs_as=_uid("chuid", given["chuid"].partition(":")[0]) if "chuid" in given else None,
        schedule=_schedule(given, number),
        number=number,
        make_pidfile=bool(given.get("make_pidfile")),
        remove_pidfile=bool(given.get("remove_pidfile")),
        on_outdated=given["on_outdated"],
        use=given["use"],
        check=check,
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _targets(given: Mapping[str, Any], root: str) -> tuple[Optional[Target], Optional[Target], bool]:
    """Return (what is executed, what a process is recognised by, whether that may execute something else).

    C(startas) with a script and C(exec) with its interpreter, which is how start-stop-daemon had to be told of a
    script: the script is what tells it from others.
    """
    found: dict[str, Target] = {}
    for name in ("exec", "startas"):
        if name in given:
            try:
                found[name] = resolve(given[name], root)
            except TargetError as error:
                raise TaskError(f"{name}: {error}.") from error
    first, known = found.get("startas") or found.get("exec"), found.get("exec")
    if first is None or known is None:
        return first, first, known is None and "pidfile" in given
    if first.interpreter and family_of(first.interpreter) == family_of(known.real):
        return first, first, False
    return first, known, False


def _together(given: Mapping[str, Any]) -> None:
    """Raise TaskError for options that do not go together."""
    if not any(name in given for name in _MATCH):
        raise TaskError("Nothing tells which process is meant: give pidfile, exec, startas, name, user, pid or ppid.")
    if "pid" in given and "pidfile" in given:
        raise TaskError("pid and pidfile exclude each other: both say which process it is.")
    for name in ("pid", "ppid"):
        if name in given and not 0 < given[name] <= MOST_PID:
            raise TaskError(f"{name}: {given[name]} is no pid; pids are 1 to {MOST_PID}.")
    if (given.get("make_pidfile") or given.get("remove_pidfile")) and "pidfile" not in given:
        raise TaskError("make_pidfile and remove_pidfile need pidfile.")
    for name in _ONLY_BACKGROUND:
        if given.get(name) and not given.get("background"):
            raise TaskError(f"{name}: needs background: true, as a daemon that detaches itself closes its output.")
    if "notify_timeout" in given and given["notify_timeout"] <= 0:
        raise TaskError("notify_timeout: has to be more than 0 seconds.")
    if "name" in given and ("/" in given["name"] or not given["name"]):
        raise TaskError(f"name: {given['name']!r} is not the name of a process; for a path use exec.")
    if given.get("user") in ("root", "0") and not any(name in given for name in _MATCH if name != "user"):
        raise TaskError("user: root alone would mean every process of root; say more about the daemon.")
    for name in ("exec", "startas", "pidfile", "chdir", "chroot", "output"):
        if any(character in str(given.get(name, "")) for character in "\n\0"):
            raise TaskError(f"{name}: holds a line break or a zero byte.")
    for each in given.get("args") or ():
        if "\0" in each:
            raise TaskError("args: an argument cannot hold a zero byte.")


def _pattern(given: Mapping[str, Any], target: Optional[Target], weak: bool, root: str) -> Pattern:
    try:
        status = os.stat(root or "/")
    except OSError as error:
        raise TaskError(f"chroot: {root}: {error.strerror}.") from error
    return Pattern(
        pid=given.get("pid"),
        ppid=given.get("ppid"),
        by_pidfile="pidfile" in given,
        target=target,
        name=given.get("name"),
        uid=_uid("user", given["user"]) if "user" in given else None,
        argv=tuple(given["argv"]) if "argv" in given else None,
        cgroup=given.get("cgroup"),
        root=(status.st_dev, status.st_ino),
        weak=weak,
    )


def _uid(option: str, name: str) -> int:
    try:
        return int(name) if name.isdigit() else pwd.getpwnam(name).pw_uid
    except KeyError as error:
        raise TaskError(f"{option}: there is no user {name}.") from error


def _check_group(option: str, name: str) -> str:
    try:
        if not name.isdigit():
            grp.getgrnam(name)
    except KeyError as error:
        raise TaskError(f"{option}: there is no group {name}.") from error
    return name


def _signal(given: Mapping[str, Any]) -> int:
    if "signal" not in given:
        return int(signal.SIGHUP if given["state"] == "reloaded" else signal.SIGTERM)
    try:
        return schedules.signal_number(str(given["signal"]))
    except ScheduleError as error:
        raise TaskError(f"signal: {error}.") from error


def _schedule(given: Mapping[str, Any], number: int) -> Schedule:
    if "retry" not in given:
        return schedules.default(number)
    try:
        return schedules.parse(str(given["retry"]), number)
    except ScheduleError as error:
        raise TaskError(f"retry: {error}.") from error


def _launch(given: Mapping[str, Any], key: str, number: int) -> Launch:
    program = given.get("startas") or given["exec"]
    user, _colon, group = given.get("chuid", "").partition(":")
    if user:
        _uid("chuid", user)
    if group:
        _check_group("chuid", group)
    if "group" in given:
        group = _check_group("group", given["group"])
    base = "".join(c if c.isascii() and (c.isalnum() or c in "._") else "_" for c in os.path.basename(program))[:60]
    environment = given.get("environment") or {}
    for name in environment:
        if not name or "=" in name:
            raise TaskError(f"environment: {name!r} is not the name of a variable.")
    return Launch(
        unit=f"foster-daemon-{base}-{key[:8]}",
        command=(program, *(given.get("args") or ())),
        user=user,
        group=group,
        root=given.get("chroot", ""),
        folder=given["chdir"],
        umask=_umask(given.get("umask")),
        nice=_in_range("nicelevel", given.get("nicelevel"), -20, 19),
        policy=_policy("procsched", given.get("procsched"), POLICIES, (1, 99)),
        io=_policy("iosched", given.get("iosched"), IO_CLASSES, (0, 7)),
        environment=tuple(f"{name}={value}" for name, value in sorted(environment.items())),
        output=given.get("output", ""),
        forking=not given.get("background"),
        notify=bool(given.get("notify_await")),
        timeout=given["notify_timeout"],
        stop=(number, 30.0),
        stay_up=given["stay_up"],
    )


def _umask(text: Optional[str]) -> Optional[int]:
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or any(c in "89" for c in text) or int(text, 8) > 0o777:
        raise TaskError(f"umask: {text} is not an octal number from 0 to 777, such as '022' (with quotes).")
    return int(text, 8)


def _in_range(option: str, value: Optional[int], least: int, most: int) -> Optional[int]:
    if value is not None and not least <= value <= most:
        raise TaskError(f"{option}: {value} is not between {least} and {most}.")
    return value


def _policy(
    option: str, text: Optional[str], known: Mapping[str, int], priorities: tuple[int, int]
) -> Optional[tuple[int, int]]:
    """Read ``NAME[:PRIORITY]`` with the defaults of start-stop-daemon(8)."""
    if text is None:
        return None
    name, colon, number = text.partition(":")
    if name not in known or (colon and not (number.isascii() and number.isdigit())):
        raise TaskError(f"{option}: {text} is none of {', '.join(known)}, with a priority after a colon or without.")
    fixed = {"other": 0, "idle": 7}.get(name)
    if fixed is not None:
        return known[name], fixed
    default = 4 if option == "iosched" else 1
    return known[name], _in_range(option, int(number) if colon else default, *priorities) or 0
