# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the program can be executed again."""

from __future__ import annotations

import sys

import pytest
from ansible_collections.foster.init.plugins.module_utils.supervisor import reexec


def test_a_program_that_is_there_can_be_executed_again(monkeypatch):
    monkeypatch.setattr(sys, "argv", [__file__])
    assert reexec.problem() is None


@pytest.mark.parametrize("gone", ["executable", "argv"])
def test_a_program_that_is_gone_is_told_before_everything_is_given_up(monkeypatch, tmp_path, gone):
    """An upgrade of Python takes the old one away: the supervisor ended, and nobody looked after the jobs."""
    path = str(tmp_path / "gone")
    monkeypatch.setattr(sys, "argv", [__file__])
    monkeypatch.setattr(sys, gone, [path] if gone == "argv" else path)
    assert reexec.problem() == f"{path} is not there any more, or cannot be used; install the supervisor again"
