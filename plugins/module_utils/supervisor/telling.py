# SPDX-License-Identifier: GPL-3.0-or-later
"""What the supervisor's own log says of its jobs: one line for what an admin would ask about later."""

from __future__ import annotations

from typing import Optional

from ..engine.messages import Announce, InstanceKey, ProcessExited
from ..engine.signals import signal_name

_STATES = {"running": "running", "waiting": "stopped"}


def title(key: InstanceKey) -> str:
    """Return how an instance is called: ``job`` or ``job (instance)``."""
    return f"{key[0]} ({key[1]})" if key[1] else key[0]


def ended(message: ProcessExited) -> Optional[str]:
    """Return the line for a process that ended by itself, None where it ended well."""
    if message.code == 0:
        return None
    if message.signal is not None:
        how = f"was killed by the signal {signal_name(message.signal)}"
    elif message.code is not None:
        how = f"ended with exit status {message.code}"
    else:
        how = "ended, nobody can tell how"
    return f"{title(message.key)}: {message.kind.value} process ({message.pid}) {how}"


def changed(effect: Announce) -> Optional[str]:
    """Return the line for a job that runs or has stopped, None for everything else that is announced."""
    if effect.what != "StateChanged" or effect.key is None:
        return None
    state = _STATES.get(effect.arguments[0])
    return f"{title(effect.key)} is {state}" if state is not None else None
