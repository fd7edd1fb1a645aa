# SPDX-License-Identifier: GPL-3.0-or-later
"""What every init can be asked for that may run jobs here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class InstanceStatus(NamedTuple):
    """One instance of a job: words of goal and state, and (kind, pid) of its processes, main first."""

    job: str
    instance: str
    goal: str
    state: str
    processes: tuple[tuple[str, int], ...] = ()


class Init(Protocol):
    """An init that runs jobs. ``env`` holds KEY=VALUE strings and selects the instance; ``wait``: until it is done."""

    name: str

    def start(self, name: str, env: Sequence[str] = (), wait: bool = True) -> None: ...

    def stop(self, name: str, env: Sequence[str] = (), wait: bool = True) -> None: ...

    def restart(self, name: str, env: Sequence[str] = (), wait: bool = True) -> None: ...

    def reload(self, name: str, env: Sequence[str] = ()) -> None: ...

    def status(self, name: str) -> list[InstanceStatus]: ...

    def emit(self, event: str, env: Sequence[str] = (), wait: bool = True) -> None: ...
