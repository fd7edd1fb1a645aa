# SPDX-License-Identifier: GPL-3.0-or-later
"""What an event has led to, and what it would lead to: the second must never touch the engine."""

from __future__ import annotations

from ansible_collections.foster.init.plugins.module_utils.engine.foresight import foresee
from ansible_collections.foster.init.plugins.module_utils.engine.messages import Consequences, Emit
from driver import Driver
from hypothesis import given
from hypothesis import strategies as st

CHAIN = (
    "web: start on deploy; stop on undeploy; exec x",
    "warm: start on started web; task; exec x",
    "report: start on stopped warm; task; exec x",
    "watch: start on started web; stop on stopping web; exec x",
)


def tell(host: Driver, name: str, *env: str, wait: bool = True) -> int:
    return host._ask(Emit(host._number(), name, env, wait, tell=True))


def keys(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, "") for name in names)


def test_an_event_tells_what_it_started_directly_and_by_way_of_jobs() -> None:
    host = Driver(*CHAIN)
    request = tell(host, "deploy")
    assert host.replies[request].value == Consequences(started=keys("web", "warm", "watch"))


def test_what_another_event_moved_meanwhile_is_not_told() -> None:
    host = Driver(*CHAIN, "task: start on deploy; task; exec x", "other: start on else; exec x")
    request = tell(host, "deploy")
    host.emit("else")
    host.exit("warm")
    host.exit("task")
    assert host.replies[request].value.started == keys("web", "task", "warm", "watch", "report")


def test_an_event_tells_what_it_stopped_and_who_failed() -> None:
    host = Driver(*CHAIN, "check: start on undeploy; task; exec x")
    host.emit("deploy")
    host.exit("warm")
    request = tell(host, "undeploy")
    host.exit("check", code=3)
    told = host.replies[request].value
    assert told == Consequences(keys("check"), keys("web", "watch"), keys("check"), finished=True, failed=True)


def test_without_waiting_it_tells_what_has_begun() -> None:
    host = Driver("t: start on go; task; exec x")
    request = tell(host, "go", wait=False)
    assert host.replies[request].value == Consequences(started=keys("t"), finished=False)


def test_foresight_goes_on_where_tasks_end_and_services_run() -> None:
    host = Driver(*CHAIN)
    foreseen = foresee(host.engine, "deploy", (), host.now)
    assert foreseen == Consequences(started=keys("web", "warm", "watch"))
    host.emit("deploy")
    host.exit("warm")
    host.exit("report")
    assert foresee(host.engine, "undeploy", (), host.now) == Consequences(stopped=keys("web", "watch"))


def test_foresight_knows_half_of_a_condition_and_says_that_the_event_would_be_held() -> None:
    host = Driver("both: start on left and right; exec x")
    assert foresee(host.engine, "left", (), host.now) == Consequences(finished=False)
    host.emit("left")
    assert foresee(host.engine, "right", (), host.now) == Consequences(started=keys("both"))


def test_foresight_ends_with_jobs_that_start_each_other_for_ever() -> None:
    circle = ("a: start on go or stopped b; task; exec x", "b: start on stopped a; task; exec x")
    host = Driver(*circle, "held: start on go and never; exec x")
    assert foresee(host.engine, "go", (), host.now) == Consequences(started=keys("a", "b"), finished=False)


@given(st.lists(st.sampled_from(("deploy", "undeploy", "left", "right", "run")), max_size=8), st.booleans())
def test_foresight_predicts_what_then_happens_and_changes_nothing(events: list[str], half_way: bool) -> None:
    host = Driver(
        *CHAIN, "both: start on left and right; stop on undeploy; exec x", "job: start on run N=1; instance $N; exec x"
    )
    for name in events:
        list(host.engine.changes())
        before = host.engine._records.whole(host.engine)
        foreseen = foresee(host.engine, name, ("N=1",), host.now)
        assert host.engine._records.whole(host.engine) == before
        assert list(host.engine.changes()) == []
        request = tell(host, name, "N=1", wait=foreseen.finished)
        if not half_way:
            for instance in list(host.engine.catalogue.instances()):
                if instance.job.task and instance.processes:
                    host.exit(instance.job.name)
        told = host.replies[request].value
        assert (told.started[: len(foreseen.started)], told.stopped) == (foreseen.started, foreseen.stopped)
