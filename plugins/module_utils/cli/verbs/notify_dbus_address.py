# SPDX-License-Identifier: GPL-3.0-or-later
"""``notify-dbus-address ADDRESS``: tell the supervisor where the D-Bus daemon is."""

from __future__ import annotations

from ..context import Context
from ..options import UsageError

SUMMARY = "Tell the supervisor the address of the D-Bus daemon."
ARGUMENTS = "ADDRESS"
OPTIONS = ()


def run(context: Context) -> int:
    """Notify; print nothing."""
    if not context.arguments:
        raise UsageError("missing D-Bus address")
    context.foster.manager("NotifyDBusAddress", "s", context.arguments[0])
    return 0
