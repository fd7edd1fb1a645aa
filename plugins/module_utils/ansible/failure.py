# SPDX-License-Identifier: GPL-3.0-or-later
"""Say in words how a process of a job failed, from what the supervisor remembers of it (``last_failure``)."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from typing import Any

from ..supervisor.unready import too_often, unready

# What errno means in a step of the child's side, where its own text would mislead.
_REASONS = {
    ("exec", errno.ENOENT): "there is no such program",
    ("exec", errno.EACCES): "the program is not executable",
    ("setuid", errno.ENOENT): "there is no such user",
    ("setgid", errno.ENOENT): "there is no such group",
    ("chdir", errno.ENOENT): "there is no such folder",
    ("environment-file", errno.ENOENT): "there is no such file",
    ("chroot", errno.ENOENT): "there is no such folder",
}


def how(failure: Mapping[str, Any]) -> str:
    """Return what became of which process, as the end of a sentence about its job."""
    process = f"{failure.get('process') or 'main'} process"
    if failure.get("step"):
        number = failure.get("errno")
        reason = f": {_REASONS.get((failure['step'], number)) or os.strerror(number)}" if number else ""
        return f"its {process} could not be started, because the step {failure['step']} failed{reason}"
    if unready(failure):
        return f"its {process} {unready(failure)}"
    often = too_often(failure)
    if failure.get("signal") is not None:
        return f"its {process} was ended by signal {failure['signal']}{often}"
    if failure.get("exit_status") is not None:
        return f"its {process} ended with exit status {failure['exit_status']}{often}"
    return f"its {process} failed{often}"


def last_lines(failure: Mapping[str, Any]) -> str:
    """Return a sentence with the last line that it wrote, beginning with a space; empty where it wrote nothing."""
    lines = [line for line in failure.get("log_tail") or () if line.strip()]
    return f" It last wrote: {lines[-1].strip()}" if lines else ""
