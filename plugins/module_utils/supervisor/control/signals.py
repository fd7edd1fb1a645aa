# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's announcements as D-Bus signals. A signal is written once, whatever the number of clients."""

from __future__ import annotations

from ...dbus import wire
from ...dbus.message import SignalShape
from ...dbus.upstart import INSTANCE, JOB, MANAGER, MANAGER_PATH, instance_path, job_path
from ...engine.messages import Announce

_SHAPES = {
    signal.name: SignalShape(interface.name, signal.name, signal.signature)
    for interface in (MANAGER, JOB, INSTANCE)
    for signal in interface.signals
}
_ON_MANAGER = frozenset(("JobAdded", "JobRemoved"))
_ON_JOB = frozenset(("InstanceAdded", "InstanceRemoved"))


def announcement(effect: Announce) -> bytes:
    """Return ``effect`` as a signal with the serial number 0, which each client's own replaces.

    Raise KeyError for an announcement that the interfaces do not have.
    """
    shape = _SHAPES[effect.what]
    job, instance = effect.key or ("", "")
    arguments = tuple(list(one) if isinstance(one, tuple) else one for one in effect.arguments)
    path = MANAGER_PATH
    if effect.what in _ON_MANAGER:
        arguments = (job_path(job),)
    elif effect.what in _ON_JOB:
        path, arguments = job_path(job), (instance_path(job, instance),)
    elif effect.key is not None:
        path = instance_path(job, instance)
    return shape.assemble(path, 0, wire.encode(shape.signature, arguments))


def restarted() -> bytes:
    """Return the signal that the supervisor sends after a re-exec, as ``announcement`` does."""
    return _SHAPES["Restarted"].assemble(MANAGER_PATH, 0, b"")
