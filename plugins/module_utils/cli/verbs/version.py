# SPDX-License-Identifier: GPL-3.0-or-later
"""``version``: print the version of the supervisor."""

from __future__ import annotations

from ...dbus.upstart import MANAGER_INTERFACE, MANAGER_PATH
from ..context import Context

SUMMARY = "Print the version of the supervisor."
ARGUMENTS = ""
OPTIONS = ()


def run(context: Context) -> int:
    """Print the version property of the supervisor."""
    version = context.foster.property(MANAGER_PATH, MANAGER_INTERFACE, "version")
    if context.json:
        context.say_json({"version": version})
    else:
        context.say(str(version))
    return 0
