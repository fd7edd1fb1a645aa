# SPDX-License-Identifier: GPL-3.0-or-later
"""What survives a crash: an engine that is made from the records goes on where the other one was."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.foster.init.plugins.module_utils.engine.engine import Engine
from ansible_collections.foster.init.plugins.module_utils.engine.messages import EndFamily, SetJobEnv, Spawn
from ansible_collections.foster.init.plugins.module_utils.engine.records import decode_job, encode_job
from ansible_collections.foster.init.plugins.module_utils.job.model import ProcessKind
from ansible_collections.foster.init.plugins.module_utils.job.parser import parse_job
from driver import ENVIRONMENT, MAIN, Driver


class Disk:
    """The records of one engine, as a host would keep them."""

    def __init__(self) -> None:
        self.records: dict[str, Any] = {}

    def save(self, engine: Engine) -> list[str]:
        """Write what changed; return the keys."""
        keys = []
        for key, record in engine.changes():
            keys.append(key)
            if record is None:
                del self.records[key]
            else:
                self.records[key] = json.loads(json.dumps(record))
        return keys


def reborn(host: Driver, disk: Disk, answers: bool = True) -> Driver:
    """Return a host with a new engine, made from the records and today's definitions."""
    disk.save(host.engine)
    engine = Engine(ENVIRONMENT)
    fresh = Driver(engine=engine)
    fresh.now = host.now + 1
    jobs = [job_class.pending or job_class.job for job_class in host.engine.jobs.values()]
    effects = engine.restore(disk.records, jobs, fresh.now)
    fresh._pid = host._pid
    fresh._requests = 1000
    for message in fresh.carry_out(effects) if answers else ():
        fresh.put(message)
    fresh.spawns = host.spawns + fresh.spawns
    return fresh


def test_a_running_job_is_still_known() -> None:
    host, disk = Driver("a: exec x; respawn"), Disk()
    host.start("a", "N=1")
    pid = host.instance("a").processes[MAIN]
    host = reborn(host, disk)
    assert host.instance("a").processes == {MAIN: pid}
    host.kill("a")
    assert host.status("a") == "start/running"
    assert host.environment_of("a")["N"] == "1"


def test_nothing_is_left_of_a_job_that_ended() -> None:
    host, disk = Driver("a: exec x"), Disk()
    host.start("a")
    disk.save(host.engine)
    host.stop("a")
    disk.save(host.engine)
    assert disk.records == {}


def test_what_came_and_went_needs_no_record() -> None:
    host = Driver("a: exec x")
    host.start("a")
    host.stop("a")
    assert Disk().save(host.engine) == []


def test_only_what_changed_is_written() -> None:
    host, disk = Driver("a: exec x", "b: exec x"), Disk()
    host.start("a")
    host.start("b")
    disk.save(host.engine)
    assert disk.save(host.engine) == []
    host.kill("b")
    assert disk.save(host.engine) == ["definition/b", "instance/b//"]


def test_what_was_written_before_a_crash_is_written_off_after_it() -> None:
    host, disk = Driver("a: exec x", "p: start on x and y; exec z"), Disk()
    host.start("a")
    host.emit("x")
    host = reborn(host, disk)
    assert sorted(disk.records) == ["condition/p", "definition/a", "event/3", "instance/a//"]
    host.stop("a")
    host.emit("y")
    host.stop("p")
    disk.save(host.engine)
    assert disk.records == {}


def test_half_matched_events_are_still_held() -> None:
    host, disk = Driver("p: start on x and y; exec z"), Disk()
    host.emit("x", "A=1")
    host = reborn(host, disk)
    host.emit("y")
    assert host.events()[:3] == ["starting [JOB=p INSTANCE=]", "x [A=1]", "y []"]
    assert host.environment_of("p")["A"] == "1"


def test_a_job_that_is_held_in_starting_goes_on_when_the_other_ends() -> None:
    host, disk = Driver("a: exec z", "b: start on starting a; task; exec t"), Disk()
    host.start("a")
    host = reborn(host, disk)
    assert host.status("a") == "start/starting"
    host.exit("b")
    assert host.status("a") == "start/running"


def test_an_event_that_is_waited_for_still_fails_with_its_task() -> None:
    host, disk = Driver("t: start on go; task; exec z"), Disk()
    host.emit("go")
    host = reborn(host, disk)
    host.exit("t", code=1)
    assert "go/failed []" in host.events()


def test_a_running_instance_keeps_the_definition_it_was_started_with() -> None:
    host, disk = Driver("a: exec old; respawn"), Disk()
    host.start("a")
    host.define("a", "exec new; respawn")
    host = reborn(host, disk)
    host.kill("a")
    assert host.spawns[-1].job.exec_main.command == "old"
    host.stop("a")
    host.start("a")
    assert host.spawns[-1].job.exec_main.command == "new"


def test_definitions_are_loaded_anew_after_the_last_instance_as_after_upstarts_re_execution() -> None:
    host, disk = Driver("a: exec x"), Disk()
    host.start("a")
    host = reborn(host, disk)
    host.define("a", "exec x")
    host.stop("a")
    assert host.seen[-3:-1] == ["- JobRemoved a", "- JobAdded a"]


def test_a_job_whose_file_is_gone_keeps_running_and_then_goes() -> None:
    host, disk = Driver("a: exec x"), Disk()
    host.start("a")
    disk.save(host.engine)
    engine = Engine(ENVIRONMENT)
    engine.restore(disk.records, [], 0.0)
    host = Driver(engine=engine)
    assert host.status("a") == "start/running"
    host.stop("a")
    assert not engine.jobs


def test_a_spawn_and_an_end_of_a_family_that_were_not_answered_are_asked_for_again() -> None:
    host, disk = Driver("a: exec x", "b: exec x"), Disk()
    host.held_spawns.add(("a", MAIN))
    host.held_families.add("b")
    host.start("a")
    host.start("b")
    host.stop("b")
    disk.save(host.engine)
    effects = Engine(ENVIRONMENT).restore(disk.records, [], 0.0)
    assert [type(effect) for effect in effects] == [Spawn, EndFamily]


def test_an_instance_whose_event_was_lost_goes_on() -> None:
    host, disk = Driver("a: exec z", "b: start on starting a; task; exec t"), Disk()
    host.start("a")
    disk.save(host.engine)
    for key in [key for key in disk.records if key.startswith("event/")]:
        del disk.records[key]
    host = reborn(host, disk)
    assert host.status("a") == "start/running"


def test_a_condition_that_was_changed_meanwhile_takes_only_what_it_asks_for() -> None:
    host, disk = Driver("p: start on x and y; exec z"), Disk()
    host.emit("x")
    disk.save(host.engine)
    engine = Engine(ENVIRONMENT)
    engine.restore(disk.records, [parse_job("start on y and x\nexec z\n", "p", "p.conf")], 0.0)
    assert not engine.events.events


def test_timers_go_on_with_what_was_left() -> None:
    host, disk = Driver("a: exec x; kill timeout 20"), Disk()
    host.stubborn.add("a")
    host.start("a")
    host.stop("a")
    due = host.timers[(("a", ""), "kill")]
    host = reborn(host, disk)
    assert host.timers[(("a", ""), "kill")] == due
    host.fire("kill", "a")
    assert host.status("a") == "stop/waiting"


def test_the_respawn_limit_goes_on_counting() -> None:
    host, disk = Driver("r: respawn; respawn limit 2 10; exec x"), Disk()
    host.start("r")
    host.kill("r")
    host.kill("r")
    host = reborn(host, disk)
    host.kill("r")
    assert host.status("r") == "stop/waiting"


def test_the_job_environment_is_kept() -> None:
    host, disk = Driver("a: exec x"), Disk()
    host.put(SetJobEnv(None, None, ("GLOBAL=1",)))
    host = reborn(host, disk)
    assert "GLOBAL=1" in host.engine.environment


def test_every_field_of_a_definition_survives() -> None:
    text = """description "x"
start on (a X=1 or b) and c
stop on d
env A=1
export A
limit nofile 10 unlimited
respawn limit 3 7
normal exit 0 TERM
expect listen 80
kill schedule TERM/30/KILL/5
pre-stop script
  true
end script
exec x
"""
    job = parse_job(text, "a", "a.conf")
    assert decode_job(json.loads(json.dumps(encode_job(job)))) == job
    assert job.process(ProcessKind.PRE_STOP) is not None
