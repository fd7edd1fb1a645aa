# SPDX-License-Identifier: GPL-3.0-or-later
"""What requests and events act on."""

from __future__ import annotations

from dataclasses import dataclass

from .catalogue import Catalogue
from .event import EventQueue
from .lifecycle import Lifecycle
from .records import Records
from .selection import Selection
from .turn import Turn


@dataclass
class Acting:
    """The parts of the engine together. ``closed``: everything is being stopped, and nothing new begins."""

    catalogue: Catalogue
    events: EventQueue
    lifecycle: Lifecycle
    records: Records
    selection: Selection
    turn: Turn
    closed: bool = False
