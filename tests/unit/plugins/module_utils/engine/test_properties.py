# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the jobs and whatever happens, some things always hold."""

from __future__ import annotations

from typing import Any

from ansible_collections.foster.init.plugins.module_utils.engine.event import HANDLING
from ansible_collections.foster.init.plugins.module_utils.engine.instance import Instance
from ansible_collections.foster.init.plugins.module_utils.engine.messages import FamilyEnded, StopAll
from ansible_collections.foster.init.plugins.module_utils.engine.records import _encode_event, _encode_instance
from ansible_collections.foster.init.plugins.module_utils.job.model import ProcessKind
from driver import MAIN, Driver
from hypothesis import given
from hypothesis import strategies as st
from test_records import Disk, reborn

NAMES = ("a", "b", "c")
_EVENTS = st.sampled_from(
    ["x", "y", "z", *(f"{event} {name}" for event in ("starting", "started", "stopping", "stopped") for name in NAMES)]
)


@st.composite
def _conditions(draw: Any) -> str:
    shape = draw(st.sampled_from(["{0}", "{0} and {1}", "{0} or {1}", "({0} and {1}) or {2}", "{0} and ({1} or {2})"]))
    return str(shape.format(draw(_EVENTS), draw(_EVENTS), draw(_EVENTS)))


@st.composite
def _jobs(draw: Any) -> str:
    lines = []
    if draw(st.booleans()):
        lines.append(f"start on {draw(_conditions())}")
    if draw(st.booleans()):
        lines.append(f"stop on {draw(_conditions())}")
    for stanza in ("task", "respawn", "expect fork", "restart in place", "keep leftovers", "respawn delay 1 4"):
        if draw(st.integers(0, 3)) == 0:
            lines.append(stanza)
    for process in ("exec", "pre-start exec", "post-start exec", "pre-stop exec", "post-stop exec"):
        if draw(st.integers(0, 2 if process != "exec" else 5)):
            lines.append(f"{process} x")
    return "; ".join(lines)


_ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(
            ["start", "stop", "restart", "emit", "end", "end", "end", "ready", "fire", "spawned", "family"]
        ),
        st.integers(0, 20),
        st.integers(0, 3),
    ),
    max_size=25,
)


class Watched(Driver):
    """A host that answers nothing by itself, and watches what may never happen."""

    def __init__(self, *definitions: str) -> None:
        self.pre_started: set[str] = set()
        self.owed_post_stop: set[str] = set()
        super().__init__(*definitions)
        self.held_families |= set(NAMES)
        self.held_spawns |= {(name, kind) for name in NAMES for kind in ProcessKind}
        self.stubborn |= set(NAMES)

    def _spawn(self, effect: Any) -> Any:
        job = effect.key[0]
        if effect.kind is MAIN:
            assert effect.job.pre_start is None or job in self.pre_started, "main without pre-start"
            self.owed_post_stop.add(job)
        if effect.kind is ProcessKind.POST_STOP:
            self.owed_post_stop.discard(job)
        return super()._spawn(effect)

    def all_instances(self) -> list[Instance]:
        return self.engine.catalogue.instances()

    def act(self, what: str, which: int, how: int) -> None:
        """Let one thing happen, if it can."""
        name = NAMES[which % len(NAMES)]
        instances = self.all_instances()
        if what in ("start", "stop", "restart"):
            getattr(self, what)(name, wait=bool(how))
        elif what == "emit":
            self.emit("xyz"[which % 3])
        elif instances:
            instance = instances[which % len(instances)]
            self._act_on(instance, what, which, how)

    def _act_on(self, instance: Instance, what: str, which: int, how: int) -> None:
        name = instance.job_class.name
        if what == "end" and instance.processes:
            kinds = list(instance.processes)
            kind = kinds[which % len(kinds)]
            if kind is ProcessKind.PRE_START and how < 3:
                self.pre_started.add(name)
            self.exit(name, kind, code=how // 3)
        elif what == "ready" and MAIN in instance.processes:
            self.ready(name)
        elif what == "fire":
            timers = [timer for key, timer in self.timers if key == instance.key]
            if timers:
                self.fire(timers[0], name)
        elif what == "spawned" and instance.spawning:
            self.spawned(name, instance.spawning[0])
        elif what == "family" and instance.ending_family:
            self.put(FamilyEnded(instance.key))

    def put(self, message: Any) -> Any:
        effects = super().put(message)
        self.check()
        return effects

    def check(self) -> None:
        """Check what always holds between two inputs."""
        holders: dict[int, int] = {}
        waiting = set()
        for job_class in self.engine.jobs.values():
            trees = [job_class.start_on, *(instance.stop_on for instance in job_class.instances.values())]
            for tree in trees:
                for number in tree.taken() if tree is not None else ():
                    if number is not None:
                        holders[number] = holders.get(number, 0) + 1
        for instance in self.all_instances():
            assert instance.state != "waiting"
            if instance.state == "running" and instance.job.exec_main is not None:
                assert MAIN in instance.processes, "running without a process"
            for waiter in instance.blocking:
                if hasattr(waiter, "number"):
                    holders[waiter.number] = holders.get(waiter.number, 0) + 1
                else:
                    waiting.add(waiter.request)
            assert (instance.blocker is None) or instance.blocker.number in self.engine.events.events
            if instance.state in ("starting", "stopping"):
                assert instance.blocker is not None, "nothing would ever move it"
        for event in self.engine.events.events.values():
            assert event.progress == HANDLING
            assert event.holders > 0, "nobody holds it, so it should have finished"
            assert event.holders == holders.get(event.number, 0), "counted wrongly"
            waiting |= {waiter for waiter in event.waiting if isinstance(waiter, int)}
        asked = set(range(1, self._requests + 1)) if hasattr(self, "_requests") else set()
        assert asked - set(self.replies) <= waiting | {99999}, "a request that nobody will answer"
        for name in NAMES:
            job_class = self.engine.jobs.get(name)
            if job_class is not None and not job_class.instances and job_class.job.post_stop is not None:
                assert name not in self.owed_post_stop, "a start without post-stop"
                self.pre_started.discard(name)

    def settle(self) -> None:
        """Let everything end that can end."""
        for _unused in range(400):
            instances = self.all_instances()
            if not instances:
                return
            for instance in instances:
                for what in ("spawned", "family", "end", "fire"):
                    if self.engine.instance(instance.key) is instance:
                        self._act_on(instance, what, 0, 0)


@given(st.tuples(_jobs(), _jobs(), _jobs()), _ACTIONS)
def test_invariants_hold_and_stop_always_reaches_waiting(jobs: tuple[str, ...], actions: list[Any]) -> None:
    host = Watched(*(f"{name}: {text}" for name, text in zip(NAMES, jobs)))
    for action in actions:
        host.act(*action)
    host.put(StopAll(99999))
    host.settle()
    assert not host.all_instances(), "stop did not reach waiting"
    assert 99999 in host.replies
    assert not host.engine.events.events, "an event was left"
    assert not set(range(1, host._requests + 1)) - set(host.replies), "a request was not answered"
    assert not host.timers


@given(st.tuples(_jobs(), _jobs(), _jobs()), _ACTIONS, st.integers(0, 24))
def test_an_engine_made_from_the_records_is_the_same(jobs: tuple[str, ...], actions: list[Any], crash: int) -> None:
    host = Watched(*(f"{name}: {text}" for name, text in zip(NAMES, jobs)))
    disk = Disk()
    for number, action in enumerate(actions):
        host.act(*action)
        if number % 3 == 0:
            disk.save(host.engine)
        if number == crash:
            break
    fresh = reborn(host, disk, answers=False)
    assert _picture(fresh) == _picture(host)


def _picture(host: Driver) -> dict[str, Any]:
    engine = host.engine
    return {
        "environment": engine.environment,
        "events": {number: (_encode_event(event), event.holders) for number, event in engine.events.events.items()},
        "instances": {each.key: _encode_instance(each) for each in engine.catalogue.instances()},
        "conditions": {name: each.start_on.taken() for name, each in engine.jobs.items() if each.start_on is not None},
    }  # fmt: skip
