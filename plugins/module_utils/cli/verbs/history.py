# SPDX-License-Identifier: GPL-3.0-or-later
"""``history JOB``: the processes that a job has had, and has."""

from __future__ import annotations

import time
from typing import Any

from ..context import Context
from ..options import UsageError

SUMMARY = "Print the processes that a job has had: who, when, parent and end."
ARGUMENTS = "JOB"
OPTIONS = ()


def run(context: Context) -> int:
    """Print one line for each process, the oldest first."""
    if not context.arguments:
        raise UsageError("missing job name")
    job = context.arguments[0]
    context.foster.job(job)
    found = context.foster.foster("History", "s", job)
    if context.json:
        context.say_json(found)
        return 0
    for each in (*found["processes"], *found["living"]):
        context.say(_line(each))
    return 0


def _line(process: dict[str, Any]) -> str:
    instance = f" ({process['instance']})" if process["instance"] else ""
    name = process["name"] or "?"
    who = f"{process['process']}{instance} process {process['pid']} {name}, child of {process['parent']}"
    if "when" not in process:
        return f"{'':19}  {who}: runs"
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(process['when']))}  {who}: {_end(process)}"


def _end(process: dict[str, Any]) -> str:
    took = f" after {process['when'] - process['started']:.1f} s" if process["started"] else ""
    if process.get("signal") is not None:
        return f"signal {process['signal']}{took}"
    status = process.get("exit_status")
    return f"ended, nobody could tell how{took}" if status is None else f"exit status {status}{took}"
