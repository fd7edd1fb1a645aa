# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task can know of the place that it runs in: its parents, its session, its adopter, and what a logout ends."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from typing import Any

from ..inits import detect, logind
from ..processes import orphan, privileges
from ..processes.ancestry import cgroup, chain, command_line, terminal_name
from ..processes.identity import read_stat
from .errors import TaskError


def look(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return everything, as JSON can hold it. One orphan is made and ended for it. Raise TaskError."""
    try:
        adoption = orphan.adopt()
    except orphan.OrphanError as error:
        raise TaskError(f"{error}.") from error
    own = chain(os.getpid())
    return {
        "adopter": _adopter(adoption),
        "chain": [
            {"pid": stat.pid, "name": stat.name, "command": command_line(stat.pid), "session": stat.session}
            for stat in own
        ],
        **_place(),
        "init": _init(environ),
        "capabilities": _capabilities(),
    }


def _adopter(adoption: orphan.Adoption) -> dict[str, Any]:
    stat = read_stat(adoption.adopter) if adoption.adopter else None
    name = stat.name if stat else ""
    command = command_line(adoption.adopter) if stat else ""
    if stat is None:
        reason = "An orphan from here goes to a process that cannot be seen from here."
    elif stat.pid == 1:
        reason = f"An orphan from here goes to PID 1 ({name})."
    else:
        reason = f"An orphan from here goes to {name} (pid {stat.pid}), a subreaper, and not to PID 1: {command}."
    if adoption.reaps is False:
        reason += " It does not reap, so what ends there stays as a zombie."
    return {
        "pid": adoption.adopter,
        "name": name,
        "command": command,
        "is_pid_one": adoption.adopter == 1,
        "reaps": adoption.reaps,
        "reason": reason,
    }


def _place() -> dict[str, Any]:
    """Return the session, the user and what a logout does."""
    uid = os.getuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    stat = read_stat(os.getpid())
    groups = cgroup(os.getpid())
    terminal = terminal_name(stat.tty) if stat else ""
    parts = groups.path.split("/")
    where = logind.standing([path for _controllers, path in groups.all])
    settings = logind.settings()
    lingers = logind.lingers(user)
    verdict = logind.logout(where, user, settings, lingers, terminal)
    return {
        "session": {
            "id": stat.session if stat else 0,
            "terminal": terminal or None,
            "cgroup": groups.path,
            "unit": next((part for part in reversed(parts) if part.endswith((".scope", ".service"))), None),
            "slice": next((part for part in reversed(parts) if part.endswith(".slice")), None),
            "logind_session": where.session or None,
            "below_user_manager": bool(where.manager),
            "user": user,
            "uid": uid,
        },
        "logout": {
            "ends": verdict.ends,
            "reason": verdict.reason,
            "kill_user_processes": settings.kill,
            "excluded_users": list(settings.exclude),
            "source": settings.source,
            "lingers": lingers,
        },
    }


def _init(environ: Mapping[str, str]) -> dict[str, Any]:
    found = detect.describe(environ)
    return {
        "kind": found.kind,
        "pid_one": found.pid_one,
        "reason": found.reason,
        "answers": [answer._asdict() for answer in found.answers],
    }


def _capabilities() -> dict[str, Any]:
    status = privileges.own_status()
    return {
        "kernel": os.uname().release,
        "pidfd": privileges.has_pidfd(),
        "cgroups": [hierarchy._asdict() for hierarchy in privileges.hierarchies()],
        "effective": list(privileges.effective(status)),
        "no_new_privileges": privileges.flag(status, "NoNewPrivs"),
    }
