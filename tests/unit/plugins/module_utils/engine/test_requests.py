# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands: their messages, the instance they mean, the environment they bring."""

from __future__ import annotations

import pytest
from ansible_collections.foster.init.plugins.module_utils.engine.engine import Engine
from ansible_collections.foster.init.plugins.module_utils.engine.messages import Emit, Refuse, Reply, SetJobEnv
from ansible_collections.foster.init.plugins.module_utils.job.model import ProcessKind
from driver import MAIN, Driver


def _refusal(host: Driver, request: int) -> tuple[str, str]:
    answer = host.replies[request]
    assert isinstance(answer, Refuse)
    return answer.error, answer.message


def test_messages_of_upstart() -> None:
    host = Driver("a: exec z", "i: instance $N; env N=d; exec z", 'q: instance $Q; usage "Q=queue"; exec z')
    host.start("i", "N=a")
    assert _refusal(host, host.start("x")) == ("UnknownJob", "Unknown job: x")
    assert _refusal(host, host.stop("x")) == ("UnknownJob", "Unknown job: x")
    assert _refusal(host, host.stop("a")) == ("UnknownInstance", "Unknown instance: ")
    assert _refusal(host, host.restart("i", "N=b")) == ("UnknownInstance", "Unknown instance: b")
    assert _refusal(host, host.start("i", "N=a")) == ("AlreadyStarted", "Job is already running: i (a)")
    assert _refusal(host, host.start("q")) == ("InvalidArgs", "Unknown parameter: Q\nUsage: Q=queue")
    assert _refusal(host, host.stop("q")) == ("InvalidArgs", "Unknown parameter: Q")
    assert _refusal(host, host.start("a", "X")) == ("InvalidArgs", "Env must be KEY=VALUE pairs")
    assert _refusal(host, host.emit("ev", "bad")) == ("InvalidArgs", "Env must be KEY=VALUE pairs")
    assert _refusal(host, host.emit("")) == ("InvalidArgs", "Name may not be empty string")
    assert _refusal(host, host.reload("a")) == ("UnknownInstance", "Unknown instance: ")


def test_a_stop_of_what_is_stopping_is_refused() -> None:
    host = Driver("k: exec z", "i: instance $N; exec z")
    host.stubborn |= {"k", "i"}
    host.start("k")
    host.stop("k")
    assert _refusal(host, host.stop("k")) == ("AlreadyStopped", "Job has already been stopped: k")
    host.start("i", "N=a")
    host.stop("i", "N=a")
    assert _refusal(host, host.restart("i", "N=a")) == ("AlreadyStopped", "Job has already been stopped: a")
    assert _refusal(host, host.restart("i", instance="a")) == ("AlreadyStopped", "Job has already been stopped: i (a)")


def test_reload_without_a_main_process_is_refused() -> None:
    host = Driver("a: pre-start exec x")
    host.start("a")
    assert _refusal(host, host.reload("a")) == ("NotRunning", "Job is not running: a")


def test_the_reply_names_the_instance() -> None:
    host = Driver("i: instance $N; exec z")
    request = host.start("i", "N=a b/c")
    assert host.replies[request] == Reply(request, ("i", "a b/c"))


def test_the_opposite_operation_releases_who_waits() -> None:
    host = Driver("p: pre-start exec x; exec z")
    start = host.start("p")
    stop = host.stop("p")
    again = host.start("p")
    assert [host.answer(request) for request in (start, stop, again)] == ["ok", "ok", ""]


def test_two_starts_never_give_two_copies() -> None:
    host = Driver("a: exec z")
    host.held_spawns.add(("a", MAIN))
    host.start("a")
    assert _refusal(host, host.start("a"))[0] == "AlreadyStarted"
    assert len(host.spawns) == 1


def test_instances_are_chosen_by_the_jobs_defaults_and_the_commands_variables() -> None:
    host = Driver("i: instance $N; env N=dflt; env M=0; exec z; post-stop exec p")
    host.start("i")
    host.start("i", "N=b", "M=7")
    assert sorted(host.engine.jobs["i"].instances) == ["b", "dflt"]
    host.stop("i", "N=b", "STOPVAR=x")
    env = host.environment_of("i", ProcessKind.POST_STOP, "b")
    assert (env["M"], env["STOPVAR"], env["UPSTART_INSTANCE"]) == ("7", "x", "b")
    assert host.status("i", "dflt") == "start/running"


def test_an_instance_that_is_started_by_name_keeps_its_environment() -> None:
    host = Driver("i: instance $N; exec z")
    host.stubborn.add("i")
    host.start("i", "N=a", "X=1")
    host.stop("i", "N=a")
    host.start("i", instance="a")
    host.fire("kill", "i", "a")
    assert host.environment_of("i", MAIN, "a")["X"] == "1"


def test_the_layers_of_an_environment() -> None:
    engine = Engine(("PATH=/bin", "TERM=linux"), ("UPSTART_SESSION=s",), {"LANG": "C"})
    host = Driver("a: env A=job; env LANG; env NOPE; env C=$A-x; env PATH=/usr/bin; start on go; exec z", engine=engine)
    host.emit("go", "A=event", "UPSTART_JOB=fake")
    assert host.environment_of("a") == {
        "PATH": "/usr/bin", "TERM": "linux", "A": "event", "LANG": "C", "C": "$A-x", "UPSTART_JOB": "a",
        "UPSTART_EVENTS": "go", "UPSTART_INSTANCE": "", "UPSTART_SESSION": "s",
    }  # fmt: skip


def test_no_upstart_events_after_a_manual_start_and_no_result_in_post_stop() -> None:
    host = Driver("a: exec z; post-stop exec p")
    host.start("a")
    host.exit("a", code=1)
    env = host.environment_of("a", ProcessKind.POST_STOP)
    assert not {"UPSTART_EVENTS", "UPSTART_STOP_EVENTS", "RESULT", "PROCESS", "EXIT_STATUS"} & set(env)


def test_the_global_environment_reaches_jobs_that_run_and_those_that_start() -> None:
    host = Driver("a: exec z; post-stop exec p", "b: exec z")
    host.start("a")
    host.put(SetJobEnv(50, None, ("GLOBAL=1", "EMPTY")))
    host.start("b")
    host.stop("a")
    assert host.environment_of("a", ProcessKind.POST_STOP)["GLOBAL"] == "1"
    assert host.environment_of("b")["EMPTY"] == ""
    host.put(SetJobEnv(51, None, ("GLOBAL=2",), replace=False))
    assert "GLOBAL=1" in host.engine.environment
    host.put(SetJobEnv(52, None, ("GLOBAL",), unset=True))
    assert "GLOBAL=1" not in host.engine.environment
    host.put(SetJobEnv(53, None, reset=True))
    assert host.engine.environment == ("PATH=/usr/bin:/bin", "TERM=linux")
    assert [host.answer(request) for request in (50, 51, 52, 53)] == ["ok"] * 4


def test_set_env_from_inside_a_job_affects_only_that_job() -> None:
    host = Driver("a: exec z; post-stop exec p", "b: exec z")
    host.start("a")
    host.put(SetJobEnv(50, ("a", ""), ("ONLY=a",)))
    host.start("b")
    host.stop("a")
    assert "ONLY" not in host.environment_of("b")
    assert host.environment_of("a", ProcessKind.POST_STOP)["ONLY"] == "a"
    host.put(SetJobEnv(51, ("b", "zz"), ("ONLY=a",)))
    assert _refusal(host, 51) == ("UnknownJobInstance", "Unknown instance: zz of job b")


@pytest.mark.parametrize("wait", [True, False])
def test_a_request_that_nobody_asked_for_is_not_answered(wait: bool) -> None:
    host = Driver("a: start on go; exec z")
    host.put(Emit(None, "go", (), wait))
    host.put(Emit(None, "", (), wait))
    assert not host.replies
