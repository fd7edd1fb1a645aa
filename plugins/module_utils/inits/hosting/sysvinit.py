# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor under sysvinit: a respawn line for the runlevels in which services run.

When its line is gone, and when the host goes down, init sends SIGTERM to the supervisor's process group and SIGKILL
5 s later. Jobs have process groups of their own. Source: init(8), inittab(5): an id has at most 4 characters, a command
at most 127.
"""

from __future__ import annotations

from . import inittab
from .layout import Layout
from .pieces import Line

ID = "fost"


def sysvinit(layout: Layout, table: str = inittab.TABLE) -> inittab.Respawned:
    """Return the hosting by sysvinit."""
    line = Line(table, f"{ID}:2345:respawn:{inittab.command(layout)}", key=f"{ID}:")
    return inittab.Respawned("sysvinit", layout, line, terminates=True)
