# SPDX-License-Identifier: GPL-3.0-or-later
"""start, stop and restart: which instance is meant, the call, the status afterwards, and why it failed."""

from __future__ import annotations

from typing import Any

from ..dbus.errors import BusError
from ..supervisor.unready import too_often, unready
from .context import CommandError, Context


def change(context: Context, member: str) -> int:
    """Call ``member`` (Start, Stop, Restart) for the job that the arguments or the environment name."""
    job, inside = context.job()
    foster = context.foster
    job_path = foster.job(job)
    env = context.arguments[1:]
    try:
        if inside is not None:
            # A process of the job itself asks: waiting for the job would wait for the asker.
            path = foster.instance_by_name(job_path, inside)
            foster.change_instance(path, member, False)
        elif member == "Stop":
            path = foster.instance(job_path, env)
            foster.change(job_path, member, env, context.wait)
        else:
            path = foster.change(job_path, member, env, context.wait)
    except BusError as error:
        if context.upstart or error.short != "JobFailed":
            raise
        raise CommandError(f"{error}: {_why(context, job)}") from error
    context.show(context.instance_status(job, path))
    return 0


def _why(context: Context, job: str) -> str:
    """Return what the supervisor remembers of the failure: process, status, last lines of the log."""
    try:
        failure: dict[str, Any] = next(iter(context.foster.describe(job)), {}).get("last_failure") or {}
    except (BusError, ValueError):
        failure = {}
    return failure_text(job, failure)


def failure_text(job: str, failure: dict[str, Any]) -> str:
    """Return a failure as words, with the last lines of the log below."""
    if not failure:
        return f"the reason is not known; see the log with `fosterctl log {job}`"
    process = failure.get("process") or "main"
    if failure.get("signal") is not None:
        how = f"was killed by signal {failure['signal']}"
    elif failure.get("step"):
        import os

        number = failure.get("errno")
        reason = os.strerror(number) if isinstance(number, int) else str(number)
        how = f"could not be started: {failure['step']}: {reason}"
    elif failure.get("exit_status") is not None:
        how = f"exited with status {failure['exit_status']}"
    else:
        how = unready(failure) or "failed"
    how += too_often(failure)
    tail = failure.get("log_tail") or []
    return f"the {process} process of {job} {how}" + "".join(f"\n  | {line}" for line in tail)
