# SPDX-License-Identifier: GPL-3.0-or-later
"""A small sample of random process trees under every ``expect``; tree_campaign.py beside this tries thousands."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import running
from .places import PLACES, prefix
from .trees import EXPECTS, Trial, trees

SOURCE = Path(__file__).with_name("tree.c")


@pytest.fixture(scope="module")
def program() -> Iterator[str]:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        subprocess.run(["cc", "-o", f"{folder}/tree", SOURCE, "-lpthread"], check=True)
        yield f"{folder}/tree"


@pytest.mark.parametrize("place", ["cgroup2", "none", "user"])
def test_no_tree_is_stuck_or_leaves_anything_under_any_expect(place, program):
    if os.geteuid() != 0:
        pytest.skip("giving a supervisor its cgroups, or taking them away, needs root")
    with running(PLACES[place].user, prefix(place)) as supervisor:
        tokens = supervisor.folder / "tokens"
        tokens.mkdir()
        tokens.chmod(0o777)
        trial = Trial(str(supervisor.folder), program, supervisor.connect)
        seed = len(place)  # the same sample each time: what fails here fails again
        # Who forks and ends without a pause can outrun whoever looks for it; only a cgroup ends that for sure.
        sample = (tree for tree in trees(seed) if place == "cgroup2" or tree.words[-1] != "hop")
        assert trial.run(list(itertools.islice(sample, len(EXPECTS)))) == []
