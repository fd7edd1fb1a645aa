# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made of what a tracer is told, in every order that a busy machine may bring; the kernel only tells."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
from ansible_collections.foster.init.plugins.module_utils.processes.trace import follow, ptrace
from ansible_collections.foster.init.plugins.module_utils.processes.trace.follow import Follow
from ansible_collections.foster.init.plugins.module_utils.processes.trace.record import Record

FIRST, CHILD, THREAD = 2**22 + 1, 2**22 + 2, 2**22 + 3  # above any pid
STARTED = ptrace.EVENT_STOP << 16 | signal.SIGTRAP << 8 | 0x7F


def born(event: int) -> int:
    return event << 16 | signal.SIGTRAP << 8 | 0x7F


class Told:
    """The statuses that waitpid has; (tid, status, message of the event) each."""

    def __init__(self) -> None:
        self.record = Record()
        self.follow = Follow(self.record, FIRST, "x")
        self.statuses: list[tuple[int, int, int]] = []
        self.message = 0
        self.gone_on: list[int] = []

    def waitpid(self, _pid: int, _options: int) -> tuple[int, int]:
        if not self.statuses:
            return 0, 0
        tid, status, self.message = self.statuses.pop(0)
        return tid, status

    def step(self, *statuses: tuple[int, int, int]) -> None:
        self.statuses = list(statuses)
        self.follow.step()

    def events(self) -> list[tuple[str, int]]:
        return [(event.kind, event.pid) for event in self.record.events[1:]]


@pytest.fixture
def told(monkeypatch: Any) -> Told:
    it = Told()
    monkeypatch.setattr(os, "waitpid", it.waitpid)
    monkeypatch.setattr(ptrace, "event_message", lambda _tid: it.message)
    monkeypatch.setattr(ptrace, "go_on", lambda tid, _signal=0: it.gone_on.append(tid))
    monkeypatch.setattr(os.path, "exists", lambda path: path == f"/proc/{FIRST}/task/{THREAD}")
    monkeypatch.setattr(follow, "_relations", lambda tid: (FIRST, 1) if tid == THREAD else (tid, FIRST))
    return it


@pytest.mark.parametrize("first", ["the parent's event", "the child's stop"])
def test_a_child_goes_on_whoever_is_heard_of_first(told: Told, first: str) -> None:
    statuses = [(FIRST, born(ptrace.EVENT_FORK), CHILD), (CHILD, STARTED, 0)]
    told.step(*(statuses if first == "the parent's event" else reversed(statuses)), (CHILD, 3 << 8, 0))
    assert told.events() == [("fork", CHILD), ("exit", CHILD)]
    assert sorted(told.gone_on) == [FIRST, CHILD]


@pytest.mark.parametrize("stops", [True, False])
def test_a_child_that_is_killed_before_its_parent_tells_of_it_has_ended(told: Told, stops: bool) -> None:
    """It was there for ever, and nothing ended it."""
    told.step(*([(CHILD, STARTED, 0)] if stops else []), (CHILD, signal.SIGKILL, 0))
    told.step((FIRST, born(ptrace.EVENT_FORK), CHILD))
    assert told.events() == [("fork", CHILD), ("exit", CHILD)]
    assert told.record.events[-1].status == -signal.SIGKILL
    assert told.follow.living() == [FIRST]


def test_an_end_is_not_taken_for_that_of_a_later_process_with_the_same_number(told: Told) -> None:
    told.step((CHILD, signal.SIGKILL, 0))
    told.step((CHILD, STARTED, 0), (FIRST, born(ptrace.EVENT_FORK), CHILD))
    assert told.events() == [("fork", CHILD)]


@pytest.mark.parametrize(("new", "event", "kind"), [(CHILD, "FORK", "fork"), (THREAD, "CLONE", "thread")])
def test_who_is_taken_as_it_is_counts_once_though_its_parent_tells_of_it_later(
    told: Told, new: int, event: str, kind: str
) -> None:
    """A thread did not count at all."""
    told.step((new, STARTED, 0))
    while new not in told.gone_on:
        told.step()
    told.step((FIRST, born(getattr(ptrace, f"EVENT_{event}")), new))
    assert told.events() == [(kind, CHILD if kind == "fork" else FIRST)]
