# SPDX-License-Identifier: GPL-3.0-or-later
"""``reload-configuration``: let the supervisor read its job files again."""

from __future__ import annotations

from ..context import Context

SUMMARY = "Let the supervisor read its job files again."
ARGUMENTS = ""
OPTIONS = ()


def run(context: Context) -> int:
    """Reload; print nothing."""
    context.foster.reload_configuration()
    return 0
