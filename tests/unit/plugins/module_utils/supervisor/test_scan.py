# SPDX-License-Identifier: GPL-3.0-or-later
"""Families of a supervisor that has crashed, without cgroups: looks through /proc, counted, in a /proc of our own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest
from ansible_collections.foster.init.plugins.module_utils.engine.messages import EndFamily, FamilyEnded
from ansible_collections.foster.init.plugins.module_utils.supervisor.ending import Ender
from ansible_collections.foster.init.plugins.module_utils.supervisor.tracking import mark, proc
from ansible_collections.foster.init.plugins.module_utils.supervisor.tracking.family import Families, Look

JOBS = 50
MOST = {"KILL": 6, "TERM": 24}  # scans; most of those of TERM are looks in the five seconds that it leaves
KEYS = [(f"job{number}", "") for number in range(JOBS)]


class Processes:
    """A /proc: (mark, state, start time) by pid. All of them have another parent. It counts how often it is listed."""

    def __init__(self) -> None:
        self.there: dict[int, tuple[int, str, int]] = {}
        self.scans = 0

    def all_pids(self):
        self.scans += 1
        return list(self.there)

    def mark(self, pid):
        return self.there[pid][0] if pid in self.there else None

    def stat(self, pid):
        if pid not in self.there:
            return None
        _mark, state, start = self.there[pid]
        return proc.Stat(pid, state, 1, pid, pid, start)

    def end(self, pid: int, reaped: bool = False) -> None:
        number, _state, start = self.there.pop(pid)
        if not reaped:
            self.there[pid] = (number, "Z", start)


@pytest.fixture
def processes(monkeypatch):
    made = Processes()
    monkeypatch.setattr(proc, "all_pids", made.all_pids)
    monkeypatch.setattr(proc, "stat", made.stat)
    monkeypatch.setattr(mark, "of", made.mark)
    return made


@pytest.fixture
def turn():
    """The number of the turn, in a list so that a test can go on to the next one."""
    return [1]


@pytest.fixture
def families(processes, turn):
    """Each job has one process, whose pid is 1000 and the number of the job; its mark is 100000 more."""
    made = Families(None, ("MARKER", "here"), dict, lambda _key, _record: None, lambda: turn[0])
    made.restore([[job, "", 101000 + number] for number, (job, _instance) in enumerate(KEYS)])
    processes.there = {1000 + number: (101000 + number, "S", 7) for number in range(JOBS)}
    return made


def look(families, key) -> Look:
    return families.look(key, lambda _pid: False)


def pids(found) -> list[int]:
    return [member.pid for member in found]


def test_one_scan_serves_all_families_that_are_looked_at_in_a_turn(families, processes):
    """Each of n jobs had all processes read for itself."""
    assert [pids(look(families, key).members) for key in KEYS] == [[1000 + number] for number in range(JOBS)]
    assert processes.scans == 1


def test_the_next_turn_has_a_scan_of_its_own(families, processes, turn):
    look(families, KEYS[0])
    processes.there[2000] = (101001, "S", 8)
    turn[0] += 1
    assert pids(look(families, KEYS[1]).members) == [1001, 2000]


def test_who_asks_again_gets_a_new_scan_and_sees_what_was_forked_since(families, processes):
    look(families, KEYS[0])
    processes.there[2000] = (101000, "S", 8)
    assert pids(look(families, KEYS[0]).members) == [1000, 2000]


def test_nobody_is_said_to_be_left_by_a_scan_that_is_older_than_a_start(families, processes):
    processes.end(1001, reaped=True)
    assert look(families, KEYS[0]).members
    assert families.mark(KEYS[1]) == 101001
    processes.there[2000] = (101001, "S", 8)
    assert pids(look(families, KEYS[1]).members) == [2000]


@pytest.mark.parametrize("reaped", [True, False])
def test_nobody_is_said_to_be_left_by_a_scan_that_saw_somebody_who_has_ended_since(families, processes, reaped):
    """He may have forked in between."""
    look(families, KEYS[0])
    processes.there[2000] = (101001, "S", 8)
    processes.end(1001, reaped)
    assert pids(look(families, KEYS[1]).members) == [2000]


def test_zombies_that_nobody_reaps_take_two_scans_in_all(families, processes):
    """As in a container whose first process reaps nobody. Each family took five."""
    for number in range(JOBS):
        processes.end(1000 + number)
    assert [look(families, key) for key in KEYS] == [Look([], True)] * JOBS
    assert processes.scans == 2


def test_a_zombie_hides_nobody_who_has_its_pid_later(families, processes):
    processes.end(1000)
    assert look(families, KEYS[0]).gone
    processes.there[1000] = (101000, "S", 8)
    assert pids(look(families, KEYS[0]).members) == [1000]


def test_a_stranger_who_has_got_the_pid_since_the_scan_is_no_member(families, processes):
    look(families, KEYS[0])
    processes.there[1001] = (5, "S", 8)
    assert families.members(KEYS[1]) == []


class Kernel:
    """Ends who is signalled with SIGKILL; they stay zombies."""

    def __init__(self, processes: Processes) -> None:
        self.processes = processes

    def signal_member(self, member, number):
        if number == 9:
            self.processes.end(member.pid)

    def __getattr__(self, _name):
        return lambda *_arguments: None


class Loop:
    """Timers; each turn runs all that are due at the same time."""

    def __init__(self, turn: list[int]) -> None:
        self.turn = turn
        self.time = 0.0
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def now(self):
        return self.time

    def call_later(self, seconds, callback):
        self.timers.append((self.time + seconds, callback))
        return SimpleNamespace(cancel=lambda: None)

    def run(self) -> None:
        while self.timers:
            self.turn[0] += 1
            self.time = min(due for due, _callback in self.timers)
            now = [callback for due, callback in self.timers if due == self.time]
            self.timers = [entry for entry in self.timers if entry[0] > self.time]
            for callback in now:
                callback()


@pytest.mark.parametrize("jobs", [1, 2, JOBS])
@pytest.mark.parametrize("effect", [EndFamily(KEYS[0], "KILL", 0.0), EndFamily(KEYS[0], "TERM", 5.0)])
def test_many_families_are_ended_with_as_many_scans_as_one(families, processes, turn, jobs, effect):
    loop = Loop(turn)
    said: list[object] = []
    means = SimpleNamespace(kernel=Kernel(processes), families=families, loop=loop, warn=said.append)
    inputs = SimpleNamespace(answer=said.append, submit=said.append)
    ender = Ender(means, inputs, SimpleNamespace(known={}, helpers={}, past=None, reap=lambda: None))
    for key in KEYS[:jobs]:
        ender.end_family(replace(effect, key=key))
    loop.run()
    assert said == [FamilyEnded(key) for key in KEYS[:jobs]]
    assert sorted(state for _mark, state, _start in processes.there.values()) == ["S"] * (JOBS - jobs) + ["Z"] * jobs
    assert processes.scans <= MOST[effect.signal]
