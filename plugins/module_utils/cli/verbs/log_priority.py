# SPDX-License-Identifier: GPL-3.0-or-later
"""``log-priority [PRIORITY]``: print or change how much the supervisor itself logs."""

from __future__ import annotations

from ...dbus.upstart import MANAGER_INTERFACE, MANAGER_PATH, PROPERTIES_INTERFACE
from ..context import Context

SUMMARY = "Print or change the priority from which on the supervisor logs."
ARGUMENTS = "[debug|info|message|warn|error|fatal]"
OPTIONS = ()


def run(context: Context) -> int:
    """Print the priority, or set the one that is given."""
    foster = context.foster
    if not context.arguments:
        context.say(str(foster.property(MANAGER_PATH, MANAGER_INTERFACE, "log_priority")))
        return 0
    value = ("s", context.arguments[0])
    foster.connection.call(MANAGER_PATH, PROPERTIES_INTERFACE, "Set", "ssv", MANAGER_INTERFACE, "log_priority", value)
    return 0
