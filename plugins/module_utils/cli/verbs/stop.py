# SPDX-License-Identifier: GPL-3.0-or-later
"""``stop JOB [KEY=VALUE]...``: stop a job."""

from __future__ import annotations

from ..change import change
from ..context import NO_WAIT, Context

SUMMARY = "Stop a job."
ARGUMENTS = "JOB [KEY=VALUE]..."
OPTIONS = (NO_WAIT,)


def run(context: Context) -> int:
    """Stop and print the status."""
    return change(context, "Stop")
