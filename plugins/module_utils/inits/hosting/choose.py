# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way of hosting works on this host: what PID 1 serves right now decides, never what is installed."""

from __future__ import annotations

import os
from typing import Optional

from .. import detect
from ..errors import InitError
from .interface import Hosting
from .layout import Layout

# The kinds of PID 1 (inits/detect) that can host the supervisor, by the name of the hosting.
HOSTS = {
    "foster": "pid1",
    "systemd": "systemd",
    "upstart": "upstart",
    "sysvinit": "sysvinit",
    "busybox": "busybox",
    "openrc": "openrc",
    "runit": "runit",
    "s6": "s6",
}
NAMES = (*HOSTS.values(), "none")


def choose(layout: Layout, wanted: Optional[str] = None) -> Hosting:
    """Return the hosting called ``wanted``, or the one that fits: the host's init where it can, else none.

    Raises InitError for a name that is not known, and for an init that does not run here.
    """
    if wanted in (None, "auto"):
        return _made(_fitting(layout)[0], layout)
    if wanted not in NAMES:
        raise InitError(f"There is no hosting called {wanted}; choose one of {', '.join(NAMES)}, or auto")
    if wanted != "none":
        fitting, reason = _fitting(layout)
        if fitting != wanted:
            raise InitError(f"{wanted} cannot host the supervisor here: {reason}; leave the option hosting out")
    return _made(wanted, layout)


def _fitting(layout: Layout) -> tuple[str, str]:
    """Return the name of the hosting that fits, and why."""
    if layout.user:
        if detect.systemd(user=True) is not None:
            return "systemd", "the user's systemd answers"
        return "none", "no systemd of this user answers, and other inits host the system's supervisor only"
    found = detect.describe(os.environ)
    return HOSTS.get(found.kind, "none"), found.reason


def _made(name: str, layout: Layout) -> Hosting:
    """Return the hosting; each is imported only where it is used."""
    if name == "systemd":
        from .systemd import Systemd

        return Systemd(layout)
    if name == "upstart":
        from .upstart import Upstart

        return Upstart(layout)
    if name == "sysvinit":
        from .sysvinit import sysvinit

        return sysvinit(layout)
    if name == "busybox":
        from .busybox import busybox

        return busybox(layout)
    if name == "openrc":
        from .openrc import Openrc

        return Openrc(layout)
    if name == "runit":
        from .runit import Runit

        return Runit.found(layout)
    if name == "s6":
        from .s6 import S6

        return S6.found(layout)
    if name == "pid1":
        from .pid1 import PidOne

        return PidOne(layout)
    from .none import Nobody

    return Nobody(layout)
