# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditions as they come over D-Bus, shown as job files write them."""

from __future__ import annotations

from ansible_collections.foster.init.plugins.module_utils.cli.conditions import enumerate_events, infix, problems

AND_OR = [["foo", "A=1"], ["bar"], ["baz"], ["/AND"], ["/OR"]]


def test_operators_are_written_between_their_operands() -> None:
    assert infix(AND_OR) == "(foo A=1 or (bar and baz))"


def test_a_single_event_has_no_parentheses() -> None:
    assert infix([["started", "web", "X=2"]]) == "started web X=2"


def test_no_condition_is_empty() -> None:
    assert infix([]) == ""
    assert problems([], set(), set(), set()) == []


def test_enumeration_tells_the_job_from_the_variables() -> None:
    condition = [["started", "web", "X=2"], ["stopped", "A=1", "JOB=db"], ["/OR"], ["net", "lo"], ["/AND"]]
    assert list(enumerate_events(condition)) == [
        "started (job: web, env: X=2)",
        "stopped (job: db, env: A=1)",
        "net (job:, env: lo)",
    ]


def test_an_event_that_nobody_emits_is_reported() -> None:
    assert problems([["foo"]], set(), {"bar"}, set()) == ["unknown event foo"]


def test_a_glob_of_emits_a_job_event_and_an_ignored_event_are_known() -> None:
    condition = [["net-up"], ["started", "web"], ["/AND"], ["mine"], ["/AND"], ["startup"], ["/AND"]]
    assert problems(condition, {"web"}, {"net-*"}, {"mine"}) == []


def test_an_unknown_job_is_reported_but_for_a_variable() -> None:
    assert problems([["started", "web"]], set(), set(), set()) == ["unknown job web"]
    assert problems([["started", "$JOB"]], set(), set(), set()) == []


def test_one_reachable_side_of_or_is_enough_unless_warnings_are_wanted() -> None:
    condition = [["startup"], ["foo"], ["/OR"]]
    assert problems(condition, set(), set(), set()) == []
    assert problems(condition, set(), set(), set(), strict=True) == ["unknown event foo"]


def test_an_unreachable_operator_below_a_reachable_one_is_reported() -> None:
    condition = [["startup"], ["foo"], ["bar"], ["/AND"], ["/OR"]]
    assert problems(condition, set(), {"bar"}, set()) == ["unknown event foo"]
