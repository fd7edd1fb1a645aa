# SPDX-License-Identifier: GPL-3.0-or-later
"""``restart JOB [KEY=VALUE]...``: stop a running job and start it again."""

from __future__ import annotations

from ..change import change
from ..context import NO_WAIT, Context

SUMMARY = "Restart a running job."
ARGUMENTS = "JOB [KEY=VALUE]..."
OPTIONS = (NO_WAIT,)


def run(context: Context) -> int:
    """Restart and print the status."""
    return change(context, "Restart")
