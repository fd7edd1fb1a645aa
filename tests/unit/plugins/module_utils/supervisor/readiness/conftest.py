# SPDX-License-Identifier: GPL-3.0-or-later
"""An instance as its watcher sees it: nobody in it is real, and nothing happens but what a test does."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.foster.init.plugins.module_utils.supervisor.tracking.proc import Stat

MAIN = 100


def member(pid: int, parent: int = 1, began: int = 1) -> Stat:
    return Stat(pid, "S", parent, pid, pid, began, "x")


class Timer:
    def __init__(self, action) -> None:
        self.action = action

    def cancel(self) -> None:
        self.action = None


class Instance:
    """The ``Surroundings`` of a watcher, and its loop."""

    def __init__(self) -> None:
        self.loop = self
        self.time = 0.0
        self.family = [member(MAIN)]
        self.told: list[tuple[object, ...]] = []
        self.warnings: list[str] = []
        self.signals: list[tuple[int, int]] = []
        self.commands: list[str] = []
        self.timers: list[Timer] = []
        self.watched: dict[int, object] = {}

    # ---- the loop -----------------------------------------------------------------------------------------------

    def now(self) -> float:
        return self.time

    def call_later(self, _seconds: float, action) -> Timer:
        self.timers.append(Timer(action))
        return self.timers[-1]

    def watch(self, descriptor: int, _events: int, callback) -> None:
        self.watched[descriptor] = callback

    def unwatch(self, descriptor: int) -> None:
        self.watched.pop(descriptor, None)

    def fire(self) -> None:
        """Let every timer run out that is set now."""
        due, self.timers = self.timers, []
        for timer in due:
            if timer.action is not None:
                timer.action()

    def readable(self) -> None:
        """Say of every watched descriptor that there is something to be read."""
        for callback in list(self.watched.values()):
            callback(1)

    # ---- the surroundings ---------------------------------------------------------------------------------------

    def members(self):
        return list(self.family)

    def belongs(self, pid: int) -> bool:
        return any(each.pid == pid for each in self.family)

    def ended_between(self, _session: int, _successor: int) -> int:
        return 0

    def stopped(self, _pid: int) -> bool:
        return False

    def moved(self, choice) -> None:
        self.told.append(("moved", choice.pid))

    def ready(self, choice) -> None:
        self.told.append(("ready", choice.pid))

    def never(self, reason: str) -> None:
        self.told.append(("never", reason))

    def extend(self, seconds: float) -> None:
        self.told.append(("extend", seconds))

    def run(self, command: str) -> int:
        self.commands.append(command)
        return 500 + len(self.commands)

    def signal(self, pid: int, number: int, group: bool = False) -> None:
        self.signals.append((pid, number))

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture
def instance() -> Instance:
    return Instance()


@pytest.fixture
def job():
    def make(kind: str, argument: str = "", watchdog: float = 0.0) -> SimpleNamespace:
        return SimpleNamespace(expect=SimpleNamespace(kind=kind, argument=argument), watchdog=watchdog)

    return make
