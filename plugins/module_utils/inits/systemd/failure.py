# SPDX-License-Identifier: GPL-3.0-or-later
# pylint: disable=ansible-bad-function  # used by more than modules, so there is no run_command
"""How a unit has failed: which process, with what, and what it wrote last."""

from __future__ import annotations

import errno
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

LINES = 20
_JOURNAL_TIMEOUT = 20.0  # seconds
_BEFORE = 1  # seconds
_EXITED, _KILLED, _DUMPED = 1, 2, 3  # si_code of SIGCHLD, sigaction(2)
# Exit statuses of systemd's own: the step before the program ran. systemd.exec(5), "Process Exit Codes".
_STEPS: dict[int, tuple[str, Optional[int]]] = {
    200: ("chdir", errno.ENOENT),
    201: ("nice", None),
    203: ("exec", errno.ENOENT),
    204: ("fork", errno.ENOMEM),
    205: ("limits", None),
    206: ("oom-score", None),
    208: ("stdin", None),
    209: ("stdout", None),
    210: ("chroot", errno.ENOENT),
    216: ("setgid", errno.ENOENT),
    217: ("setuid", errno.ENOENT),
    219: ("cgroup", None),
    226: ("namespace", None),
    231: ("apparmor", None),
}
# The lists of commands whose failure fails the unit, by the process of the job that they are.
COMMANDS = {"ExecStartPre": "pre-start", "ExecStartPost": "post-start", "ExecStopPost": "post-stop"}
START = ("InvocationID", "InactiveExitTimestamp")  # of the interface Unit
PROPERTIES = ("ExecMainCode", "ExecMainStatus", "Result", *COMMANDS)


def failure(properties: Mapping[str, Any], log_tail: Sequence[str], again: bool = False) -> dict[str, Any]:
    """Return what has failed, by the PROPERTIES of the unit.

    ``again``: systemd had begun to respawn it when it was looked at. Then how it ended first may be forgotten, and a
    process that was under way has ended because it was told to: so nothing is said of that.
    """
    if again:
        return {"process": "pre-start or main", "log_tail": list(log_tail)}
    for directive, process in COMMANDS.items():
        for _path, _argv, ignored, *_times, _pid, code, status in properties[directive]:
            if code and not ignored and (code != _EXITED or status):
                return {"process": process, **_end(code, status), "log_tail": list(log_tail)}
    code, status = properties["ExecMainCode"], properties["ExecMainStatus"]
    if code and (code != _EXITED or status):
        return {"process": "main", **_end(code, status), "log_tail": list(log_tail)}
    return {"process": "main", "reason": properties["Result"], "log_tail": list(log_tail)}


def main_end(properties: Mapping[str, Any], log_tail: Sequence[str]) -> dict[str, Any]:
    """Return how the main process ended last. What ended normally systemd has forgotten, and so it was status 0."""
    code, status = properties["ExecMainCode"] or _EXITED, properties["ExecMainStatus"]
    return {"process": "main", **_end(code, status), "log_tail": list(log_tail)}


def _end(code: int, status: int) -> dict[str, Any]:
    if code in (_KILLED, _DUMPED):
        return {"signal": _signal_name(status)}
    if status in _STEPS:
        step, number = _STEPS[status]
        return {"step": step, "errno": number, "exit_status": status}
    return {"exit_status": status}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name[3:]
    except ValueError:
        return str(number)


class Start(NamedTuple):
    """One start of a unit: its invocation id in hexadecimal digits, and when it began (microseconds, Unix time)."""

    invocation: str
    began: int


def start_of(properties: Mapping[str, Any]) -> Optional[Start]:
    """Return the unit's last start, by START of its properties; None where systemd has forgotten it."""
    invocation = bytes(properties["InvocationID"]).hex()
    return Start(invocation, properties["InactiveExitTimestamp"]) if invocation else None


def journal(unit: str, start: Optional[Start], user: bool) -> list[str]:
    """Return the last lines that the processes of one start wrote, [] where no journal has them.

    ``start``: None for one that systemd has forgotten; then it is what the unit wrote just now.
    """
    if not user:
        _run(["journalctl", "--sync"])  # what the process wrote last may still be on its way
    command = ["journalctl", "--quiet", "--no-pager", "--output=cat", f"--lines={LINES}"]
    for which in lines_of(unit, start, user):
        found = _run([*command, *which]).splitlines()[-LINES:]
        if found:
            return found
    return []


def lines_of(unit: str, start: Optional[Start], user: bool) -> list[list[str]]:
    """Return what tells journalctl(1) which lines are meant, the best first.

    The journal looks for the invocation id when it turns to a process, and systemd takes that away when the unit has
    failed: what ended at once may have none. The unit's name comes with the output, except from a user's manager.
    """
    by_unit = f"_SYSTEMD_USER_UNIT={unit}" if user else f"_SYSTEMD_UNIT={unit}"
    if start is None:
        return [["--since=-30s", by_unit]]
    # systemd notes the time after it has forked, and the process may have written by then.
    since = max(start.began // 1_000_000 - _BEFORE, 0)
    return [[f"_SYSTEMD_INVOCATION_ID={start.invocation}"], [f"--since=@{since}", by_unit]]


def _run(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_JOURNAL_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")
