# SPDX-License-Identifier: GPL-3.0-or-later
"""How a job has failed, from the signals that Upstart sends of its instance, and what the job wrote last."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import shutil
import signal
import stat
from collections.abc import Iterable
from typing import Any, Callable, Optional

from ...dbus.client import Signal
from ...dbus.upstart import INSTANCE_INTERFACE
from ...job.model import Job, Process

LINES = 20
_BYTES = 1 << 16  # of a log's end
_FOR_A_SHELL = frozenset("~`!$^&*()=|\\{}[];\"'<>?")  # with one of these Upstart lets a shell run the command
# The process that runs in a state; Upstart 1.13 has transitional ones (pre-starting, spawning, ...).
_PROCESSES = (
    ("security", "security"),
    ("pre-start", "pre-start"),
    ("spawn", "main"),
    ("post-start", "main"),
    ("running", "main"),
    ("pre-stop", "main"),
    ("post-stop", "post-stop"),
)


def failure(signals: Iterable[Signal], path: str) -> Optional[dict[str, Any]]:
    """Return what failed of the instance at the object ``path``, None where nothing did.

    The signal Failed carries the exit status, a signal in the second byte, or -1 for what could not be started at all;
    which process it was is told by the state before.
    """
    process, found = "main", None
    for each in signals:
        if each.path != path or each.interface != INSTANCE_INTERFACE:
            continue
        if each.member == "StateChanged":
            state = str(each.arguments[0])
            process = next((kind for prefix, kind in _PROCESSES if state.startswith(prefix)), process)
        elif each.member == "Failed":
            found = {"process": process, **_end(int(each.arguments[0]))}
    return found


def _end(status: int) -> dict[str, Any]:
    if status < 0:
        return {"step": "spawn", "errno": None}
    if status == 0:
        return {"reason": "respawn limit"}
    if status > 0xFF:
        number = (status >> 8) & 0x7F
        try:
            return {"signal": signal.Signals(number).name[3:]}
        except ValueError:
            return {"signal": str(number)}
    return {"exit_status": status}


def with_step(found: dict[str, Any], job: Optional[Job]) -> dict[str, Any]:
    """Return the failure with the step that could not be done, as far as it can be seen from here.

    Upstart tells only that a process could not be started. So what a process needs is looked for, in its order.
    """
    if found.get("step") != "spawn" or job is None:
        return found
    processes = {"main": job.exec_main, "pre-start": job.pre_start, "post-stop": job.post_stop}
    process = processes.get(found["process"])
    for step, number in (
        ("setuid", _unknown(pwd.getpwnam, job.setuid)),
        ("setgid", _unknown(grp.getgrnam, job.setgid)),
        ("chroot", _no_folder(job.chroot)),
        ("chdir", _no_folder(f"{job.chroot or ''}{job.chdir}" if job.chdir else None)),
        ("exec", 0 if process is None or job.chroot else _cannot_execute(process)),
    ):
        if number:
            return {**found, "step": step, "errno": number}
    return found


def _unknown(ask: Callable[[str], object], name: Optional[str]) -> int:
    try:
        if name:
            ask(name)
    except KeyError:
        return errno.ENOENT
    return 0


def _no_folder(path: Optional[str]) -> int:
    return errno.ENOENT if path and not os.path.isdir(path) else 0


def _cannot_execute(process: Process) -> int:
    if process.script or _FOR_A_SHELL & set(process.command):
        return 0
    program = (process.command.split() or [""])[0]
    if "/" not in program:
        return 0 if shutil.which(program) else errno.ENOENT
    if not os.path.exists(program):
        return errno.ENOENT
    return 0 if os.access(program, os.X_OK) else errno.EACCES


def log_path(folder: str, name: str, instance: str) -> str:
    """Return where the output of an instance goes; init(5), "console log"."""
    return os.path.join(folder, f"{f'{name}-{instance}' if instance else name}.log".replace("/", "_"))


def log_size(path: str) -> int:
    """Return how large the log is, 0 where there is none."""
    with contextlib.suppress(OSError):
        return os.lstat(path).st_size
    return 0


def log_tail(path: str, begin: int = 0) -> list[str]:
    """Return the last lines of a log that were written after the first ``begin`` bytes; no link is followed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return []
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        return []
    with open(descriptor, "rb") as file:
        if status.st_size < begin:  # rotated since
            begin = 0
        file.seek(max(begin, status.st_size - _BYTES))
        text = file.read(_BYTES).decode("utf-8", "replace")
    return [line.rstrip("\r") for line in text.split("\n") if line.strip()][-LINES:]
