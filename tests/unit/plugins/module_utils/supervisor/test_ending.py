# SPDX-License-Identifier: GPL-3.0-or-later
"""How a family is ended: who is signalled in which way, and when nothing is left. With a kernel that only remembers."""

from __future__ import annotations

import os
import signal
import subprocess
from types import SimpleNamespace

import pytest
from ansible_collections.foster.init.plugins.module_utils.engine.messages import EndFamily, FamilyEnded
from ansible_collections.foster.init.plugins.module_utils.job.model import ProcessKind
from ansible_collections.foster.init.plugins.module_utils.supervisor.ending import Ender
from ansible_collections.foster.init.plugins.module_utils.supervisor.kernel import LinuxKernel
from ansible_collections.foster.init.plugins.module_utils.supervisor.tracking.family import Look
from ansible_collections.foster.init.plugins.module_utils.supervisor.tracking.proc import Stat

KEY = ("a", "")


def member(pid: int, group: int, state: str = "S", threads: int = 1) -> Stat:
    return Stat(pid, state, 1, group, group, 1, "x", threads)


class Kernel:
    def __init__(self) -> None:
        self.did: list[tuple[object, ...]] = []

    def settle(self):
        pass

    def __getattr__(self, name):
        return lambda who, *rest: self.did.append((name, getattr(who, "pid", who), *rest))


class Families:
    """Who is left, look by look; the last one stays."""

    def __init__(self, cgroups=None) -> None:
        self.cgroups = cgroups
        self.looks: list[Look] = []
        self.pursued = 0
        self.buried: list[int] = []

    def look(self, _key, spare):
        found = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        return Look([each for each in found.members if not spare(each.pid)], found.gone)

    def members(self, _key):
        return self.looks[0].members

    def pursue(self, _key, spare, strike, bury, _rounds):
        self.pursued += 1
        for pid in (7, 8):
            if not spare(pid):
                strike(pid)
        for pid in (20, 21, 22):
            bury(pid)

    def reaped(self, pid):
        self.buried.append(pid)


class Timers:
    """A clock that stands until it is told, and timers that fire when they are told."""

    def __init__(self) -> None:
        self.time = 0.0
        self.set: list[object] = []

    def now(self):
        return self.time

    def call_later(self, _seconds, callback):
        self.set.append(callback)
        return SimpleNamespace(cancel=lambda: None)

    def fire(self) -> None:
        due, self.set = self.set, []
        for callback in due:
            callback()


class World:
    def __init__(self, cgroups=None) -> None:
        self.kernel, self.families, self.timers = Kernel(), Families(cgroups), Timers()
        self.said: list[object] = []
        self.warnings: list[str] = []
        self.known: dict[int, SimpleNamespace] = {}
        means = SimpleNamespace(
            kernel=self.kernel, families=self.families, loop=self.timers, warn=self.warnings.append,
        )  # fmt: skip
        inputs = SimpleNamespace(answer=self.said.append, submit=self.said.append)
        past = SimpleNamespace(note=lambda _key, _text: None)
        self.said_when_reaped: list[list[object]] = []
        processes = SimpleNamespace(
            known=self.known, helpers={21: None}, past=past, reap=lambda: self.said_when_reaped.append([*self.said])
        )
        self.ender = Ender(means, inputs, processes)

    def end(self, *looks: Look, number: str = "KILL", grace: float = 0.0) -> None:
        self.families.looks = [looks[0], *looks]  # whether there is anything to end is a look of its own
        self.ender.end_family(EndFamily(KEY, number, grace))
        if not grace:
            self.timers.fire()  # the end of the turn


GONE, UNSEEN = Look([], True), Look([], False)


def test_a_family_of_which_nothing_is_left_has_ended_at_once():
    world = World()
    world.end(GONE)
    assert (world.said, world.kernel.did) == ([FamilyEnded(KEY)], [])


def test_who_has_ended_is_reaped_before_the_family_is_said_to_have_ended():
    """After that nobody knew any more whose child it was, and the history of its job lacked it."""
    world = World()
    world.end(Look([member(2, 2)], False), GONE)
    world.families.looks = [GONE]
    world.ender.check()
    assert (world.said_when_reaped, world.said) == ([[]], [FamilyEnded(KEY)])


def test_groups_are_killed_before_their_members():
    world = World()
    world.end(Look([member(2, 2), member(3, 2), member(4, 4)], False), GONE)
    names = [name for name, *_rest in world.kernel.did]
    assert names == ["kill_group"] * 2 + ["forbid_forks"] * 3 + ["signal_member"] * 3
    assert world.families.pursued == 0


def test_a_family_in_which_nobody_is_seen_is_pursued_and_has_not_ended():
    world = World()
    world.end(UNSEEN)
    assert world.families.pursued == 1
    assert ("signal_process", 7, signal.SIGKILL) in world.kernel.did
    assert world.said == []
    assert world.families.buried == [20, 22]  # 21 is a command of `expect check`, whose end is waited for
    world.families.looks = [GONE]
    world.ender.check()
    assert world.said == [FamilyEnded(KEY)]


def test_a_script_that_has_something_to_do_is_neither_killed_nor_its_group():
    world = World()
    world.known[7] = SimpleNamespace(key=KEY, kind=ProcessKind.POST_STOP)
    world.end(Look([member(7, 7), member(9, 7)], False), UNSEEN)
    assert {who for name, who, *_rest in world.kernel.did if name != "reap"} == {8, 9}


def test_cgroup_kill_is_followed_by_a_kill_of_those_whose_first_thread_has_ended():
    """It signals the first thread alone; a daemon without one was immune to it."""
    world = World(SimpleNamespace(kill=lambda _name: True))
    world.end(Look([member(2, 2), member(3, 3, "Z", threads=2)], False))
    assert world.kernel.did == [("signal_member", 3, signal.SIGKILL)]


def test_who_is_never_seen_is_given_up_after_a_while_with_a_word():
    world = World()
    world.end(UNSEEN)
    world.ender.check()
    assert world.said == []
    world.timers.time = 60.0
    world.ender.check()
    assert world.said == [FamilyEnded(KEY)]
    assert "faster than they are seen" in world.warnings[0]


def test_a_grace_leaves_time_to_end():
    world = World()
    world.end(Look([member(2, 2)], False), number="TERM", grace=5.0)
    assert world.kernel.did == [("signal_member", 2, signal.SIGTERM), ("signal_member", 2, signal.SIGCONT)]
    world.timers.fire()
    world.timers.fire()
    assert ("kill_group", 2) in world.kernel.did


@pytest.fixture
def kernel():
    with open(os.devnull, "rb") as null:
        yield LinuxKernel(None, False, null.fileno())


def test_a_process_group_is_killed_whose_leader_is_gone(kernel):
    """It was looked for by its leader's pid, and not found."""
    command = "sleep 1000 & echo $!"
    leader = subprocess.Popen(["/bin/sh", "-c", command], stdout=subprocess.PIPE, start_new_session=True)
    assert leader.stdout is not None
    descriptor = os.pidfd_open(int(leader.stdout.readline()))
    leader.wait()
    kernel.kill_group(leader.pid)
    assert leader.stdout.read() == b""  # whoever held the other end has ended
    os.close(descriptor)


def test_our_own_process_group_is_never_killed(kernel):
    for group in (os.getpgrp(), 0, 1, -1):
        kernel.kill_group(group)
