# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the jobs and whatever happens, some things always hold."""

from __future__ import annotations

from typing import Any, Optional

from ansible_collections.foster.init.plugins.module_utils.engine.engine import Engine
from ansible_collections.foster.init.plugins.module_utils.engine.instance import Instance
from ansible_collections.foster.init.plugins.module_utils.engine.messages import Announce, Define, FamilyEnded, StopAll
from ansible_collections.foster.init.plugins.module_utils.engine.records import _encode_event, _encode_instance
from ansible_collections.foster.init.plugins.module_utils.job.model import ProcessKind
from driver import ENVIRONMENT, MAIN, Driver
from hypothesis import given
from hypothesis import strategies as st
from invariants import Watch
from test_records import Disk

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
        self.watch: Optional[Watch] = None
        super().__init__(*definitions)
        self.watch = Watch(self)
        self.held_families |= set(NAMES)
        self.held_spawns |= {(name, kind) for name in NAMES for kind in ProcessKind}
        self.stubborn |= set(NAMES)

    def _spawn(self, effect: Any) -> Any:
        if self.watch is not None:
            self.watch.spawn(effect)
        return super()._spawn(effect)

    @classmethod
    def after(cls, host: Watched, disk: Disk) -> Watched:
        """Return a host with an engine made from the records of ``host``, in the same world."""
        disk.save(host.engine)
        fresh = cls()
        fresh.engine = Engine(ENVIRONMENT)
        fresh.now = host.now
        jobs = [job_class.job for job_class in host.engine.jobs.values()]
        effects = fresh.engine.restore(disk.records, jobs, fresh.now)
        fresh.timers = dict(host.timers)
        fresh._pid, fresh._requests = host._pid, host._requests
        fresh.watch = None  # it has not seen the beginning
        assert not [effect for effect in effects if isinstance(effect, Announce)]
        return fresh

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
            if kind is ProcessKind.PRE_START and how < 3 and self.watch is not None:
                self.watch.pre_started(instance.key)
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
        if self.watch is not None:
            self.watch.check()
        return effects

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


@given(st.tuples(_jobs(), _jobs(), _jobs()), _ACTIONS, st.integers(0, 24), st.booleans())
def test_an_engine_made_from_the_records_goes_on_in_the_same_way(
    jobs: tuple[str, ...], actions: list[Any], crash: int, every_step: bool
) -> None:
    """A crash at any step, and the same world afterwards: what is announced is the same to the end."""
    host = Watched(*(f"{name}: {text}" for name, text in zip(NAMES, jobs)))
    disk = Disk()
    for action in actions[:crash]:
        host.act(*action)
        if every_step:
            disk.save(host.engine)
    fresh = Watched.after(host, disk)
    assert _picture(fresh) == _picture(host)
    for job_class in list(host.engine.jobs.values()):
        if job_class.instances:  # all definitions are loaded anew, as when Upstart re-executes
            host.put(Define(job_class.job))
    host.take()
    for action in actions[crash:]:
        for each in (host, fresh):
            each.act(*action)
        assert fresh.take() == host.take()
        assert _picture(fresh) == _picture(host)
    for each in (host, fresh):
        each.put(StopAll(99999))
        each.settle()
    assert fresh.take() == host.take()
    assert not fresh.all_instances() and not fresh.engine.events.events


def _picture(host: Driver) -> dict[str, Any]:
    """Return what there is; events are counted from 1, since the numbers of those that are gone are free."""
    engine = host.engine
    rank = {number: place for place, number in enumerate(sorted(engine.events.events), 1)}

    def counted(record: dict[str, Any]) -> dict[str, Any]:
        for field in ("blocking", "stop_on", "ready_on"):
            if field in record:
                record[field] = [rank.get(number) for number in record[field]]
        if "blocker" in record:
            record["blocker"] = rank[record["blocker"]]
        return record

    return {
        "environment": engine.environment,
        "events": {rank[n]: (_encode_event(event), event.holders) for n, event in engine.events.events.items()},
        "instances": {each.key: counted(_encode_instance(each)) for each in engine.catalogue.instances()},
        "conditions": {
            name: [rank.get(number) for number in each.start_on.taken()]
            for name, each in engine.jobs.items()
            if each.start_on is not None
        },
    }  # fmt: skip
