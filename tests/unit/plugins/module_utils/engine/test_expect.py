# SPDX-License-Identifier: GPL-3.0-or-later
"""A start that waits for more than its process: `expect`, `start timeout` and `ready on`."""

from __future__ import annotations

import pytest
from ansible_collections.foster.init.plugins.module_utils.engine.messages import ProcessExited
from ansible_collections.foster.init.plugins.module_utils.job.model import ProcessKind
from driver import MAIN, Driver

END = ["StateChanged stopping", "StateChanged killed", "StateChanged post-stop", "StateChanged waiting"]


def test_expect_holds_spawned_until_it_is_ready() -> None:
    host = Driver("f: exec x; expect fork")
    request = host.start("f")
    assert (host.status("f"), host.answer(request)) == ("start/spawned", "")
    host.ready("f", pid=4711)
    assert (host.status("f"), host.answer(request)) == ("start/running", "ok")
    assert host.instance("f").processes == {MAIN: 4711}


def test_stop_of_a_job_that_never_becomes_ready_ends_it() -> None:
    """We differ: Upstart stays in spawned and blocks for ever."""
    host = Driver("f0: exec x; expect fork")
    start = host.start("f0")
    stop = host.stop("f0")
    assert (host.answer(start), host.answer(stop), host.status("f0")) == ("ok", "ok", "stop/waiting")
    assert host.of("f0")[4:] == ["GoalChanged stop", *END]
    assert [signal.signal for signal in host.signals] == ["TERM"]


def test_stop_before_the_process_was_executed_waits_for_that_and_then_ends_it() -> None:
    host = Driver("f: exec x; expect fork")
    host.held_spawns.add(("f", MAIN))
    host.start("f")
    stop = host.stop("f")
    assert host.status("f") == "stop/spawned"
    host.spawned("f")
    assert (host.answer(stop), host.status("f")) == ("ok", "stop/waiting")


@pytest.mark.parametrize(("code", "answer"), [(0, "ok"), (2, "Job failed to start")])
def test_main_that_ends_before_the_expected_fork(code: int, answer: str) -> None:
    host = Driver("f: exec x; expect fork")
    request = host.start("f")
    host.exit("f", code=code)
    assert (host.answer(request), host.status("f")) == (answer, "stop/waiting")


def test_main_that_dies_before_the_expected_fork_is_respawned() -> None:
    """Upstart goes on to running without a process; ours starts it again."""
    host = Driver("f: exec x; expect fork; respawn")
    host.start("f")
    host.exit("f", code=1)
    assert host.status("f") == "start/spawned"
    assert MAIN in host.instance("f").processes


def test_start_timeout_fails_the_start() -> None:
    host = Driver("f: exec x; expect notify; start timeout 30")
    request = host.start("f")
    host.fire("start", "f")
    assert (host.answer(request), host.status("f")) == ("Job failed to start", "stop/waiting")
    assert host.warnings
    assert not host.timers


def test_start_timeout_covers_the_respawns_of_a_start() -> None:
    """A start whose process ended again and again before it was ready, but not too fast, was never answered."""
    host = Driver("f: exec x; expect notify; start timeout 30; respawn; respawn delay 5; post-stop exec z")
    request = host.start("f")
    due = host.timers[("f", ""), "start"]
    host.now += 20
    host.exit("f", code=1)
    host.exit("f", ProcessKind.POST_STOP)
    host.fire("respawn", "f")
    assert (host.status("f"), host.timers[("f", ""), "start"]) == ("start/spawned", due)
    host.exit("f", code=1)
    host.fire("start", "f")  # while its post-stop runs
    assert (host.answer(request), host.status("f")) == ("Job failed to start", "stop/post-stop")
    host.exit("f", ProcessKind.POST_STOP)
    assert (host.status("f"), host.timers) == ("stop/waiting", {})


def test_a_start_during_a_stop_has_the_whole_start_timeout() -> None:
    host = Driver("f: exec x; expect notify; start timeout 30; respawn; post-stop exec z")
    host.start("f")
    host.exit("f", code=1)
    host.stop("f", wait=False)
    assert host.timers == {}
    request = host.start("f")
    host.exit("f", ProcessKind.POST_STOP)
    host.ready("f")
    assert (host.answer(request), host.status("f"), host.timers) == ("ok", "start/running", {})


def test_start_timeout_is_cancelled_when_ready() -> None:
    host = Driver("f: exec x; expect notify; start timeout 30")
    host.start("f")
    host.ready("f")
    assert not host.timers


def test_ready_on_holds_spawned_until_the_condition_has_come_true() -> None:
    host = Driver("f: exec x; ready on up JOB=f")
    request = host.start("f")
    host.emit("up", "JOB=g")
    assert host.status("f") == "start/spawned"
    assert host.answer(host.emit("up", "JOB=f")) == "ok"
    assert (host.status("f"), host.answer(request)) == ("start/running", "ok")


def test_exit_of_a_process_that_is_no_longer_main_is_ignored() -> None:
    host = Driver("f: exec x; expect fork")
    host.start("f")
    first = host.instance("f").processes[MAIN]
    host.ready("f", pid=first + 1)
    host.put(ProcessExited(("f", ""), MAIN, first, 0))
    assert host.status("f") == "start/running"
