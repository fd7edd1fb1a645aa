# SPDX-License-Identifier: GPL-3.0-or-later
"""``get-env VARIABLE``: print a variable of the job environment."""

from __future__ import annotations

from ..context import GLOBAL, Context
from ..options import UsageError

SUMMARY = "Print a variable of the job environment."
ARGUMENTS = "VARIABLE"
OPTIONS = (GLOBAL,)


def run(context: Context) -> int:
    """Print the value."""
    if not context.arguments:
        raise UsageError("missing variable name")
    details = context.job_details()
    context.say(str(context.foster.manager("GetEnv", "ass", details, context.arguments[0])[0]))
    return 0
