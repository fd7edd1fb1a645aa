# SPDX-License-Identifier: GPL-3.0-or-later
"""``reload JOB [KEY=VALUE]...``: send the job's reload signal to its main process."""

from __future__ import annotations

from ..context import Context

SUMMARY = "Send the reload signal to a job."
ARGUMENTS = "JOB [KEY=VALUE]..."
OPTIONS = ()


def run(context: Context) -> int:
    """Reload; print nothing."""
    job, inside = context.job()
    path = context.foster.job(job)
    if inside is None:
        instance = context.foster.instance(path, context.arguments[1:])
    else:
        instance = context.foster.instance_by_name(path, inside)
    context.foster.reload_instance(instance)
    return 0
