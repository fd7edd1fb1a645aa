# SPDX-License-Identifier: GPL-3.0-or-later
"""What passes from one program to the next in the same process, when the supervisor executes itself anew.

Descriptors stay open, and a file in memory tells what they are: ``listeners`` (descriptor, address, path, lock),
``lock``, ``terminals`` (instance, descriptor). All else is in the ledger.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from typing import Any, NoReturn, Optional

from .options import STATE_FD, split_command
from .spawn import SCRIPT_FD
from .tracking import proc


def inherited_state(fd: int) -> dict[str, Any]:
    """Return what the program before us has handed over; ``fd``: -1 for nothing."""
    if fd < 0:
        return {}
    with open(fd, "rb") as file:
        found: dict[str, Any] = json.loads(file.read())
    return found


def kept_descriptors(state: dict[str, Any]) -> set[int]:
    """Return the descriptors that the program before us has left for us."""
    kept = {fd for each in state.get("listeners", ()) for fd in (each[0], each[3]) if fd is not None}
    kept.update(fd for _key, fd in state.get("terminals", ()))
    if "lock" in state:
        kept.add(state["lock"])
    return kept


def own_descriptors(kept: set[int]) -> int:
    """Close what the caller has left open, but not ``kept``; have 0, 1 and 2 open.

    Returns the number that scripts get, which now is /dev/null.
    """
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in kept:
            try:
                os.close(int(name))
            except OSError:
                continue  # the one that listed the folder
    null = os.open("/dev/null", os.O_RDWR)
    while null < 3:
        null = os.open("/dev/null", os.O_RDWR)
    if null != SCRIPT_FD:
        os.dup2(null, SCRIPT_FD, inheritable=False)
        os.close(null)
    os.set_inheritable(SCRIPT_FD, False)
    return SCRIPT_FD


def problem() -> Optional[str]:
    """Return why this program cannot be executed again, None where it can: there is no way back from the attempt."""
    for path, mode in ((sys.executable, os.X_OK), (sys.argv[0], os.R_OK)):
        if not os.access(path, mode):
            return f"{path} is not there any more, or cannot be used; install the supervisor again"
    return None


def execute_anew(state: dict[str, Any], keep: Iterable[int]) -> NoReturn:
    """Execute this program again, with the descriptors ``keep`` left open."""
    state_fd = os.memfd_create("state", 0)
    os.write(state_fd, json.dumps(state).encode())
    os.lseek(state_fd, 0, os.SEEK_SET)
    for fd in keep:
        os.set_inheritable(fd, True)
    os.execv(sys.executable, arguments_with_state(proc.command_line(os.getpid()), state_fd))


def arguments_with_state(command_line: bytes, state_fd: int) -> list[str]:
    """Return the command line with the state's descriptor in it, in front of a command."""
    options, command = split_command([os.fsdecode(word) for word in command_line.split(b"\0")[:-1]])
    while STATE_FD in options:
        at = options.index(STATE_FD)
        del options[at : at + 2]
    return [*options, STATE_FD, str(state_fd), *(["--", *command] if command else [])]
