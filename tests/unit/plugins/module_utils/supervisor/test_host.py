# SPDX-License-Identifier: GPL-3.0-or-later
"""The host with a kernel that starts nothing: effects become calls, deaths become inputs, the ledger is first."""

from __future__ import annotations

import errno
import json
import subprocess
import time

import pytest
from ansible_collections.foster.init.plugins.module_utils.engine.messages import Refuse, Reply
from ansible_collections.foster.init.plugins.module_utils.supervisor.history import History
from ansible_collections.foster.init.plugins.module_utils.supervisor.readiness.choose import Choice
from ansible_collections.foster.init.plugins.module_utils.supervisor.recovery import Recovery
from ansible_collections.foster.init.plugins.module_utils.supervisor.spawn import SpawnError
from ansible_collections.foster.init.plugins.module_utils.supervisor.tracking import proc
from fake_host import FIRST, Place


@pytest.fixture
def place(tmp_path):
    with open("/dev/null", "r+b", 0) as null:
        made = Place(tmp_path / "ledger", null.fileno())
        yield made
        made.loop.close()


def test_a_start_is_answered_when_the_process_runs(place):
    place.define("a", "exec sleep 1\n")
    place.start("a")
    assert place.kernel.started == [("sleep 1", FIRST)]
    assert isinstance(place.replies[0], Reply)


def test_the_ledger_knows_of_a_start_before_it_happens(place):
    place.define("a", "exec sleep 1\n")
    place.start("a")
    assert '"engine/instance/a//"' in place.kernel.ledger_at_start[0]


def test_a_stop_signals_and_is_answered_when_the_process_is_gone(place):
    place.define("a", "exec sleep 1\n")
    place.start("a")
    place.stop("a")
    assert place.kernel.signals == [(FIRST, 15)]
    assert len(place.replies) == 1
    place.die(FIRST, signal=15)
    assert isinstance(place.replies[1], Reply)
    assert place.host.processes.known == {}


def test_a_respawning_job_gets_a_new_process(place):
    place.define("a", "respawn\nexec sleep 1\n")
    place.start("a")
    place.die(FIRST, signal=9)
    assert [pid for _command, pid in place.kernel.started] == [FIRST, FIRST + 1]


def test_a_process_that_cannot_be_started_fails_the_start_with_its_step(place):
    place.define("a", "exec sleep 1\n")
    place.kernel.refuse = SpawnError("exec", errno.ENOENT)
    place.start("a")
    assert isinstance(place.replies[0], Refuse)
    failure = json.loads(place.host.describe(["a"]))[0]["last_failure"]
    assert (failure["process"], failure["step"], failure["errno"]) == ("main", "exec", errno.ENOENT)
    assert failure["log_tail"] == ["last line"]
    assert len(place.warnings) == 1


def test_the_death_of_a_child_that_nobody_knows_is_reaped_and_forgotten(place):
    place.die(4_000_000, code=1)
    assert not place.kernel.exits


def test_a_child_that_has_just_been_reaped_is_still_known_as_a_job_s_until_others_end(place):
    """Its signal to us may come to be read after its end."""
    place.define("a", "exec sleep 1\n")
    place.start("a")
    place.die(FIRST, code=0)
    assert place.host.processes.job_of_child(FIRST) == "a"
    place.die(4_000_000, code=1)
    assert place.host.processes.job_of_child(FIRST) is None


def test_a_start_that_has_taken_too_long_says_what_it_waits_for(place, tmp_path):
    place.define("a", f"expect pidfile {tmp_path}/x.pid\nstart timeout 5\nexec sleep 1\n")
    place.start("a")
    place.loop.now = lambda: 1e9
    place.loop.turn()
    assert place.warnings[-2:] == [
        f"a: it waits for {tmp_path}/x.pid to be written; it does not exist",
        "a: not ready after 5 seconds, stopped",
    ]


def test_a_main_process_that_has_gone_before_it_was_followed_has_ended(place):
    """Its parent had reaped it since it was chosen: nobody told of its end, and a stop waited ten seconds for it."""
    place.define("a", "exec sleep 1\n")
    place.start("a")
    processes = place.host.processes
    processes._around(processes.known[FIRST]).moved(Choice(FIRST + 50, "certain", "a file names it"))
    assert list(processes.known) == [FIRST + 50]
    late = time.monotonic() + 2
    place.loop.now = lambda: late
    place.loop.turn()
    assert processes.known == {}
    assert json.loads(place.host.describe(["a"]))[0]["instances"] == []


def test_history_tells_how_processes_ended(place):
    place.define("a", "respawn\nexec sleep 1\n")
    place.start("a")
    place.die(FIRST, signal=9)
    place.die(FIRST + 1, code=3)
    told = [(each["pid"], each.get("signal"), each.get("exit_status"))
            for each in json.loads(place.host.history("a"))["processes"]]  # fmt: skip
    assert told == [(FIRST, 9, None), (FIRST + 1, None, 3)]


@pytest.mark.parametrize(("limit", "too_often"), [("respawn limit 1 60", True), ("permanent failure 3", None)])
def test_a_failure_tells_whether_it_was_one_end_too_many(place, limit, too_often):
    place.define("a", f"respawn\n{limit}\nexec sleep 1\n")
    place.start("a")
    for pid in (FIRST, FIRST + 1)[: 2 if too_often else 1]:
        place.die(pid, code=3)
    failure = json.loads(place.host.describe(["a"]))[0]["last_failure"]
    assert (failure["exit_status"], failure.get("too_often")) == (3, too_often)


def test_the_start_of_a_process_is_told_by_the_clock_on_the_wall():
    before = time.time()
    child = subprocess.Popen(["sleep", "1000"])
    after = time.time()
    started = proc.seconds_since_1970(proc.start_time(child.pid))
    child.kill()
    child.wait()
    assert before - 2 / proc.TICKS <= started <= after + 2 / proc.TICKS


def recovered(place, tmp_path) -> Place:
    """Return what a next supervisor makes of the ledger."""
    place.host.ledger.flush()
    after = Place(tmp_path / "ledger", place.null)
    jobs = [job_class.job for job_class in place.host.engine.jobs.values()]
    Recovery(after.host, after.host.ledger.load()).run(jobs)
    after.loop.close()
    return after


def test_a_job_whose_process_died_with_the_supervisor_is_started_again(place, tmp_path):
    place.define("a", "respawn\nexec sleep 1\n")
    place.start("a")
    after = recovered(place, tmp_path)
    assert [command for command, _pid in after.kernel.started] == ["sleep 1"]


def test_a_job_without_respawn_whose_process_died_is_not_started_again(place, tmp_path):
    place.define("a", "exec sleep 1\n")
    place.start("a")
    after = recovered(place, tmp_path)
    assert after.kernel.started == []
    assert json.loads(after.host.describe(["a"]))[0]["instances"] == []


def test_a_job_that_was_stopped_stays_stopped(place, tmp_path):
    place.define("a", "respawn\nexec sleep 1\n")
    place.start("a")
    place.stop("a")
    place.die(FIRST, signal=15)
    after = recovered(place, tmp_path)
    assert after.kernel.started == []


def test_the_last_failure_outlives_the_supervisor(place, tmp_path):
    place.define("a", "exec sleep 1\n")
    place.start("a")
    place.die(FIRST, code=7)
    after = recovered(place, tmp_path)
    assert after.host.past.failures["a"]["exit_status"] == 7


def test_only_the_last_processes_of_a_job_are_remembered(place):
    place.define("a", "respawn\nrespawn limit 0 0\nexec sleep 1\n")
    place.start("a")
    for number in range(50):
        place.die(FIRST + number, code=1)
    assert isinstance(place.host.past, History)
    assert len(place.host.past.of("a")) == 20
