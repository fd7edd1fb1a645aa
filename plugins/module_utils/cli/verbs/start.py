# SPDX-License-Identifier: GPL-3.0-or-later
"""``start JOB [KEY=VALUE]...``: start a job, or go on with it from inside its own pre-stop."""

from __future__ import annotations

from ..change import change
from ..context import NO_WAIT, Context

SUMMARY = "Start a job."
ARGUMENTS = "JOB [KEY=VALUE]..."
OPTIONS = (NO_WAIT,)


def run(context: Context) -> int:
    """Start and print the status."""
    return change(context, "Start")
