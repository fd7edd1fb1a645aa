# SPDX-License-Identifier: GPL-3.0-or-later
"""``unset-env VARIABLE...``: remove variables from the job environment."""

from __future__ import annotations

from ..context import GLOBAL, Context
from ..options import UsageError

SUMMARY = "Remove variables from the job environment."
ARGUMENTS = "VARIABLE..."
OPTIONS = (GLOBAL,)


def run(context: Context) -> int:
    """Remove; print nothing."""
    if not context.arguments:
        raise UsageError("missing variable name")
    details = context.job_details()
    context.foster.manager("UnsetEnvList", "asas", details, context.arguments)
    return 0
