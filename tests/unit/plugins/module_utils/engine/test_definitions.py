# SPDX-License-Identifier: GPL-3.0-or-later
"""Definitions that come, change and go, with and without instances."""

from __future__ import annotations

from ansible_collections.foster.init.plugins.module_utils.engine.messages import Undefine
from driver import MAIN, Driver


def test_a_new_and_a_changed_and_a_removed_job_are_announced() -> None:
    host = Driver()
    host.define("a", "exec x")
    host.define("a", "exec y")
    host.put(Undefine("a"))
    assert host.take() == ["- JobAdded a", "- JobRemoved a", "- JobAdded a", "- JobRemoved a"]
    assert not host.engine.jobs


def test_the_same_definition_again_takes_its_own_place() -> None:
    """As in Upstart, whose clients see it on every touch of the file."""
    host = Driver("a: exec x; start on e and f")
    event = host.emit("e")
    host.define("a", "exec x; start on e and f")
    assert host.take() == ["- JobRemoved a", "- JobAdded a"]
    assert not host.answer(event)
    host.emit("f")
    assert (host.answer(event), host.status("a")) == ("ok", "start/running")
    host.define("a", "exec x; start on e and f")
    host.take()
    host.stop("a")
    assert host.take()[-4:] == ["a/ StateChanged waiting", "- JobRemoved a", "- JobAdded a",
                                "- EventEmitted stopped [JOB=a INSTANCE= RESULT=ok]"]  # fmt: skip


def test_a_changed_file_is_loaded_when_the_last_instance_ends() -> None:
    host = Driver("a: instance $N; exec x")
    host.start("a", "N=1")
    host.start("a", "N=2")
    host.define("a", "exec y")
    host.restart("a", "N=1")
    assert host.spawns[-1].job.exec_main.command == "x"
    host.stop("a", "N=1")
    host.take()
    host.stop("a", "N=2")
    assert host.take()[-4:] == ["a/2 StateChanged waiting", "- JobRemoved a", "- JobAdded a",
                                "- EventEmitted stopped [JOB=a INSTANCE=2 RESULT=ok]"]  # fmt: skip
    host.start("a")
    assert host.spawns[-1].job.exec_main.command == "y"


def test_a_removed_file_keeps_the_job_until_its_last_instance_ends() -> None:
    host = Driver("a: exec x")
    host.start("a")
    host.put(Undefine("a"))
    assert host.status("a") == "start/running"
    host.take()
    host.stop("a")
    assert "- JobRemoved a" in host.seen
    assert "a InstanceRemoved a/" not in host.seen
    assert host.answer(host.start("a")) == "Unknown job: a"


def test_a_job_that_goes_lazily_can_run_once_more() -> None:
    host = Driver("e: start on go; exec x")
    host.put(Undefine("e", lazily=True))
    host.emit("go")
    host.take()
    host.exit("e")
    assert host.take()[-3:-1] == ["- JobRemoved e", "e InstanceRemoved e/"]
    assert "e" not in host.engine.jobs


def test_half_matched_events_go_over_to_the_new_definition() -> None:
    host = Driver("a: start on x and y; exec z")
    x = host.emit("x")
    host.define("a", "start on x and z; exec z")
    assert host.answer(x) == ""
    host.emit("z")
    assert (host.answer(x), host.status("a")) == ("ok", "start/running")


def test_a_new_definition_without_that_event_lets_it_go() -> None:
    host = Driver("a: start on x and y; exec z")
    x = host.emit("x")
    host.define("a", "start on y; exec z")
    assert host.answer(x) == "ok"


def test_the_index_follows_the_definitions() -> None:
    host = Driver("a: start on x; exec z")
    host.define("a", "start on y; exec z")
    host.emit("x")
    assert host.status("a") == "stop/waiting"
    host.emit("y")
    assert MAIN in host.instance("a").processes
