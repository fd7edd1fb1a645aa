# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line is read as Upstart's clients read theirs."""

from __future__ import annotations

import pytest
from ansible_collections.foster.init.plugins.module_utils.cli.options import Option, UsageError, parse
from hypothesis import given
from hypothesis import strategies as st

OPTIONS = (Option("no-wait", "n"), Option("quiet", "q"), Option("ignore-events", "i", "EVENTS"))


def test_options_stand_anywhere_among_the_words() -> None:
    assert parse(["web", "--no-wait", "A=1", "-q"], OPTIONS) == ({"no-wait": True, "quiet": True}, ["web", "A=1"])


def test_letters_can_be_joined_and_carry_a_value() -> None:
    assert parse(["-nqia,b"], OPTIONS)[0] == {"no-wait": True, "quiet": True, "ignore-events": "a,b"}


@pytest.mark.parametrize("words", [["--ignore-events=a"], ["--ignore-events", "a"], ["-i", "a"], ["-ia"]])
def test_a_value_is_joined_or_the_next_word(words: list[str]) -> None:
    assert parse(words, OPTIONS) == ({"ignore-events": "a"}, [])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--bogus"], "invalid option: --bogus"),
        (["-x"], "invalid option: -x"),
        (["--quiet=1"], "unexpected argument: --quiet=1"),
        (["--ignore-events"], "missing argument: --ignore-events"),
    ],
)
def test_a_wrong_option_is_named(words: list[str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        parse(words, OPTIONS)


def test_stopping_at_the_first_word_leaves_the_options_of_the_verb() -> None:
    assert parse(["-q", "start", "-n"], OPTIONS, stop_at_first=True) == ({"quiet": True}, ["start", "-n"])


@given(st.lists(st.text()))
def test_after_two_dashes_every_word_is_an_argument(words: list[str]) -> None:
    assert parse(["--", *words], OPTIONS) == ({}, words)
