# SPDX-License-Identifier: GPL-3.0-or-later
"""What an instance goes through, as measured on Upstart 1.13.2; and where ours differs on purpose."""

from __future__ import annotations

import pytest
from ansible_collections.foster.init.plugins.module_utils.engine.messages import FamilyEnded, ProcessExited, Signal
from ansible_collections.foster.init.plugins.module_utils.job.model import ProcessKind
from driver import MAIN, Driver

START = ["GoalChanged start", "StateChanged starting", "StateChanged pre-start", "StateChanged spawned",
         "StateChanged post-start", "StateChanged running"]  # fmt: skip
END = ["StateChanged stopping", "StateChanged killed", "StateChanged post-stop", "StateChanged waiting"]


def test_start_and_stop_of_a_service_are_announced_in_upstarts_order() -> None:
    host = Driver("a: exec sleep")
    assert host.answer(host.start("a")) == "ok"
    assert host.take() == [
        "a InstanceAdded a/", "a/ GoalChanged start", "a/ StateChanged starting", "a/ StateChanged pre-start",
        "a/ StateChanged spawned", "- EventEmitted starting [JOB=a INSTANCE=]", "a/ StateChanged post-start",
        "a/ StateChanged running", "- EventEmitted started [JOB=a INSTANCE=]",
    ]  # fmt: skip
    assert host.answer(host.stop("a")) == "ok"
    assert host.take() == [
        "a/ GoalChanged stop", "a/ StateChanged pre-stop", "a/ StateChanged stopping", "a/ StateChanged killed",
        "- EventEmitted stopping [JOB=a INSTANCE= RESULT=ok]", "a/ StateChanged post-stop", "a/ StateChanged waiting",
        "a InstanceRemoved a/", "- EventEmitted stopped [JOB=a INSTANCE= RESULT=ok]",
    ]  # fmt: skip
    assert host.status("a") == "stop/waiting"


def test_start_waits_for_the_process_to_be_there() -> None:
    host = Driver("a: exec sleep")
    host.held_spawns.add(("a", MAIN))
    request = host.start("a")
    assert (host.status("a"), host.answer(request)) == ("start/spawned", "")


def test_pre_stop_is_skipped_when_main_died_by_itself() -> None:
    host = Driver("a: exec sleep; pre-stop exec true")
    host.start("a")
    host.exit("a")
    assert "StateChanged pre-stop" not in host.of("a")
    assert host.status("a") == "stop/waiting"


def test_pre_stop_is_skipped_without_a_main_process() -> None:
    host = Driver("a: pre-start exec true; pre-stop exec true")
    host.start("a")
    host.exit("a", ProcessKind.PRE_START)
    assert host.status("a") == "start/running"
    host.stop("a")
    assert host.status("a") == "stop/waiting"
    assert [spawn.kind for spawn in host.spawns] == [ProcessKind.PRE_START]


def test_stop_during_pre_start_waits_for_it() -> None:
    host = Driver("p: pre-start exec x; exec sleep; post-stop exec y")
    start = host.start("p")
    stop = host.stop("p")
    assert (host.answer(start), host.answer(stop), host.status("p")) == ("ok", "", "stop/pre-start")
    host.exit("p", ProcessKind.PRE_START)
    assert host.status("p") == "stop/post-stop"
    assert not host.signals
    host.exit("p", ProcessKind.POST_STOP)
    assert host.answer(stop) == "ok"
    assert [spawn.kind.value for spawn in host.spawns] == ["pre-start", "post-stop"]


def test_stop_during_post_start_waits_for_it() -> None:
    host = Driver("k: exec sleep; post-start exec x")
    host.start("k")
    host.stop("k")
    assert host.status("k") == "stop/post-start"
    host.exit("k", ProcessKind.POST_START)
    assert host.status("k") == "stop/waiting"
    assert not [event for event in host.events() if event.startswith("started")]


def test_start_again_during_a_stopped_pre_start_goes_on() -> None:
    host = Driver("p: pre-start exec x; exec sleep")
    host.start("p")
    stop = host.stop("p", wait=False)
    again = host.start("p")
    host.exit("p", ProcessKind.PRE_START)
    assert (host.answer(stop), host.answer(again), host.status("p")) == ("ok", "ok", "start/running")


def test_failing_pre_start_fails_the_start_and_runs_post_stop() -> None:
    host = Driver("j: pre-start exec x; exec sleep; post-stop exec y")
    request = host.start("j")
    host.exit("j", ProcessKind.PRE_START, code=3)
    assert host.answer(request) == "Job failed to start"
    host.exit("j", ProcessKind.POST_STOP)
    assert "Failed 3" in host.of("j")
    assert "stopped [JOB=j INSTANCE= RESULT=failed PROCESS=pre-start EXIT_STATUS=3]" in host.events()
    assert MAIN not in [spawn.kind for spawn in host.spawns]


def test_failing_post_start_and_pre_stop_are_ignored() -> None:
    host = Driver("f: exec sleep; post-start exec x; pre-stop exec y")
    request = host.start("f")
    host.exit("f", ProcessKind.POST_START, code=1)
    assert (host.answer(request), host.status("f")) == ("ok", "start/running")
    stop = host.stop("f")
    host.exit("f", ProcessKind.PRE_STOP, code=1)
    assert (host.answer(stop), host.status("f")) == ("ok", "stop/waiting")


@pytest.mark.parametrize("kind", [ProcessKind.POST_START, ProcessKind.PRE_STOP])
def test_post_start_and_pre_stop_that_cannot_be_executed_are_ignored(kind: ProcessKind) -> None:
    host = Driver("f: exec sleep; post-start exec x; pre-stop exec y")
    host.broken = {("f", ProcessKind.POST_START), ("f", ProcessKind.PRE_STOP)}
    assert host.answer(host.start("f")) == "ok"
    assert host.answer(host.stop("f")) == "ok"
    assert not [line for line in host.of("f") if line.startswith("Failed")]


def test_post_stop_that_cannot_be_executed_fails_the_stop() -> None:
    host = Driver("f: exec sleep; post-stop exec y")
    host.broken.add(("f", ProcessKind.POST_STOP))
    host.start("f")
    assert host.answer(host.stop("f")) == "Job failed while stopping"
    assert host.status("f") == "stop/waiting"
    assert "stopped [JOB=f INSTANCE= RESULT=failed PROCESS=post-stop]" in host.events()


def test_main_that_cannot_be_executed_is_never_respawned() -> None:
    host = Driver("x: exec nothing; respawn")
    host.broken.add(("x", MAIN))
    assert host.answer(host.start("x")) == "Job failed to start"
    assert host.of("x")[4:6] == ["Failed -1", "GoalChanged stop"]
    assert "stopped [JOB=x INSTANCE= RESULT=failed PROCESS=main]" in host.events()


def test_main_dying_in_post_start_makes_stop_the_goal_and_waits_for_the_script() -> None:
    host = Driver("d: exec sleep; post-start exec x")
    request = host.start("d")
    host.exit("d")
    assert host.status("d") == "stop/post-start"
    host.exit("d", ProcessKind.POST_START)
    assert (host.answer(request), host.status("d")) == ("ok", "stop/waiting")
    assert not [event for event in host.events() if event.startswith("started")]


def test_main_dying_in_post_start_of_a_respawning_job_restarts_it_afterwards() -> None:
    host = Driver("d: exec sleep; post-start exec x; respawn")
    host.start("d")
    host.take()
    host.exit("d")
    assert host.of("d") == ["GoalChanged respawn"]
    host.exit("d", ProcessKind.POST_START)
    assert host.of("d")[1:3] == ["GoalChanged start", "StateChanged stopping"]
    assert host.status("d") == "start/post-start"


def test_main_dying_in_pre_stop_is_no_failure() -> None:
    host = Driver("m: exec sleep; pre-stop exec x")
    host.start("m")
    host.stop("m")
    host.kill("m")
    assert host.status("m") == "stop/pre-stop"
    host.exit("m", ProcessKind.PRE_STOP)
    assert "stopped [JOB=m INSTANCE= RESULT=ok]" in host.events()


def test_pre_stop_that_starts_the_job_cancels_the_stop() -> None:
    host = Driver("j: exec sleep; pre-stop exec start")
    host.start("j")
    stop = host.stop("j")
    again = host.start("j", instance="")
    assert host.answer(stop) == "ok"
    host.exit("j", ProcessKind.PRE_STOP)
    assert (host.answer(again), host.status("j")) == ("ok", "start/running")
    assert len([spawn for spawn in host.spawns if spawn.kind is MAIN]) == 1


def test_a_start_after_main_died_in_pre_stop_starts_a_new_process() -> None:
    """We differ: Upstart goes back to running, without a process."""
    host = Driver("m: exec sleep; pre-stop exec x")
    host.start("m")
    host.stop("m")
    host.kill("m")
    start = host.start("m")
    host.exit("m", ProcessKind.PRE_STOP)
    assert (host.answer(start), host.status("m")) == ("ok", "start/running")
    assert MAIN in host.instance("m").processes


def test_a_start_while_a_respawn_waits_for_post_start_waits_for_the_new_process() -> None:
    """We differ: Upstart grants it as well, and then goes on to running without a process."""
    host = Driver("d: exec sleep; post-start exec x; respawn")
    host.start("d")
    host.exit("d")
    host.take()
    start = host.start("d")
    assert host.of("d") == ["GoalChanged start"]
    host.exit("d", ProcessKind.POST_START)
    host.exit("d", ProcessKind.POST_START)
    assert (host.answer(start), host.status("d")) == ("ok", "start/running")
    assert MAIN in host.instance("d").processes


# ---- restart ------------------------------------------------------------------------------------------------


def test_restart_announces_as_upstart_does_and_emits_no_stopped() -> None:
    host = Driver("a: exec sleep")
    host.start("a", "Y=5")
    host.take()
    assert host.answer(host.restart("a", "Y=6")) == "ok"
    assert host.of("a") == ["GoalChanged stop", "StateChanged pre-stop", "StateChanged stopping", "GoalChanged start",
                            *END[1:3], *START[1:]]  # fmt: skip
    assert not [event for event in host.events() if event.startswith("stopped")]
    assert host.environment_of("a")["Y"] == "6"


def test_restart_replaces_the_process_although_there_is_a_pre_stop() -> None:
    """We differ: in Upstart the same process goes on."""
    host = Driver("a: exec sleep; pre-stop exec x")
    host.start("a")
    restart = host.restart("a")
    assert (host.status("a"), host.answer(restart)) == ("start/pre-stop", "")
    host.exit("a", ProcessKind.PRE_STOP)
    assert (host.status("a"), host.answer(restart)) == ("start/running", "ok")
    assert len([spawn for spawn in host.spawns if spawn.kind is MAIN]) == 2


def test_restart_in_place_keeps_the_process_as_upstart_does() -> None:
    host = Driver("a: exec sleep; pre-stop exec x; restart in place")
    host.start("a")
    pid = host.instance("a").processes[MAIN]
    restart = host.restart("a")
    host.exit("a", ProcessKind.PRE_STOP)
    assert host.answer(restart) == "ok"
    assert host.instance("a").processes == {MAIN: pid}


def test_stop_during_the_pre_stop_of_a_restart_stops() -> None:
    host = Driver("a: exec sleep; pre-stop exec x")
    host.start("a")
    restart = host.restart("a")
    stop = host.stop("a")
    host.exit("a", ProcessKind.PRE_STOP)
    assert (host.answer(restart), host.answer(stop), host.status("a")) == ("ok", "ok", "stop/waiting")


def test_restart_during_post_start_replaces_the_process_when_the_script_has_ended() -> None:
    """We differ: in Upstart it does nothing then."""
    host = Driver("a: exec sleep; post-start exec x")
    host.start("a")
    first = host.instance("a").processes[MAIN]
    host.restart("a")
    host.exit("a", ProcessKind.POST_START)
    assert host.instance("a").processes[MAIN] != first
    host.exit("a", ProcessKind.POST_START)
    assert host.status("a") == "start/running"


def test_start_during_the_kill_wait_waits_for_the_kill_and_takes_the_new_environment() -> None:
    host = Driver("a: exec sleep")
    host.stubborn.add("a")
    host.start("a")
    stop = host.stop("a")
    assert host.status("a") == "stop/killed"
    start = host.start("a", "N=2")
    assert (host.answer(stop), host.status("a")) == ("ok", "start/killed")
    host.fire("kill", "a")
    assert (host.answer(start), host.status("a")) == ("ok", "start/running")
    assert host.environment_of("a")["N"] == "2"
    assert not [event for event in host.events() if event.startswith("stopped")]


def test_start_during_post_stop_starts_again() -> None:
    host = Driver("a: exec sleep; post-stop exec x")
    host.start("a")
    host.stop("a")
    start = host.start("a")
    host.exit("a", ProcessKind.POST_STOP)
    assert (host.answer(start), host.status("a")) == ("ok", "start/running")


def test_failing_post_stop_ends_a_restart() -> None:
    host = Driver("a: exec sleep; post-stop exec x")
    host.start("a")
    restart = host.restart("a")
    host.exit("a", ProcessKind.POST_STOP, code=1)
    assert host.answer(restart) == "Job failed to restart"
    assert host.status("a") == "stop/waiting"


# ---- killing, and the family --------------------------------------------------------------------------------


def test_stop_sends_the_kill_signal_and_after_the_timeout_kill() -> None:
    host = Driver("a: exec sleep; kill signal INT; kill timeout 20")
    host.stubborn.add("a")
    host.start("a")
    stop = host.stop("a")
    assert host.timers == {(("a", ""), "kill"): host.now + 20}
    host.fire("kill", "a")
    assert [(signal.signal, signal.family) for signal in host.signals] == [("INT", False), ("KILL", True)]
    assert (host.answer(stop), host.timers) == ("ok", {})


def test_kill_timer_is_cancelled_when_main_exits() -> None:
    host = Driver("a: exec sleep")
    host.start("a")
    host.stop("a")
    assert not host.timers


def test_kill_schedule_goes_through_its_steps() -> None:
    host = Driver("a: exec sleep; kill schedule INT/3/TERM/2/KILL")
    host.stubborn.add("a")
    host.start("a")
    host.stop("a")
    for _unused in range(2):
        host.fire("kill", "a")
    assert [signal.signal for signal in host.signals] == ["INT", "TERM", "KILL"]
    assert host.status("a") == "stop/waiting"


def test_the_family_ends_before_post_stop() -> None:
    """We differ: Upstart leaves what outlives main."""
    host = Driver("a: exec sleep; post-stop exec x")
    host.held_families.add("a")
    host.start("a")
    host.stop("a")
    assert host.status("a") == "stop/killed"
    assert [(family.signal, family.grace) for family in host.families] == [("TERM", 5.0)]
    host.put(FamilyEnded(("a", "")))
    assert host.status("a") == "stop/post-stop"


def test_a_family_of_which_nothing_is_left_is_not_waited_for() -> None:
    """What listens to `stopped` is to hear it in the round in which it came in Upstart, not in a later one."""
    host = Driver("a: exec sleep")
    host.start("a")
    host.put(ProcessExited(("a", ""), MAIN, host.instance("a").processes[MAIN], 0, alone=True))
    assert host.status("a") == "stop/waiting"
    assert not host.families


def test_nothing_is_ended_where_nothing_was_started() -> None:
    host = Driver("a: exec sleep", "t: start on starting a; task; exec x")
    host.start("a")
    host.stop("a")
    host.exit("t")
    assert host.status("a") == "stop/waiting"
    assert [family.key for family in host.families] == [("t", "")]


def test_the_family_of_a_script_that_followed_is_ended() -> None:
    host = Driver("a: exec sleep; post-stop exec x")
    host.start("a")
    host.put(ProcessExited(("a", ""), MAIN, host.instance("a").processes[MAIN], 0, alone=True))
    host.exit("a", ProcessKind.POST_STOP)
    assert [family.signal for family in host.families] == ["KILL"]


def test_the_family_gets_no_grace_after_kill() -> None:
    host = Driver("a: exec sleep")
    host.stubborn.add("a")
    host.start("a")
    host.stop("a")
    host.fire("kill", "a")
    assert [(family.signal, family.grace) for family in host.families] == [("KILL", 0.0)]


def test_a_job_that_keeps_leftovers_leaves_the_family() -> None:
    host = Driver("a: exec sleep; keep leftovers; post-stop exec true")
    host.start("a")
    host.stop("a")
    host.exit("a", ProcessKind.POST_STOP)
    assert host.status("a") == "stop/waiting"
    assert not host.families


def test_post_stop_of_a_job_without_main_runs_before_the_family_ends() -> None:
    host = Driver("a: pre-start exec x start; post-stop exec x stop")
    host.start("a")
    host.exit("a", ProcessKind.PRE_START)
    host.stop("a")
    assert not host.families
    host.exit("a", ProcessKind.POST_STOP)
    assert len(host.families) == 1
    assert host.status("a") == "stop/waiting"


def test_reload_signals_main_alone() -> None:
    host = Driver("b: exec sleep; reload signal USR1")
    host.start("b")
    assert host.answer(host.reload("b")) == "ok"
    assert host.signals == [Signal(("b", ""), MAIN, "USR1", alone=True)]


# ---- tasks --------------------------------------------------------------------------------------------------


def test_start_of_a_task_blocks_until_it_has_ended() -> None:
    host = Driver("t: task; exec x")
    request = host.start("t")
    assert (host.status("t"), host.answer(request)) == ("start/running", "")
    host.exit("t")
    assert (host.status("t"), host.answer(request)) == ("stop/waiting", "ok")


def test_failing_task_fails_its_start() -> None:
    host = Driver("t: task; exec x")
    request = host.start("t")
    host.kill("t", "KILL")
    assert host.answer(request) == "Job failed to start"
    assert "Failed 2304" in host.of("t")
    assert "stopped [JOB=t INSTANCE= RESULT=failed PROCESS=main EXIT_SIGNAL=KILL]" in host.events()


def test_a_task_without_main_stays_running_and_blocks() -> None:
    host = Driver("t: task")
    request = host.start("t")
    assert (host.status("t"), host.answer(request)) == ("start/running", "")


def test_an_end_that_nobody_can_tell_counts_as_failure() -> None:
    host = Driver("t: task; exec x")
    request = host.start("t")
    host.put(ProcessExited(("t", ""), MAIN, host.instance("t").processes[MAIN]))
    assert host.answer(request) == "Job failed to start"
    assert "Failed -1" in host.of("t")
