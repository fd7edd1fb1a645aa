# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether there is AppArmor: the kernel has it enabled, and the program is here that loads profiles.

Without it a job's profile is neither loaded nor switched to, and the job starts all the same, as under Upstart.
"""

from __future__ import annotations

import os

PARSER = "/sbin/apparmor_parser"
_ENABLED = "/sys/module/apparmor/parameters/enabled"


def available() -> bool:
    """Tell whether AppArmor can be used now."""
    try:
        with open(_ENABLED, encoding="ascii") as file:
            enabled = file.read(1) == "Y"
    except OSError:
        return False
    return enabled and os.access(PARSER, os.X_OK)
