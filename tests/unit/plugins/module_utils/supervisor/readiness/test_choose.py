# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of several processes is the main one, and how sure that is."""

from __future__ import annotations

from ansible_collections.foster.init.plugins.module_utils.supervisor.readiness.choose import (
    CERTAIN,
    GUESS,
    LIKELY,
    Choice,
    choose,
    heads,
)  # fmt: skip
from ansible_collections.foster.init.plugins.module_utils.supervisor.tracking.proc import Stat
from hypothesis import given
from hypothesis import strategies as st


def member(pid: int, parent: int = 1, began: int = 0) -> Stat:
    return Stat(pid, "S", parent, pid, pid, began, "x")


def nobody(_pids: list[int]):
    raise AssertionError("no pidfile is to be looked for where there is no doubt")


def test_there_is_nobody():
    assert choose([], pidfile=nobody) is None


def test_who_is_alone_is_certain():
    found = choose([member(5)], pidfile=nobody)
    assert found is not None
    assert found[:2] == (5, CERTAIN)


def test_who_was_named_comes_first():
    named = Choice(7, CERTAIN, "it listens")
    assert choose([member(5), member(7, 5)], named, nobody) is named


def test_who_was_named_and_is_not_there_does_not_count():
    found = choose([member(5), member(6, 5)], Choice(7, CERTAIN, "it listens"), nobody)
    assert found is not None
    assert found.pid == 5


def test_the_one_from_which_all_others_descend_is_likely():
    found = choose([member(9, 8), member(8, 5), member(5), member(6, 5)], pidfile=nobody)
    assert found is not None
    assert found[:2] == (5, LIKELY)
    assert "the other 3" in found.reason


def test_a_pidfile_decides_between_those_beside_each_other():
    asked: list[list[int]] = []

    def pidfile(pids):
        asked.append(pids)
        return Choice(6, CERTAIN, "/run/x.pid names it")

    found = choose([member(5), member(6), member(7, 6)], pidfile=pidfile)
    assert found is not None
    assert found[:2] == (6, CERTAIN)
    assert asked == [[5, 6, 7]]


def test_the_oldest_is_a_guess_and_the_smaller_pid_where_both_began_at_once():
    found = choose([member(5, began=3), member(6, began=2), member(4, began=9)])
    assert found is not None
    assert found[:2] == (6, GUESS)
    assert "oldest of 3" in found.reason
    assert [each.pid for each in heads([member(9), member(8)])] == [8, 9]


@given(st.lists(st.tuples(st.integers(2, 9), st.integers(1, 9), st.integers(0, 3)), unique_by=lambda each: each[0]))
def test_somebody_is_chosen_whoever_is_there(family):
    members = [member(*each) for each in family]
    if all(parent == pid for pid, parent, _began in family):
        return  # nobody is their own parent
    found = choose([each for each in members if each.parent != each.pid])
    assert found is not None
    assert found.pid in [each.pid for each in members]
