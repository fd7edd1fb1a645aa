# SPDX-License-Identifier: GPL-3.0-or-later
"""One turn of the engine: what an input leads to, gathered until it is handed out."""

from __future__ import annotations

from typing import Optional

from .instance import Instance
from .messages import Announce, CancelTimer, Effect, SetTimer


class Turn:
    """``effects``: what is to be done, in order. ``changed``: whose records are no longer what was written.

    ``now``: seconds, monotonic, set by the engine at the beginning. An instance remembers when its timers run out.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.effects: list[Effect] = []
        self.changed: dict[tuple[str, str], Optional[Instance]] = {}

    def take_effects(self) -> list[Effect]:
        """Return what has been decided, which makes way for the next turn."""
        effects, self.effects = self.effects, []
        return effects

    def touch(self, instance: Instance) -> None:
        """Note that the instance's record is no longer what was written."""
        self.changed[instance.key] = instance

    def announce(self, what: str, instance: Instance, *arguments: object) -> None:
        """Tell listeners of the instance; see ``messages.Announce``."""
        self.effects.append(Announce(what, instance.key, arguments))

    # ---- timers ---------------------------------------------------------------------------------------------

    def set_timer(self, instance: Instance, name: str, seconds: float) -> None:
        """Set a timer of the instance."""
        if instance.timers is None:
            instance.timers = {}
        instance.timers[name] = self.now + seconds
        self.touch(instance)
        self.effects.append(SetTimer(instance.key, name, seconds))

    def cancel_timer(self, instance: Instance, name: str) -> None:
        """Cancel a timer of the instance, if it is set."""
        if instance.timers and instance.timers.pop(name, None) is not None:
            self.effects.append(CancelTimer(instance.key, name))

    def has_timer(self, instance: Instance, name: str) -> bool:
        """Tell whether that timer is set."""
        return name in (instance.timers or ())

    def time_left(self, instance: Instance, name: str) -> float:
        """Return the seconds until that timer runs out, 0 where it is due or not set."""
        return max(0.0, (instance.timers or {}).get(name, 0.0) - self.now)

    def fired(self, instance: Instance, name: str) -> bool:
        """Take note that a timer has run out; tell whether it was still wanted."""
        if instance.timers is None or instance.timers.pop(name, None) is None:
            return False
        self.touch(instance)
        return True
