# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole machine in virtual time: scripts and tasks that take a while, services that stay until they are stopped.

`FOSTER_CORPUS` may name a folder of real job files, which are then booted as well.
"""

from __future__ import annotations

import heapq
import os
import random
from pathlib import Path
from typing import Any, Optional

import pytest
from ansible_collections.foster.init.plugins.module_utils.engine.condition import matches_in
from ansible_collections.foster.init.plugins.module_utils.engine.messages import (
    Define,
    Effect,
    Emit,
    Input,
    ProcessExited,
    Ready,
    SetTimer,
    Signal,
    Spawn,
    StopAll,
    TimerFired,
)
from ansible_collections.foster.init.plugins.module_utils.job.model import Job, ProcessKind
from ansible_collections.foster.init.plugins.module_utils.job.parser import parse_job
from driver import MAIN, Driver
from invariants import Watch

# The shape of a ChromiumOS boot: milestones without a process, tasks in between, services behind them.
BOOT = {
    "startup": "start on startup; task; exec startup",
    "boot-services": "start on stopped startup; stop on starting halt",
    "syslog": "start on starting boot-services; stop on stopped boot-services; respawn; exec syslogd",
    "dbus": "start on starting boot-services; stop on stopping boot-services; expect fork; exec dbus-daemon",
    "udev": "start on starting boot-services; stop on stopping boot-services; pre-start exec mkdir; exec udevd",
    "ui": "start on started boot-services and started dbus; stop on stopping system-services; respawn; "
    "pre-start exec prepare; exec ui; post-start exec settle; post-stop exec tidy",
    "system-services": "start on started boot-services; stop on stopping boot-services",
    "net": "start on started system-services and started syslog; stop on stopping system-services; respawn; exec shill",
    "report": "start on stopped net RESULT=failed; task; exec crash-reporter",
    "install": "start on started system-services; task; exec install",
    "login": "start on stopped install and started ui; exec login; stop on stopping ui",
    "halt": "start on halt; task; exec halt",
}


class Machine(Driver):
    """Processes that live in virtual time. ``order`` is where main and pre-start were seen, for the invariants."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = random.Random(seed)
        self.clock: list[tuple[float, int, Input]] = []
        self.started: list[tuple[str, ProcessKind]] = []
        self.watch: Optional[Watch] = Watch(self)  # None: too many jobs to look at all of them at every step
        self._sequence = 0

    def later(self, seconds: float, message: Input) -> None:
        self._sequence += 1
        heapq.heappush(self.clock, (self.now + seconds, self._sequence, message))

    def run(self, limit: int = 1_000_000) -> None:
        """Let time pass until nothing is left to happen."""
        for _unused in range(limit):
            if not self.clock:
                return
            self.now, _number, message = heapq.heappop(self.clock)
            if isinstance(message, TimerFired) and self.timers.pop((message.key, message.name), None) is None:
                continue
            ended = isinstance(message, ProcessExited) and message.kind is ProcessKind.PRE_START and not message.code
            if ended and self.watch is not None:
                self.watch.pre_started(message.key)
            self.put(message)
        raise AssertionError("it never comes to rest")

    def put(self, message: Input) -> list[Effect]:
        effects = super().put(message)
        if self.watch is not None:
            self.watch.check()
        return effects

    def carry_out(self, effects: Any) -> list[Input]:
        answers = super().carry_out(effects)
        for effect in effects:
            if isinstance(effect, SetTimer):
                self.later(effect.seconds, TimerFired(effect.key, effect.name))
        return answers

    def _spawn(self, effect: Spawn) -> list[Input]:
        answers = super()._spawn(effect)
        key, kind, job = effect.key, effect.kind, effect.job
        self.started.append((key[0], kind))
        if self.watch is not None:
            self.watch.spawn(effect)
        if kind is MAIN and job.expect.kind != "none":
            self.later(self.random.uniform(0.01, 0.5), Ready(key, self._pid))
        if kind is not MAIN or job.task:
            self.later(self.random.uniform(0.01, 3), ProcessExited(key, kind, self._pid, 0))
        return answers

    def _signal(self, effect: Signal) -> list[Input]:
        for answer in super()._signal(effect):
            self.later(self.random.uniform(0.001, 0.2), answer)
        return []


def _boot(machine: Machine) -> None:
    machine.put(Emit(None, "startup", (), False))
    machine.run()


@pytest.mark.parametrize("seed", range(20))
def test_a_boot_comes_up_and_goes_down_in_order(seed: int) -> None:
    machine = Machine(seed)
    for name, text in BOOT.items():
        machine.define(name, text)
    _boot(machine)
    up = {job.job_class.name for job in machine.engine.catalogue.instances()}
    assert up == set(BOOT) - {"startup", "install", "report", "halt"}
    assert all(each.state == "running" for each in machine.engine.catalogue.instances())
    order = [line for line in machine.take() if "StateChanged running" in line]
    assert order.index("dbus/ StateChanged running") < order.index("boot-services/ StateChanged running")
    assert order.index("boot-services/ StateChanged running") < order.index("ui/ StateChanged running")
    machine.emit("halt")
    machine.run()
    assert not machine.engine.catalogue.instances()
    assert not machine.engine.events.events
    down = machine.take()
    assert down.index("ui/ StateChanged waiting") < down.index("system-services/ StateChanged killed")
    assert down.index("system-services/ StateChanged waiting") < down.index("boot-services/ StateChanged killed")
    counted = [kind for name, kind in machine.started if name == "ui"]
    assert counted.count(MAIN) == counted.count(ProcessKind.POST_STOP) == 1


@pytest.mark.parametrize("seed", range(5))
def test_services_that_die_come_back_and_a_shutdown_ends_all(seed: int) -> None:
    machine = Machine(seed)
    for name, text in BOOT.items():
        machine.define(name, text)
    _boot(machine)
    for _unused in range(30):
        victim = machine.random.choice(["ui", "net", "syslog"])
        machine.now += 3
        machine.kill(victim)
        machine.run()
        assert machine.status(victim) == "start/running"
    machine.put(StopAll(99))
    machine.run()
    assert machine.answer(99) == "ok"
    assert machine.started.count(("ui", MAIN)) == machine.started.count(("ui", ProcessKind.POST_STOP))


def test_ten_thousand_jobs_and_ten_thousand_events() -> None:
    machine = Machine(0)
    machine.watch = None
    for number in range(10_000):
        text = f"start on go N={number} or started j{number - 1}\nstop on end\n{'task' if number % 3 else ''}\nexec x\n"
        machine.put(Define(parse_job(text, f"j{number}", f"j{number}.conf")))
    for number in range(0, 10_000, 10):
        machine.put(Emit(None, "go", (f"N={number}",), False))
    for number in range(9_000):
        machine.put(Emit(None, "nobody", (f"N={number}",), False))
    machine.run()
    assert len({name for name, kind in machine.started if kind is MAIN}) == 10_000
    assert {each.job.task for each in machine.engine.catalogue.instances()} == {False}
    machine.emit("end")
    machine.run()
    assert not machine.engine.catalogue.instances()
    assert not machine.engine.events.events


_CORPUS = os.environ.get("FOSTER_CORPUS", "")


def _real_jobs() -> list[Job]:
    """Return the real job files, those of one name once: several of a corpus are for different machines."""
    jobs: dict[str, Job] = {}
    for path in sorted(Path(_CORPUS).rglob("*.conf")):
        name = path.stem.rpartition("__")[2]
        jobs.setdefault(name, parse_job(path.read_text(), name, str(path)))
    return list(jobs.values())


@pytest.mark.skipif(not _CORPUS, reason="FOSTER_CORPUS names no folder of job files")
@pytest.mark.parametrize("seed", range(3))
def test_real_job_files_boot_run_and_shut_down(seed: int) -> None:
    """One boot of everything there is: what a job waits for and no file gives is emitted, then things go wrong."""
    jobs = _real_jobs()
    machine = Machine(seed)
    for job in jobs:
        machine.put(Define(job))
    _boot(machine)
    known = {job.name for job in jobs}
    for match in dict.fromkeys(match for job in jobs for match in matches_in(job.start_on)):
        first = match.arguments[0] if match.arguments else ""
        subject = first.partition("=")[2] if "=" in first else first
        if subject not in known:
            extra = ("RESULT=ok",) if match.event.startswith("stop") else ()
            machine.emit(match.event, f"JOB={subject}", "INSTANCE=", *extra)
    machine.run()
    assert machine.started
    running = [each for each in machine.engine.catalogue.instances() if MAIN in each.processes]
    assert len(running) > len(jobs) // 4
    for instance in machine.random.sample(running, len(running) // 2):
        if machine.engine.instance(instance.key) is instance and MAIN in instance.processes:
            machine.now += machine.random.uniform(0, 3)
            machine.exit(instance.job_class.name, code=machine.random.choice((0, 1)), instance=instance.name)
    machine.run()
    machine.put(StopAll(99))
    machine.run()
    assert machine.answer(99) == "ok"
    assert not machine.engine.events.events and not machine.engine.catalogue.instances()
