# SPDX-License-Identifier: GPL-3.0-or-later
"""How a failure reads, in a task and on the command line."""

from __future__ import annotations

import errno

import pytest
from ansible_collections.foster.init.plugins.module_utils.ansible.failure import how
from ansible_collections.foster.init.plugins.module_utils.cli.change import failure_text


@pytest.mark.parametrize(
    ("failure", "task", "command"),
    [
        ({"process": "main", "exit_status": 3}, "its main process ended with exit status 3",
         "the main process of web exited with status 3"),
        ({"process": "main", "exit_status": 3, "too_often": True},
         "its main process ended with exit status 3, more often than its respawn limit allows",
         "the main process of web exited with status 3, more often than its respawn limit allows"),
        ({"process": "main", "signal": 11, "too_often": True},
         "its main process was ended by signal 11, more often than its respawn limit allows",
         "the main process of web was killed by signal 11, more often than its respawn limit allows"),
        ({"process": "pre-start", "step": "exec", "errno": errno.ENOENT},
         "its pre-start process could not be started, because the step exec failed: there is no such program",
         "the pre-start process of web could not be started: exec: No such file or directory"),
        ({"process": "main", "timeout": "start", "waited_for": "one of its processes to listen at 80"},
         "its main process was not ready within its start timeout; it waited for one of its processes to listen at 80",
         "the main process of web was not ready within its start timeout; it waited for one of its processes to listen "
         "at 80"),
        ({"process": "main", "timeout": "start"}, "its main process was not ready within its start timeout",
         "the main process of web was not ready within its start timeout"),
        ({"process": "main", "never": "descriptor 3 was closed without a newline"},
         "its main process could not become ready any more: descriptor 3 was closed without a newline",
         "the main process of web could not become ready any more: descriptor 3 was closed without a newline"),
    ],
)  # fmt: skip
def test_a_failure_is_told_as_the_end_of_a_sentence(failure, task, command):
    assert (how(failure), failure_text("web", failure)) == (task, command)
