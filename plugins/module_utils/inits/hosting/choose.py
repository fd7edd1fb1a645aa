# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way of hosting works on this host, found out by asking."""

from __future__ import annotations

from typing import Optional

from .. import detect
from ..errors import InitError
from .interface import Hosting
from .layout import Layout

NAMES = ("systemd", "none")


def choose(layout: Layout, wanted: Optional[str] = None) -> Hosting:
    """Return the hosting called ``wanted``, or the one that fits: a systemd that answers, else none.

    Raises InitError for a name that is not known.
    """
    if wanted not in (None, "auto", *NAMES):
        raise InitError(f"There is no hosting called {wanted}; choose one of {', '.join(NAMES)}, or auto")
    if wanted == "systemd" or (wanted in (None, "auto") and detect.systemd(layout.user) is not None):
        from .systemd import Systemd

        return Systemd(layout)
    from .none import Nobody

    return Nobody(layout)
