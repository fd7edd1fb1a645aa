# SPDX-License-Identifier: GPL-3.0-or-later
"""Events: what they start and stop, who holds them, when they finish and fail."""

from __future__ import annotations

from ansible_collections.foster.init.plugins.module_utils.engine.messages import CloseFile, Emit, StopAll
from ansible_collections.foster.init.plugins.module_utils.job.model import ProcessKind
from driver import MAIN, Driver

PRE_START, POST_STOP = ProcessKind.PRE_START, ProcessKind.POST_STOP


def test_an_event_is_announced_when_it_finishes_after_what_it_waited_for() -> None:
    host = Driver("a: start on startup; exec x", "b: start on started a; exec x")
    host.held_spawns.add(("a", MAIN))
    request = host.emit("startup")
    assert (host.answer(request), [e for e in host.events() if "startup" in e]) == ("", [])
    host.spawned("a")
    seen = host.take()
    assert seen.index("a/ StateChanged running") < seen.index("- EventEmitted startup []")
    assert seen.index("b InstanceAdded b/") > seen.index("a/ StateChanged running")
    assert (host.answer(request), host.status("b")) == ("ok", "start/running")


def test_an_event_waits_for_a_task_to_end() -> None:
    host = Driver("t: start on go; task; exec x")
    request = host.emit("go")
    assert host.answer(request) == ""
    host.exit("t")
    assert host.answer(request) == "ok"


def test_no_wait_answers_at_once() -> None:
    host = Driver("t: start on go; task; exec x")
    assert host.answer(host.emit("go", wait=False)) == "ok"


def test_a_failed_task_fails_the_event_and_emits_name_failed_with_its_variables() -> None:
    host = Driver("t: start on go; task; exec x", "w: start on go/failed; task; exec x")
    request = host.emit("go", "A=1")
    host.exit("t", code=1)
    assert host.answer(request) == "Event failed"
    assert host.status("w") == "start/running"
    host.exit("w", code=1)
    assert "go/failed [A=1]" in host.events()
    assert not [event for event in host.events() if event.startswith("go/failed/failed")]


def test_an_event_does_not_fail_when_a_service_dies_after_it_ran() -> None:
    host = Driver("s: start on go; exec x")
    request = host.emit("go")
    host.exit("s", code=1)
    assert host.answer(request) == "ok"


def test_a_failed_starting_event_does_not_keep_the_job_from_starting() -> None:
    host = Driver("a: exec x", "f: start on starting a; task; exec x")
    request = host.start("a")
    assert host.status("a") == "start/starting"
    host.exit("f", code=1)
    assert (host.answer(request), host.status("a")) == ("ok", "start/running")
    assert "starting/failed [JOB=a INSTANCE=]" in host.events()


def test_half_of_an_and_holds_its_emitter() -> None:
    host = Driver("p: start on x and y; exec z")
    first = host.emit("x", "A=1")
    assert host.answer(first) == ""
    second = host.emit("y", "B=2")
    assert (host.answer(first), host.answer(second), host.status("p")) == ("ok", "ok", "start/running")
    assert host.environment_of("p")["UPSTART_EVENTS"] == "x y"
    assert host.environment_of("p")["A"] == "1"


def test_a_later_branch_of_an_or_is_held_and_named_as_well() -> None:
    host = Driver("y: start on a and (b or c); task; exec z")
    b, c = host.emit("b"), host.emit("c")
    assert (host.answer(b), host.answer(c)) == ("", "")
    host.emit("a")
    assert host.environment_of("y")["UPSTART_EVENTS"] == "a b c"
    host.exit("y")
    assert (host.answer(b), host.answer(c)) == ("ok", "ok")


def test_a_half_matched_start_on_survives_start_and_stop() -> None:
    host = Driver("x: start on a and b; exec z")
    half = host.emit("a")
    host.start("x")
    host.stop("x")
    assert host.answer(half) == ""
    host.emit("b")
    assert (host.answer(half), host.status("x")) == ("ok", "start/running")


def test_stop_on_is_remembered_only_while_there_is_an_instance() -> None:
    host = Driver("a: stop on x and y; exec z")
    assert host.answer(host.emit("x")) == "ok"
    host.start("a")
    y = host.emit("y")
    assert (host.answer(y), host.status("a")) == ("", "start/running")
    host.emit("x")
    assert (host.answer(y), host.status("a")) == ("ok", "stop/waiting")


def test_the_end_of_an_instance_releases_its_half_matched_stop_on() -> None:
    host = Driver("a: stop on x and y; exec z")
    host.start("a")
    x = host.emit("x")
    host.stop("a")
    assert host.answer(x) == "ok"


def test_one_branch_of_stop_on_releases_what_the_other_held() -> None:
    host = Driver("a: stop on (x and y) or z; exec z; post-stop exec p")
    host.start("a")
    x = host.emit("x")
    z = host.emit("z", "A=9")
    assert (host.answer(x), host.answer(z)) == ("ok", "")
    post_stop = host.environment_of("a", ProcessKind.POST_STOP)
    assert (post_stop["UPSTART_STOP_EVENTS"], post_stop["A"]) == ("z", "9")
    host.exit("a", ProcessKind.POST_STOP)
    assert host.answer(z) == "ok"


def test_the_same_event_in_start_on_and_stop_on_stops_and_starts_again() -> None:
    host = Driver("a: start on go; stop on go; exec z")
    host.emit("go")
    first = host.instance("a").processes[MAIN]
    host.take()
    request = host.emit("go")
    assert host.answer(request) == "ok"
    assert host.instance("a").processes[MAIN] != first
    assert host.of("a")[0] == "GoalChanged stop"


def test_an_event_for_what_already_runs_is_ignored_and_not_held() -> None:
    host = Driver("a: start on go; exec z")
    host.emit("go")
    host.take()
    assert host.answer(host.emit("go")) == "ok"
    assert host.take() == ["- EventEmitted go []"]


def test_start_on_is_not_expanded_and_stop_on_is_from_the_instance() -> None:
    host = Driver("g: env WANT=zed; start on ev X=$WANT; exec z", "i: instance $N; stop on kill N=$N; exec z")
    host.emit("ev", "X=zed")
    assert host.status("g") == "stop/waiting"
    host.start("i", "N=a")
    host.start("i", "N=b")
    host.emit("kill", "N=b")
    assert (host.status("i", "a"), host.status("i", "b")) == ("start/running", "stop/waiting")


def test_an_event_without_the_instances_variable_starts_nothing_and_finishes() -> None:
    host = Driver("i: instance $N; start on go; exec z", "j: start on go; exec z")
    assert host.answer(host.emit("go")) == "ok"
    assert not host.engine.jobs["i"].instances
    assert any("Unknown parameter: N" in warning for warning in host.warnings)
    assert host.status("j") == "start/running"


def test_starting_and_stopping_block_and_started_and_stopped_do_not() -> None:
    host = Driver("a: exec z", *(f"{name}: start on {name} a; task; exec t" for name in ("starting", "started")),
                  *(f"{name}: start on {name} a; task; exec t" for name in ("stopping", "stopped")))  # fmt: skip
    start = host.start("a")
    assert host.status("a") == "start/starting"
    host.exit("starting")
    assert (host.answer(start), host.status("a"), host.status("started")) == ("ok", "start/running", "start/running")
    stop = host.stop("a")
    assert host.status("a") == "stop/stopping"
    assert not host.signals
    host.exit("stopping")
    assert (host.answer(stop), host.status("stopped")) == ("ok", "start/running")


def test_stop_on_starting_holds_the_other_job_until_the_stop_is_complete() -> None:
    host = Driver("a: stop on starting b; exec z", "b: exec z")
    host.stubborn.add("a")
    host.start("a")
    request = host.start("b")
    assert (host.status("b"), host.answer(request)) == ("start/starting", "")
    host.fire("kill", "a")
    assert (host.status("a"), host.status("b")) == ("stop/waiting", "start/running")


def test_stop_while_blocked_in_starting_waits_for_the_event() -> None:
    host = Driver("a: exec z", "b: start on starting a; task; exec t")
    start = host.start("a")
    stop = host.stop("a")
    assert (host.answer(start), host.answer(stop), host.status("a")) == ("ok", "", "stop/starting")
    host.exit("b")
    assert (host.answer(stop), host.status("a")) == ("ok", "stop/waiting")
    assert "a/ StateChanged pre-start" not in host.seen


def test_jobs_are_visited_in_the_order_of_their_files() -> None:
    host = Driver(*(f"{name}: start on go; exec z" for name in "abcdef"))
    host.emit("go")
    assert [spawn.key[0] for spawn in host.spawns] == list("abcdef")


def test_exported_variables_come_from_the_job_not_from_stop() -> None:
    host = Driver("e: env FOO=1; env BAR=two; export FOO BAR; export BAZ; exec z")
    host.start("e", "FOO=9")
    host.stop("e", "FOO=5")
    assert host.events() == [
        "starting [JOB=e INSTANCE= FOO=9 BAR=two]", "started [JOB=e INSTANCE= FOO=9 BAR=two]",
        "stopping [JOB=e INSTANCE= RESULT=ok FOO=9 BAR=two]", "stopped [JOB=e INSTANCE= RESULT=ok FOO=9 BAR=two]",
    ]  # fmt: skip


def test_stop_all_stops_every_instance_and_lets_none_start() -> None:
    host = Driver("a: exec z; respawn", "b: start on stopped a; exec z", "t: task; exec z")
    start = host.start("t")
    host.start("a")
    host.put(StopAll(99))
    assert host.answer(99) == "ok"
    assert host.answer(start) == "ok"
    assert not host.engine.jobs["b"].instances
    assert "stopping" in host.answer(host.start("a"))


def test_stop_all_with_an_event_waits_for_what_that_event_started() -> None:
    host = Driver("b: exec z", "c: start on session-end; task; exec z")
    host.start("b")
    host.put(StopAll(99, "session-end", ("TYPE=shutdown",)))
    assert (host.status("b"), host.status("c"), host.answer(99)) == ("stop/waiting", "start/running", "")
    host.exit("c")
    assert host.answer(99) == "ok"


def test_a_job_does_not_hold_its_own_event() -> None:
    """Upstart never moves such a job again."""
    host = Driver("a: stop on starting or stopping; start on stopping a; exec z")
    assert host.answer(host.start("a")) == "ok"
    host.stop("a")
    assert host.status("a") == "start/running"


def test_stop_all_unties_jobs_that_wait_for_each_other() -> None:
    host = Driver("a: exec z; stop on starting b", "b: exec z; stop on stopping a")
    host.start("a")
    host.start("b")
    assert (host.status("a"), host.status("b")) == ("stop/stopping", "stop/starting")
    host.put(StopAll(99))
    assert host.answer(99) == "ok"
    assert host.warnings


def test_stop_all_ends_scripts_that_do_not_end() -> None:
    host = Driver("a: pre-start exec x; exec z; post-stop exec y", "b: exec z")
    host.start("a")
    host.start("b")
    host.put(StopAll(99))
    assert (host.status("a"), host.status("b")) == ("stop/pre-start", "stop/waiting")
    host.fire("script", "a")
    assert host.status("a") == "stop/post-stop"
    host.fire("script", "a")
    assert (host.answer(99), host.timers) == ("ok", {})


def test_a_file_goes_to_the_processes_that_its_event_starts_and_is_given_back_once() -> None:
    host = Driver(
        "s: start on go and more; respawn; pre-start exec y; post-stop exec z; exec x", "t: start on more; exec x"
    )
    host.put(Emit(None, "go", file=70))
    host.put(Emit(None, "more", file=71))
    assert not [effect for effect in host.effects if isinstance(effect, CloseFile)]
    host.exit("s", PRE_START)
    assert [(spawn.key[0], spawn.kind.value, spawn.files) for spawn in host.spawns] == [
        ("s", "pre-start", (70, 71)),
        ("t", "main", (71,)),
        ("s", "main", (70, 71)),
    ]
    assert host.environment_of("s")["UPSTART_FDS"] == "70 71"
    assert [effect.file for effect in host.effects if isinstance(effect, CloseFile)] == [70, 71]
    host.kill("s")
    host.exit("s", POST_STOP)
    host.exit("s", PRE_START)
    assert host.spawns[-1][:2] == (("s", ""), MAIN) and host.spawns[-1].files == ()


def test_a_file_of_an_event_that_stops_a_job_is_for_nobody() -> None:
    host = Driver("s: start on go; stop on halt; post-stop exec z; exec x")
    host.emit("go")
    host.put(Emit(None, "halt", file=70))
    assert [(spawn.kind.value, spawn.files) for spawn in host.spawns] == [("main", ()), ("post-stop", ())]
    assert "UPSTART_FDS" not in host.environment_of("s", POST_STOP)
    host.exit("s", POST_STOP)
    assert [effect.file for effect in host.effects if isinstance(effect, CloseFile)] == [70]


def test_jobs_that_one_event_starts_share_the_strings_of_their_environments() -> None:
    """A thousand of them would have a thousand copies."""
    host = Driver("a: start on go; exec x", "b: start on go; exec x")
    host.emit("go", "X=1")
    one, other = (host.instance(name).env for name in "ab")
    assert "UPSTART_EVENTS=go" in one
    assert list(map(id, one)) == list(map(id, other))
