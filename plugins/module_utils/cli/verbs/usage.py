# SPDX-License-Identifier: GPL-3.0-or-later
"""``usage JOB``: print the usage text of a job."""

from __future__ import annotations

from ...dbus.upstart import JOB_INTERFACE
from ..context import Context

SUMMARY = "Print the usage text of a job."
ARGUMENTS = "JOB"
OPTIONS = ()


def run(context: Context) -> int:
    """Print what the job's usage stanza says."""
    job, _inside = context.job()
    usage = context.foster.property(context.foster.job(job), JOB_INTERFACE, "usage")
    if context.json:
        context.say_json({"job": job, "usage": usage})
    else:
        context.say(f"Usage: {usage}")
    return 0
