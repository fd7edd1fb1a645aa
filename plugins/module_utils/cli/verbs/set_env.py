# SPDX-License-Identifier: GPL-3.0-or-later
"""``set-env VARIABLE=VALUE...``: set variables of the job environment."""

from __future__ import annotations

from ..context import GLOBAL, Context
from ..options import Option, UsageError

SUMMARY = "Set variables of the job environment."
ARGUMENTS = "VARIABLE[=VALUE]..."
OPTIONS = (GLOBAL, Option("retain", "r", text="leave a variable alone that is set already"))


def run(context: Context) -> int:
    """Set; print nothing."""
    if not context.arguments:
        raise UsageError("missing variable value")
    details = context.job_details()
    context.foster.manager("SetEnvList", "asasb", details, context.arguments, not context.values.get("retain"))
    return 0
