# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of states."""

from __future__ import annotations

import itertools

from ansible_collections.foster.init.plugins.module_utils.engine import states
from ansible_collections.foster.init.plugins.module_utils.engine.states import Facts, next_state

ALL_FACTS = [Facts(*values) for values in itertools.product((False, True), repeat=3)]


def test_every_state_has_a_successor_for_every_goal_and_all_facts() -> None:
    for state, goal, facts in itertools.product(states.STATES, states.GOALS, ALL_FACTS):
        assert next_state(state, goal, facts) in states.STATES


def test_nothing_follows_itself_but_waiting() -> None:
    for state, goal, facts in itertools.product(states.STATES, states.GOALS, ALL_FACTS):
        if next_state(state, goal, facts) == state:
            assert (state, goal) == (states.WAITING, states.STOP)


def test_stop_leads_to_waiting_from_everywhere() -> None:
    for first, facts in itertools.product(states.STATES, ALL_FACTS):
        state = first
        for _unused in states.STATES:
            state = next_state(state, states.STOP, facts)
        assert state == states.WAITING


def test_start_leads_to_running_from_everywhere() -> None:
    for first in states.STATES:
        state, seen = first, []
        for _unused in states.STATES:
            state = next_state(state, states.START)
            seen.append(state)
        assert states.RUNNING in seen


def test_post_stop_lies_between_running_and_any_other_start() -> None:
    for facts in ALL_FACTS:
        for goal in (states.START, states.STOP):
            state, path = states.RUNNING, []
            while state not in (states.STARTING, states.WAITING):
                state = next_state(state, goal, facts)
                path.append(state)
            assert path[-2] == states.POST_STOP


def test_pre_stop_only_where_a_main_process_lives() -> None:
    assert next_state(states.RUNNING, states.STOP, Facts(main=True)) == states.PRE_STOP
    assert next_state(states.RUNNING, states.STOP, Facts(main=False)) == states.STOPPING


def test_security_only_with_a_profile() -> None:
    assert next_state(states.STARTING, states.START, Facts(profile=True)) == states.SECURITY
    assert next_state(states.STARTING, states.START) == states.PRE_START
