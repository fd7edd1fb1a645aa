# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of fosterd."""

from __future__ import annotations

import pytest
from ansible_collections.foster.init.plugins.module_utils.supervisor.options import Options, UsageError


def test_values_follow_their_option_or_an_equals_sign():
    options = Options(["--confdir", "/a", "--confdir=/b", "--logdir", "/l", "--debug"])
    assert (options.confdirs, options.logdir, options.given) == (["/a", "/b"], "/l", {"--debug"})


@pytest.mark.parametrize("words", [["--nonsense"], ["--confdir"], ["stray"], ["--state-fd", "x"]])
def test_what_cannot_be_understood_is_one_sentence(words):
    with pytest.raises(UsageError) as caught:
        Options(words)
    assert "\n" not in str(caught.value)
