# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor under BusyBox init, which knows no runlevels: a respawn line.

Without an inittab it runs what is built into it (init/init.c), which a file with our line alone would replace; so there
has to be one already.
"""

from __future__ import annotations

from . import inittab
from .layout import Layout
from .pieces import Line


def busybox(layout: Layout, table: str = inittab.TABLE) -> inittab.Respawned:
    """Return the hosting by BusyBox init."""
    return inittab.Respawned("busybox", layout, Line(table, f"::respawn:{inittab.command(layout)}"), terminates=False)
