# SPDX-License-Identifier: GPL-3.0-or-later
"""Matching one event, and which job an index finds for it."""

from __future__ import annotations

import pytest
from ansible_collections.foster.init.plugins.module_utils.engine.condition import (
    Tree,
    event_matches,
    keys_of,
    listeners,
)
from ansible_collections.foster.init.plugins.module_utils.engine.event import Event, EventQueue
from ansible_collections.foster.init.plugins.module_utils.job.model import And, Match, Or


@pytest.mark.parametrize(
    ("arguments", "env", "expected"),
    [
        ((), ("X=1",), True),
        (("X=fo*",), ("X=foobar",), True),
        (("X=fo*",), (), False),
        (("X!=foo",), ("X=foo",), False),
        (("X!=foo",), ("X=bar",), True),
        (("X!=foo",), (), False),  # a missing variable never matches
        (("W=",), ("W=",), True),
        (("W=",), ("W=1",), False),
        (("W=",), (), False),
        (("pos1", "Z=3"), ("X=pos1", "Z=3"), True),
        (("pos1", "Z=3"), ("Z=3", "X=pos1"), False),
        (("*", "*", "3"), ("X=1", "Y=2", "Z=3"), True),
        (("*", "*", "3"), ("X=1", "Y=2"), False),
        (("Y=2", "3"), ("X=1", "Y=2", "Z=3"), True),  # goes on from the variable that was named
        (("Y=2", "1"), ("X=1", "Y=2", "Z=3"), False),
        (("X=$WANT",), ("X=zed",), False),
        (("", "9"), ("A=1", "B=9"), False),
    ],
)
def test_arguments(arguments: tuple[str, ...], env: tuple[str, ...], expected: bool) -> None:
    assert event_matches(Match("ev", arguments), Event(1, "ev", env)) is expected


def test_names_match_exactly() -> None:
    assert not event_matches(Match("ev*"), Event(1, "event", ()))


def test_a_value_is_expanded_from_the_environment_given() -> None:
    match = Match("kill", ("N=$N",))
    assert event_matches(match, Event(1, "kill", ("N=b",)), ("N=b",))
    assert not event_matches(match, Event(1, "kill", ("N=b",)), ("N=a",))


@pytest.mark.parametrize("arguments", [(), ("a",), ("JOB=a",), ("JOB=[ab]",), ("JOB!=b",), ("a", "X=1"), ("$N",)])
def test_the_index_finds_whatever_matches(arguments: tuple[str, ...]) -> None:
    match = Match("started", arguments)
    event = Event(1, "started", ("JOB=a", "INSTANCE=", "X=1"))
    if event_matches(match, event, ("N=a",)):
        assert listeners(match) & set(keys_of(event))


def test_the_index_passes_over_another_job() -> None:
    assert not listeners(Match("started", ("b",))) & set(keys_of(Event(1, "started", ("JOB=a",))))


def test_a_tree_holds_what_it_took_and_lets_go_on_reset() -> None:
    queue = EventQueue()
    tree = Tree(And(Match("a"), Or(Match("b"), Match("c"))), queue)
    events = [queue.new(name, ()) for name in ("a", "c", "b")]
    assert tree.handle(events[0]) and not tree.true
    assert tree.handle(events[1]) and tree.true
    assert tree.handle(events[2])  # a later branch is held as well
    assert [event.name for event in tree.events()] == ["a", "b", "c"]
    assert [event.holders for event in events] == [1, 1, 1]
    tree.reset()
    assert not tree.true
    assert [event.holders for event in events] == [0, 0, 0]


def test_half_of_an_and_has_no_part_in_what_the_other_branch_caused() -> None:
    queue = EventQueue()
    tree = Tree(Or(And(Match("x"), Match("y")), Match("z")), queue)
    for name in ("x", "z"):
        tree.handle(queue.new(name, ()))
    assert tree.true
    assert [event.name for event in tree.events()] == ["z"]


def test_a_thousand_branches_need_no_recursion() -> None:
    condition = Match("e0")
    for number in range(1, 3000):
        condition = Or(condition, Match(f"e{number}"))  # type: ignore[assignment]
    queue = EventQueue()
    tree = Tree(condition, queue)
    tree.handle(queue.new("e1500", ()))
    assert tree.true
