# SPDX-License-Identifier: GPL-3.0-or-later
"""``status JOB [KEY=VALUE]...``: print goal, state and processes of an instance."""

from __future__ import annotations

from typing import Optional

from ...dbus.errors import BusError
from ..context import Context

SUMMARY = "Print the status of a job."
ARGUMENTS = "JOB [KEY=VALUE]..."
OPTIONS = ()


def run(context: Context) -> int:
    """Print the status; a job without a running instance is stop/waiting, unless a certain one was asked for."""
    job, inside = context.job()
    env = context.arguments[1:]
    path = context.foster.job(job)
    instance: Optional[str] = None
    if inside is not None:
        instance = context.foster.instance_by_name(path, inside)
    else:
        try:
            instance = context.foster.instance(path, env)
        except BusError as error:
            if env or error.short != "UnknownInstance":
                raise
    context.show(context.instance_status(job, instance))
    return 0
