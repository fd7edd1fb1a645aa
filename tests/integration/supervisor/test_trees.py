# SPDX-License-Identifier: GPL-3.0-or-later
"""A small sample of random process trees under every ``expect``; tree_campaign.py beside this tries thousands."""

from __future__ import annotations

import itertools
import os

import pytest

from .conftest import running
from .places import PLACES, prefix
from .trees import EXPECTS, Trial, trees


@pytest.mark.parametrize("place", ["cgroup2", "none", "user"])
def test_no_tree_is_stuck_or_leaves_anything_under_any_expect(place, tree_program):
    if os.geteuid() != 0:
        pytest.skip("giving a supervisor its cgroups, or taking them away, needs root")
    with running(PLACES[place].user, prefix(place)) as supervisor:
        tokens = supervisor.folder / "tokens"
        tokens.mkdir()
        tokens.chmod(0o777)
        trial = Trial(str(supervisor.folder), tree_program, supervisor.connect)
        seed = len(place)  # the same sample each time: what fails here fails again
        assert trial.run(list(itertools.islice(trees(seed), len(EXPECTS)))) == []
        assert "left behind" not in supervisor.output()  # it says so when it has given up
