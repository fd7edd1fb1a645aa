# SPDX-License-Identifier: GPL-3.0-or-later
"""Schedules of signals as data."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.foster.init.plugins.module_utils.processes.schedule import (
    Schedule,
    ScheduleError,
    Send,
    Wait,
    default,
    parse,
    signal_number,
)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("30", (Send(15), Wait(30), Send(9), Wait(30))),
        ("0", (Send(15), Wait(0), Send(9), Wait(0))),
        (" 5 ", (Send(15), Wait(5), Send(9), Wait(5))),
        ("TERM/30/KILL/5", (Send(15), Wait(30), Send(9), Wait(5))),
        ("-TERM/30/-KILL/5", (Send(15), Wait(30), Send(9), Wait(5))),
        ("SIGINT/1/sigquit/2", (Send(2), Wait(1), Send(3), Wait(2))),
        ("-15/1/-9/2", (Send(15), Wait(1), Send(9), Wait(2))),
        ("TERM/5/KILL", (Send(15), Wait(5), Send(9), Wait(5))),
        ("10/TERM/5", (Wait(10), Send(15), Wait(5))),
        ("RTMIN+3/1", (Send(37), Wait(1))),
    ],
)
def test_a_schedule(text: str, steps: tuple[object, ...]) -> None:
    assert parse(text) == Schedule(steps)  # type: ignore[arg-type]


def test_a_lone_number_begins_with_the_signal_of_the_task() -> None:
    assert parse("3", 2).steps == (Send(2), Wait(3), Send(9), Wait(3))
    assert default(2).steps[0] == Send(2)


def test_forever_repeats_what_follows() -> None:
    endless = itertools.islice(parse("INT/1/forever/TERM/2"), 8)
    assert list(endless) == [Send(2), Wait(1), *[Send(15), Wait(2)] * 3]


@pytest.mark.parametrize(
    "text",
    ["", "TERM", "TERM/", "/5", "TERM//KILL/5", "FOO/5", "-5", "TERM/--5", "5s", "1.5", "0x10", "TERM/99999999999",
     "forever", "TERM/5/forever", "TERM/5/forever/forever/KILL/5", "TERM/5/forever/KILL", "RTMIN+99/1", "-0/5", "-65/5",
     "٣"],
)  # fmt: skip
def test_what_is_no_schedule_is_told_in_one_sentence(text: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "0", "65", "-1", "TERMINATE", "SIGSIG", "RTMIN-1", "99999999999999999999", "CLD+1"]
)
def test_there_is_no_such_signal(text: str) -> None:
    with pytest.raises(ScheduleError):
        signal_number(text)
