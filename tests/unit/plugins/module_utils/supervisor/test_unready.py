# SPDX-License-Identifier: GPL-3.0-or-later
"""The task, the command line and explain tell of a failure in the same words."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.foster.init.plugins.module_utils.ansible.failure import how
from ansible_collections.foster.init.plugins.module_utils.cli.change import failure_text
from ansible_collections.foster.init.plugins.module_utils.supervisor.explain import _failure

FAILURES = [
    ({"timeout": "start"}, "was not ready within its start timeout"),
    (
        {"timeout": "start", "waited_for": "two forks"},
        "was not ready within its start timeout; it waited for two forks",
    ),
    ({"never": "its bus has gone"}, "could not become ready any more: its bus has gone"),
    ({"never": ""}, "could not become ready any more"),
]


@pytest.mark.parametrize(("failure", "words"), FAILURES)
def test_what_kept_it_from_becoming_ready(failure: dict[str, Any], words: str) -> None:
    told = {"process": "main", **failure}
    assert how(told) == f"its main process {words}"
    assert failure_text("web", told) == f"the main process of web {words}"
    assert _failure(told) == f"it {words}"


def test_one_end_too_many() -> None:
    told = {"process": "main", "exit_status": 3, "too_often": True}
    for words in (how(told), failure_text("web", told), _failure(told)):
        assert words.endswith("status 3, more often than its respawn limit allows")
