# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of fosterd."""

from __future__ import annotations

import pytest
from ansible_collections.foster.init.plugins.module_utils.supervisor.options import Options, UsageError
from ansible_collections.foster.init.plugins.module_utils.supervisor.reexec import arguments_with_state


def test_values_follow_their_option_or_an_equals_sign():
    options = Options(["--confdir", "/a", "--confdir=/b", "--logdir", "/l", "--debug"])
    assert (options.confdirs, options.logdir, options.given) == (["/a", "/b"], "/l", {"--debug"})


@pytest.mark.parametrize("words", [["--nonsense"], ["--confdir"], ["stray"], ["--state-fd", "x"], ["--"]])
def test_what_cannot_be_understood_is_one_sentence(words):
    with pytest.raises(UsageError) as caught:
        Options(words)
    assert "\n" not in str(caught.value)


def test_what_follows_two_dashes_is_a_command_and_no_option():
    options = Options(["--debug", "--", "server", "--debug", "--", "x"])
    assert (options.given, options.command) == ({"--debug"}, ["server", "--debug", "--", "x"])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["fosterd", "--debug"], ["fosterd", "--debug", "--state-fd", "7"]),
        (["fosterd", "--state-fd", "3", "--user"], ["fosterd", "--user", "--state-fd", "7"]),
        (["fosterd", "--", "server", "--state-fd"], ["fosterd", "--state-fd", "7", "--", "server", "--state-fd"]),
    ],
)
def test_the_next_program_gets_the_state_in_front_of_the_command(before, after):
    assert arguments_with_state("\0".join([*before, ""]).encode(), 7) == after
