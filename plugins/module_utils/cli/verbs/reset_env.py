# SPDX-License-Identifier: GPL-3.0-or-later
"""``reset-env``: put the job environment back to its default."""

from __future__ import annotations

from ..context import GLOBAL, Context

SUMMARY = "Revert all changes to the job environment."
ARGUMENTS = ""
OPTIONS = (GLOBAL,)


def run(context: Context) -> int:
    """Reset; print nothing."""
    details = context.job_details()
    context.foster.manager("ResetEnv", "as", details)
    return 0
