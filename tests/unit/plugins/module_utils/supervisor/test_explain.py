# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said about a job: one sentence for each state that it can be in, and what has led to it."""

from __future__ import annotations

import errno
import json
import time

import pytest
from ansible_collections.foster.init.plugins.module_utils.engine.messages import Emit
from ansible_collections.foster.init.plugins.module_utils.supervisor.spawn import SpawnError
from ansible_collections.foster.init.plugins.module_utils.supervisor.tracking.proc import Stat
from fake_host import FIRST, Place


@pytest.fixture
def place(tmp_path):
    with open("/dev/null", "r+b", 0) as null:
        made = Place(tmp_path / "ledger", null.fileno())
        now = time.monotonic()
        made.loop.now = lambda: now  # it stands still, so that what is left of a time can be compared
        yield made
        made.loop.close()


def told(place: Place, job: str = "a") -> dict:
    return json.loads(place.host.explain(job, ""))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("exec x", "It runs; its main process is {main}"),
        ("expect auto\nexec x", "Its main process {main} runs, but is not ready: it waits for its processes to settle: "
         "`expect auto` follows them until none has forked and ended for a moment; it has no start timeout, so it "
         "waits until it is stopped"),
        ("expect daemon\nstart timeout 30\nexec x", "Its main process {main} runs, but is not ready: it waits for its "
         "main process to fork 2 times as `expect daemon` says; it has done so not at all so far (`expect none` would "
         "have fitted what was seen); the start fails in 30 seconds"),
        ("expect stop\nstart timeout 9\nexec x", "Its main process {main} runs, but is not ready: it waits for its "
         "main process to stop itself with SIGSTOP (`expect stop`); the start fails in 9 seconds"),
        ("expect listen 1\nstart timeout 9\nexec x", "Its main process {main} runs, but is not ready: it waits for one "
         "of its processes to listen at 1 (`expect listen`); the start fails in 9 seconds"),
        ("expect pidfile /nowhere/x.pid\nstart timeout 9\nexec x", "Its main process {main} runs, but is not ready: it "
         "waits for /nowhere/x.pid to be written; it does not exist; the start fails in 9 seconds"),
        ("pre-start exec y\nexec x", "Its pre-start process {main} runs; it goes on when that has ended"),
        ("ready on up A=1\nexec x", "It waits for the events of its ready on: up A=1"),
        ("start on never", "It runs without a main process, as its job has none"),
    ],
)  # fmt: skip
def test_what_is_said_of_an_instance(place, text, reason):
    place.define("a", f"{text}\n")
    place.start("a")
    assert told(place)["reason"] == reason.format(main=FIRST)


def test_a_stop_names_whom_it_waits_for(place, monkeypatch):
    place.define("a", "exec x\n")
    place.start("a")
    place.stop("a")
    said = f"It waits for its main process {FIRST} to end after the signal; of it live "
    assert told(place)["reason"] == f"{said}none"
    left = [Stat(77, "D", 1, 77, 77, 1, "dd")]
    monkeypatch.setattr(place.host.families, "members", lambda _key: left, raising=False)
    assert told(place)["reason"] == f"{said}77 (dd, state D)"
    assert "1 more of its processes live: 77 (dd)" in told(place)["details"]


def test_who_is_waited_for_before_it_may_start_is_named(place):
    place.define("b", "start on starting a\ntask\nexec y\n")
    place.define("a", "exec x\n")
    place.start("a")
    assert told(place)["reason"] == (
        "It waits until its event starting has been dealt with by what it started or stopped: b (start/running)"
    )


def test_a_respawn_that_is_put_off_says_for_how_long(place):
    place.define("a", "respawn\nrespawn delay 7\nexec x\n")
    place.start("a")
    place.die(FIRST, code=1)
    answer = told(place)
    assert answer["reason"] == "It is started again in 7.0 seconds (respawn delay)"
    assert answer["ends"] == [{"end": "exited with status 1", "times": 1}]


def test_what_is_started_by_hand_only_says_so(place):
    place.define("a", "exec x\n")
    assert told(place)["reason"] == "Nothing has started it: it has no start on, so it is started by hand only"


def test_events_that_have_not_come_are_named(place):
    place.define("a", "start on one and two B=2\nexec x\n")
    place.host.submit(Emit(None, "one", wait=False))
    answer = told(place)
    assert answer["reason"] == "Nothing has started it: its start on has not come true"
    assert answer["missing_events"] == ["two B=2"]
    assert answer["details"] == ["It starts by itself on: two B=2 (1 of its events came)"]


def test_part_of_a_stop_on_is_told(place):
    place.define("a", "stop on one and two\nexec x\n")
    place.start("a")
    place.host.submit(Emit(None, "two", wait=False))
    assert told(place)["details"] == ["Part of its stop on has come; it misses one (1 of its events came)"]


def test_a_job_that_has_ended_by_itself_has_not_failed(place):
    place.define("a", "exec x\n")
    place.start("a")
    place.die(FIRST, code=0)
    answer = told(place)
    assert answer["reason"] == "It has ended or was stopped, and nothing has started it since"
    assert answer["details"] == ["Its main process exited with status 0"]


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ({"code": 7}, "It has failed: its main process exited with status 7"),
        ({"signal": 9}, "It has failed: its main process was ended by the signal SIGKILL"),
        ({"signal": 99}, "It has failed: its main process was ended by the signal 99"),
    ],
)
def test_a_failure_says_how_the_process_ended_and_what_it_said_last(place, end, reason):
    place.define("a", "exec x\n")
    place.start("a")
    place.die(FIRST, **end)
    answer = told(place)
    assert answer["reason"] == reason
    assert answer["details"][0] == "It said last: last line"


def test_a_process_that_could_not_be_started_says_which_step_failed(place):
    place.define("a", "exec x\n")
    place.kernel.refuse = SpawnError("chdir", errno.ENOENT)
    place.start("a")
    assert told(place)["reason"] == (
        "It has failed: its main process could not be started, step chdir: No such file or directory"
    )


def test_respawns_that_were_too_many_are_told_and_counted(place):
    place.define("a", "respawn\nrespawn limit 2 60\nexec x\n")
    place.start("a")
    for number, end in enumerate(({"code": 1}, {"signal": 15}, {"code": 1})):
        place.die(FIRST + number, **end)
    answer = told(place)
    assert answer["reason"].endswith(", more often than its respawn limit allows")
    assert answer["ends"] == [
        {"end": "exited with status 1", "times": 2}, {"end": "was ended by the signal SIGTERM", "times": 1},
    ]  # fmt: skip
    assert "Its main process exited with status 1, 2 of the last 3 times" in answer["details"]


def test_a_start_timeout_is_told_with_what_was_waited_for(place):
    place.define("a", "expect stop\nstart timeout 3\nexec x\n")
    place.start("a")
    late = place.loop.now() + 3
    place.loop.now = lambda: late
    place.loop.turn()
    place.die(FIRST, signal=15)
    answer = told(place)
    waits = "its main process to stop itself with SIGSTOP (`expect stop`)"
    assert answer["reason"] == f"It has failed: it was not ready within its start timeout; it waited for {waits}"
    assert f"The supervisor said: it waits for {waits}" in answer["details"]
    assert "The supervisor said: not ready after 3 seconds, stopped" in answer["details"]


def test_a_start_that_can_not_succeed_any_more_says_why(place):
    """It was told as a process that had ended, nobody knew how."""
    place.define("a", "expect newline 4\nexec x\n")
    place.start("a")
    place.loop.turn()  # nobody has the other end of the pipe, as the process does not exist
    place.die(FIRST, signal=15)
    assert told(place)["reason"] == (
        "It has failed: it could not become ready any more: descriptor 4 was closed without a newline"
    )
