# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parts of the host have in common: the things they act with, and the way back to the engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Optional, Protocol, Union

from ..engine.engine import Engine
from ..engine.messages import Input, Refuse, Reply
from .console import Console
from .kernel import Kernel
from .ledger import Ledger
from .logs import Logs
from .loop import Loop
from .tracking.family import Families

OnReply = Callable[[Union[Reply, Refuse]], None]


@dataclass(frozen=True)
class Means:
    """What is acted with. ``warn(text)`` writes to the supervisor's own log. ``engine`` is only read by the parts."""

    engine: Engine
    loop: Loop
    kernel: Kernel
    ledger: Ledger
    logs: Logs
    families: Families
    warn: Callable[[str], None]
    null_fd: int
    run_folder: Optional[str] = None
    console: Console = field(default_factory=Console)


class Inputs(Protocol):
    """How the parts tell the engine what happened."""

    def submit(self, message: Input, on_reply: Optional[OnReply] = None) -> None:
        """Deal with ``message`` now, or after the input that is being dealt with; ``on_reply``: see Host.submit."""

    def answer(self, message: Input) -> None:
        """Queue what an effect that is being carried out has led to."""

    def go_on(self) -> None:
        """Deal with what is queued, unless that is being done already."""
