# SPDX-License-Identifier: GPL-3.0-or-later
"""``expect check``: what its command's end means, and when it means nothing any more."""

from __future__ import annotations

import signal

import pytest
from ansible_collections.foster.init.plugins.module_utils.supervisor.readiness.check import Check

MAIN = 100


@pytest.fixture
def check(instance, job):
    made = Check(job("check", "true"))
    made.attach(instance, MAIN)
    made.begin()
    return made


def test_ready_when_the_command_has_succeeded(check, instance):
    assert instance.commands == ["true"]
    check.helper_ended(501, 0)
    assert instance.told == [("ready", MAIN)]


def test_it_is_run_again_after_a_failure_and_its_status_is_told(check, instance):
    check.helper_ended(501, 3)
    assert instance.told == []
    assert check.waits_for().endswith("the last time it exited with status 3")
    instance.fire()
    assert instance.commands == ["true", "true"]
    check.helper_ended(502, 0)
    assert instance.told == [("ready", MAIN)]


def test_a_command_that_hangs_is_killed(check, instance):
    instance.fire()
    assert instance.signals == [(501, signal.SIGKILL)]
    check.helper_ended(501, None)
    assert "killed after 10 seconds" in check.waits_for()


def test_a_success_after_the_end_of_the_main_process_says_nothing_about_the_next_one(check, instance):
    """The dead process was taken for the main one of the respawned job, and the next stop waited for it in vain."""
    check.cancel()
    assert instance.signals == [(501, signal.SIGKILL)]
    check.helper_ended(501, 0)
    instance.fire()
    assert instance.told == []
