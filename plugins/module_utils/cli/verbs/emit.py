# SPDX-License-Identifier: GPL-3.0-or-later
"""``emit EVENT [KEY=VALUE]...``: emit an event."""

from __future__ import annotations

from ..context import NO_WAIT, Context
from ..options import UsageError

SUMMARY = "Emit an event."
ARGUMENTS = "EVENT [KEY=VALUE]..."
OPTIONS = (NO_WAIT,)


def run(context: Context) -> int:
    """Emit; wait until the event is finished."""
    if not context.arguments:
        raise UsageError("missing event name")
    context.foster.emit(context.arguments[0], context.arguments[1:], context.wait)
    return 0
