# SPDX-License-Identifier: GPL-3.0-or-later
"""Respawn: what counts as failure, limits, delays."""

from __future__ import annotations

import pytest
from ansible_collections.foster.init.plugins.module_utils.job.model import ProcessKind
from driver import MAIN, Driver


def test_a_respawn_runs_post_stop_and_pre_start_and_emits_no_stopped() -> None:
    host = Driver("r: respawn; exec x; pre-start exec y; post-stop exec z")
    host.start("r")
    host.exit("r", ProcessKind.PRE_START)
    host.take()
    host.kill("r")
    host.exit("r", ProcessKind.POST_STOP)
    host.exit("r", ProcessKind.PRE_START)
    assert host.status("r") == "start/running"
    assert host.of("r") == [
        "StateChanged stopping", "StateChanged killed", "StateChanged post-stop", "StateChanged starting",
        "StateChanged pre-start", "StateChanged spawned", "StateChanged post-start", "StateChanged running",
    ]  # fmt: skip
    assert [event.split()[0] for event in host.events()] == ["stopping", "starting", "started"]
    assert host.events()[0] == "stopping [JOB=r INSTANCE= RESULT=ok]"


def test_the_limit_allows_that_many_respawns_and_then_stops() -> None:
    host = Driver("r: respawn; respawn limit 3 10; exec x")
    host.start("r")
    for _unused in range(3):
        host.kill("r")
        assert host.status("r") == "start/running"
    host.kill("r")
    assert host.status("r") == "stop/waiting"
    assert "Failed 0" in host.of("r")
    assert "stopped [JOB=r INSTANCE= RESULT=failed PROCESS=respawn]" in host.events()


def test_the_limit_counts_anew_after_the_interval() -> None:
    host = Driver("r: respawn; respawn limit 1 10; exec x")
    host.start("r")
    for _unused in range(5):
        host.kill("r")
        host.now += 10
    assert host.status("r") == "start/running"


@pytest.mark.parametrize("limit", ["unlimited", "0 0", "0 5"])
def test_no_limit(limit: str) -> None:
    host = Driver(f"r: respawn; respawn limit {limit}; exec x")
    host.start("r")
    for _unused in range(30):
        host.exit("r", code=1)
    assert host.status("r") == "start/running"


def test_exit_0_respawns_a_service_and_ends_a_task() -> None:
    host = Driver("s: respawn; exec x", "t: respawn; task; exec x")
    host.start("s")
    request = host.start("t")
    host.exit("s")
    host.exit("t", code=1)
    assert host.answer(request) == ""
    host.exit("t")
    assert (host.status("s"), host.status("t"), host.answer(request)) == ("start/running", "stop/waiting", "ok")


@pytest.mark.parametrize("end", ["0", "3", "TERM"])
def test_normal_exit_ends_a_respawning_job_without_failure(end: str) -> None:
    host = Driver("a: respawn; normal exit 0 3 TERM; exec x")
    host.start("a")
    if end.isdigit():
        host.exit("a", code=int(end))
    else:
        host.kill("a", end)
    assert "stopped [JOB=a INSTANCE= RESULT=ok]" in host.events()


def test_without_respawn_exit_0_is_ok_and_anything_else_failed() -> None:
    host = Driver("b: exec x")
    host.start("b")
    host.exit("b")
    assert "stopped [JOB=b INSTANCE= RESULT=ok]" in host.events()
    host.start("b")
    host.exit("b", code=3)
    assert "stopped [JOB=b INSTANCE= RESULT=failed PROCESS=main EXIT_STATUS=3]" in host.events()


def test_a_pre_start_that_fails_during_a_respawn_stops_the_job() -> None:
    host = Driver("r: respawn; exec x; pre-start exec y")
    host.start("r")
    host.exit("r", ProcessKind.PRE_START)
    host.kill("r")
    host.exit("r", ProcessKind.PRE_START, code=1)
    assert host.status("r") == "stop/waiting"


def test_a_permanent_failure_is_not_respawned() -> None:
    host = Driver("r: respawn; permanent failure 78; exec x")
    host.start("r")
    host.exit("r", code=1)
    assert host.status("r") == "start/running"
    host.exit("r", code=78)
    assert host.status("r") == "stop/waiting"
    assert "stopped [JOB=r INSTANCE= RESULT=failed PROCESS=main EXIT_STATUS=78]" in host.events()


def test_the_delay_grows_to_its_cap_and_begins_anew_after_a_good_run() -> None:
    host = Driver("r: respawn; respawn limit unlimited; respawn delay 1 5; exec x")
    host.start("r")
    delays = []
    for run in (0, 0, 0, 0, 100, 0):
        host.now += run
        host.exit("r", code=1)
        assert host.status("r") == "start/post-stop"
        delays.append(host.timers[(("r", ""), "respawn")] - host.now)
        host.fire("respawn", "r")
        assert host.status("r") == "start/running"
    assert delays == [1, 2, 4, 5, 1, 2]


def test_a_stop_during_the_delay_ends_it() -> None:
    host = Driver("r: respawn; respawn delay 10 60; exec x")
    host.start("r")
    host.exit("r", code=1)
    assert host.answer(host.stop("r")) == "ok"
    assert (host.status("r"), host.timers) == ("stop/waiting", {})


def test_a_restart_during_the_delay_starts_at_once() -> None:
    host = Driver("r: respawn; respawn delay 10 60; exec x")
    host.start("r")
    host.exit("r", code=1)
    assert host.answer(host.restart("r", "A=1")) == "ok"
    assert (host.status("r"), host.timers) == ("start/running", {})
    assert host.environment_of("r", MAIN)["A"] == "1"
