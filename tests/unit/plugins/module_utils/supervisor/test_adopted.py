# SPDX-License-Identifier: GPL-3.0-or-later
"""How processes end that are not our children, with real ones; the connector is the kernel's, or one that obeys."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import signal
import threading
import time

import pytest
from ansible_collections.foster.init.plugins.module_utils.supervisor import pidfd
from ansible_collections.foster.init.plugins.module_utils.supervisor.loop import Loop
from ansible_collections.foster.init.plugins.module_utils.supervisor.tracking import ladder, proc
from ansible_collections.foster.init.plugins.module_utils.supervisor.tracking.adopted import Adopted, End
from ansible_collections.foster.init.plugins.module_utils.supervisor.tracking.connector import (
    Connector,
    Heard,
    Unavailable,
)
from ansible_collections.foster.init.plugins.module_utils.supervisor.tracking.family import Families
from ansible_collections.foster.init.plugins.module_utils.supervisor.tracking.process_events import ThreadExit

SYS_EXIT = {"x86_64": 60, "aarch64": 93}.get(platform.machine())


class Stranger:
    """A process whose parent is another one than we, and reaps it, or with ``reap`` False does not until ``close``."""

    def __init__(self, body, reap=True):
        self._read, self._write = os.pipe()
        told, tell = os.pipe()
        self._hold, self._release = os.pipe()
        self._parent = os.fork()
        if not self._parent:
            try:
                self._be_parent(body, tell, reap)
            finally:
                os._exit(99)
        os.close(tell)
        self.pid = int(os.read(told, 20))
        os.close(told)

    def _be_parent(self, body, tell, reap):
        child = os.fork()
        if not child:
            signal.signal(signal.SIGSEGV, signal.SIG_DFL)  # pytest has its own
            body(self._read)
            os._exit(98)
        os.write(tell, b"%d" % child)
        if not reap:
            os.close(self._release)
            os.read(self._hold, 1)
        os.waitpid(child, 0)
        os._exit(0)

    def go_on(self, status=7):
        """Let the process do what it is made for, with ``status``."""
        os.write(self._write, bytes([status]))

    def gone(self):
        """Wait until its parent has reaped it."""
        os.waitpid(self._parent, 0)
        self._parent = 0

    def close(self):
        stat = proc.stat(self.pid)
        if stat is not None and stat.parent == self._parent:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        os.close(self._release)
        if self._parent:
            os.waitpid(self._parent, 0)
        for descriptor in (self._read, self._write, self._hold):
            os.close(descriptor)


def leave(orders):
    """End with the status that is told."""
    os._exit(os.read(orders, 1)[0])


def leave_after_the_first_thread(orders):
    """End the first thread when told so, and all with the status that is told then."""
    os.read(orders, 1)
    threading.Thread(target=leave, args=(orders,)).start()
    ctypes.CDLL(None).syscall(SYS_EXIT, 0)


def leave_while_a_thread_waits(orders):
    threading.Thread(target=signal.pause, daemon=True).start()
    leave(orders)


def execute_from_another_thread(orders):
    """Let another thread execute a program, which ends with 9."""

    def execute():
        os.read(orders, 1)
        os.execv("/bin/sh", ["sh", "-c", "exit 9"])

    threading.Thread(target=execute).start()
    signal.pause()


class ToldConnector:
    """A connector that hears what it is told to have heard."""

    def __init__(self):
        self.exits = []
        self.lost = False
        self.chosen = []
        self._ready, self._tell = os.pipe()

    def hear(self, *exits, lost=False):
        self.exits += exits
        self.lost = lost
        os.write(self._tell, b"!")

    def fileno(self):
        return self._ready

    def choose(self, processes):
        self.chosen.append(None if processes is None else sorted(processes))

    def read(self):
        found, self.exits = Heard(self.exits, self.lost), []
        if found.exits or found.lost:
            os.read(self._ready, 100)
        self.lost = False
        return found

    def close(self):
        self.chosen.append("closed")
        os.close(self._ready)
        os.close(self._tell)


def none():
    raise Unavailable("there is none")


@pytest.fixture
def clock():
    return [0.0]


@pytest.fixture
def loop(clock):
    made = Loop(lambda: clock[0])
    yield made
    made.close()


@pytest.fixture
def stranger():
    """Return a function that makes strangers, which are gone at the end."""
    made = []

    def make(body=leave, **options):
        made.append(Stranger(body, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def told(loop):
    """Return (an Adopted, its connector): one that obeys, and no pidfd that knows."""
    connector = ToldConnector()
    return Adopted(loop, lambda: False, lambda: connector), connector


def listening(loop):
    """Return an Adopted with the kernel's connector, as before Linux 6.15."""
    adopted = Adopted(loop, lambda: False, Connector)
    if adopted.problem():
        pytest.skip(f"no process connector: {adopted.problem()}")
    return adopted


def turn_until(loop, ends):
    """Let the loop run until there is something in ``ends``."""
    deadline = time.monotonic() + 30
    while not ends:
        assert time.monotonic() < deadline
        loop.turn(1.0)


def end_of(loop, adopted, followed, act):
    ends = []
    adopted.follow(followed.pid, ends.append)
    loop.turn()
    act(followed)
    turn_until(loop, ends)
    return ends


# ---- with the kernel's connector ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [0, 7])
def test_the_connector_tells_the_exit_status(loop, stranger, status):
    assert end_of(loop, listening(loop), stranger(), lambda each: each.go_on(status)) == [End(status, None)]


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_the_connector_tells_the_signal(loop, stranger, number):
    assert end_of(loop, listening(loop), stranger(), lambda each: os.kill(each.pid, number)) == [End(None, number)]


@pytest.mark.skipif(SYS_EXIT is None, reason="the number of exit(2) is not known here")
@pytest.mark.parametrize("followed", ["before", "after"])
def test_a_process_whose_first_thread_left_early_has_the_status_of_the_rest(loop, stranger, followed):
    """pthread_exit of the first thread is an exit with 0, told when it happens; nothing has ended then."""
    adopted, each, ends = listening(loop), stranger(leave_after_the_first_thread), []
    if followed == "before":
        adopted.follow(each.pid, ends.append)
    each.go_on()
    while (stat := proc.stat(each.pid)) is not None and not stat.first_left:
        loop.turn(0.05)
    assert stat is not None
    assert not stat.ended
    if followed == "after":
        adopted.follow(each.pid, ends.append)
    loop.turn()
    each.go_on(7)
    turn_until(loop, ends)
    assert ends == [End(7, None)]


def test_threads_that_are_ended_along_do_not_matter(loop, stranger):
    adopted = listening(loop)
    assert end_of(loop, adopted, stranger(leave_while_a_thread_waits), lambda each: each.go_on(7)) == [End(7, None)]


def test_a_program_that_another_thread_executed_is_followed(loop, stranger):
    adopted = listening(loop)
    assert end_of(loop, adopted, stranger(execute_from_another_thread), lambda each: each.go_on()) == [End(9, None)]


def test_many_that_end_at_once_are_all_told(loop, stranger):
    adopted, ends = listening(loop), {}
    strangers = {status: stranger() for status in range(40)}
    for status, each in strangers.items():
        adopted.follow(each.pid, lambda end, status=status: ends.update({status: end}))
    for status, each in strangers.items():
        each.go_on(status)
    deadline = time.monotonic() + 30
    while len(ends) < len(strangers) and time.monotonic() < deadline:
        loop.turn(1.0)
    assert ends == {status: End(status, None) for status in strangers}


def test_nothing_is_open_when_nobody_is_followed(loop, stranger):
    adopted = listening(loop)
    before = sorted(os.listdir("/proc/self/fd"))
    each = stranger()
    made = sorted(os.listdir("/proc/self/fd"))
    end_of(loop, adopted, each, lambda followed: followed.go_on())
    assert (len(before) < len(made), sorted(os.listdir("/proc/self/fd"))) == (True, made)
    assert adopted.listens_for() == 0


# ---- the order of what is told --------------------------------------------------------------------------------------


def test_an_exit_that_is_told_after_the_end_was_seen_counts(loop, stranger, told):
    (adopted, connector), each, ends = told, stranger(), []
    adopted.follow(each.pid, ends.append)
    each.go_on()
    each.gone()
    loop.turn()
    assert ends == []
    connector.hear(ThreadExit(each.pid, each.pid, 7 << 8))
    loop.turn()
    assert ends == [End(7, None)]


def test_an_exit_that_is_told_before_the_end_is_looked_at_counts(loop, stranger, told):
    (adopted, connector), each, ends = told, stranger(), []
    adopted.follow(each.pid, ends.append)
    each.go_on()
    each.gone()
    connector.hear(ThreadExit(each.pid, each.pid, 7 << 8))
    loop.turn()
    assert ends == [End(7, None)]


def test_an_exit_that_is_never_told_is_unknown_after_a_second(loop, clock, stranger, told):
    (adopted, _connector), each, ends = told, stranger(), []
    adopted.follow(each.pid, ends.append)
    each.go_on()
    each.gone()
    loop.turn()
    clock[0] += 0.9
    loop.turn()
    assert ends == []
    clock[0] += 0.2
    loop.turn()
    assert ends == [End(None, None, "it ended before the process connector was listened to")]


def test_where_exits_were_lost_the_end_is_unknown_and_that_is_said(loop, clock, stranger, told):
    (adopted, connector), each, ends = told, stranger(), []
    adopted.follow(each.pid, ends.append)
    each.go_on()
    each.gone()
    connector.hear(lost=True)
    loop.turn()
    clock[0] += 1.1
    loop.turn()
    assert ends == [End(None, None, "more processes ended at once than the process connector could tell of")]


def test_after_exits_were_lost_the_first_thread_is_not_believed_to_be_all(loop, clock, stranger, told):
    """It may have left early, and the exit of the last one be among those that were lost."""
    (adopted, connector), each, ends = told, stranger(), []
    adopted.follow(each.pid, ends.append)
    connector.hear(ThreadExit(each.pid, each.pid, 0))
    loop.turn()
    connector.hear(lost=True)
    loop.turn()
    each.go_on()
    each.gone()
    loop.turn()
    clock[0] += 1.1
    loop.turn()
    assert [end.code for end in ends] == [None]


def test_who_lives_while_exits_are_lost_is_told_later(loop, stranger, told):
    (adopted, connector), each, ends = told, stranger(), []
    adopted.follow(each.pid, ends.append)
    connector.hear(lost=True)
    loop.turn()
    each.go_on()
    each.gone()
    connector.hear(ThreadExit(each.pid, each.pid, 7 << 8))
    loop.turn()
    assert ends == [End(7, None)]


def test_the_exit_of_another_thread_is_none_of_the_process(loop, stranger, told):
    (adopted, connector), each, ends = told, stranger(), []
    adopted.follow(each.pid, ends.append)
    connector.hear(ThreadExit(each.pid + 1, each.pid, 11))
    loop.turn()
    each.go_on()
    each.gone()
    connector.hear(ThreadExit(each.pid, each.pid, 7 << 8))
    loop.turn()
    assert ends == [End(7, None)]


# ---- when it is listened to -----------------------------------------------------------------------------------------


def test_all_is_heard_only_until_it_is_known_who_is_followed(loop, stranger, told):
    (adopted, connector), first, second = told, stranger(), stranger()
    adopted.follow(first.pid, print)
    adopted.follow(second.pid, print)
    assert (connector.chosen, adopted.listens_for()) == ([None], 2)
    loop.turn()
    assert connector.chosen == [None, sorted((first.pid, second.pid))]


def test_it_is_closed_with_the_last_one(loop, stranger, told):
    (adopted, connector), first, second = told, stranger(), stranger()
    for each in (first, second):
        adopted.follow(each.pid, print)
    loop.turn()
    for each in (first, second):
        assert "closed" not in connector.chosen
        each.go_on()
        each.gone()
        connector.hear(ThreadExit(each.pid, each.pid, 0))
        loop.turn()
    assert (connector.chosen[-1], adopted.listens_for()) == ("closed", 0)


def test_of_one_that_is_followed_twice_only_the_last_is_told(loop, stranger, told):
    (adopted, connector), each, first, second = told, stranger(), [], []
    adopted.follow(each.pid, first.append)
    adopted.follow(each.pid, second.append)
    each.go_on()
    each.gone()
    connector.hear(ThreadExit(each.pid, each.pid, 0))
    loop.turn()
    assert (first, second) == ([], [End(0, None)])


def test_who_follows_another_one_when_told_is_told_of_that_too(loop, stranger, told):
    (adopted, connector), first, second, ends = told, stranger(), stranger(), []
    adopted.follow(second.pid, print)
    adopted.follow(first.pid, lambda _end: adopted.follow(second.pid, ends.append))
    for each in (first, second):
        each.go_on(5)
        each.gone()
    connector.hear(*(ThreadExit(each.pid, each.pid, 5 << 8) for each in (first, second)))
    loop.turn()
    assert ends == [End(5, None)]


# ---- without the connector ------------------------------------------------------------------------------------------


@pytest.mark.skipif(not pidfd.tells_exits(), reason="Linux before 6.15")
@pytest.mark.parametrize("reap", [True, False])
def test_a_pidfd_that_knows_needs_no_connector(loop, stranger, reap):
    adopted = Adopted(loop, connect=none)
    assert end_of(loop, adopted, stranger(reap=reap), lambda each: each.go_on()) == [End(7, None)]


def test_who_is_not_reaped_yet_tells_by_itself(loop, stranger):
    adopted = Adopted(loop, lambda: False, none)
    assert end_of(loop, adopted, stranger(reap=False), lambda each: each.go_on()) == [End(7, None)]


def test_where_nothing_tells_the_reason_is_said(loop, stranger):
    def act(each):
        each.go_on()
        each.gone()

    adopted = Adopted(loop, lambda: False, none)
    why = "Linux before 6.15 tells that its parent only, and there is no process connector: there is none"
    assert end_of(loop, adopted, stranger(), act) == [End(None, None, why)]


def test_without_pidfds_it_is_looked_at_now_and_then(loop, clock, stranger, monkeypatch):
    monkeypatch.delattr(os, "pidfd_open")
    adopted, each, ends = Adopted(loop, lambda: False, none), stranger(reap=False), []
    adopted.follow(each.pid, ends.append)
    clock[0] += 1.1
    loop.turn()
    assert ends == []
    each.go_on()
    deadline = time.monotonic() + 30
    while not ends and time.monotonic() < deadline:
        clock[0] += 1.1
        loop.turn(0.01)
    assert ends == [End(7, None)]


# ---- what is in force -----------------------------------------------------------------------------------------------


def rungs_of(adopted, subreaper=True):
    families = Families(None, ("MARKER", "here"), dict, lambda _key, _record: None)
    return {rung.name: (rung.in_force, rung.why) for rung in ladder.rungs(families, adopted, subreaper)}


def test_the_ladder_tells_that_the_connector_is_not_needed(loop):
    rungs = rungs_of(Adopted(loop, lambda: True, none))
    assert rungs["process connector"] == (False, "not needed: the pidfd tells it")
    assert rungs["pidfd exit status"] == (True, "")


def test_the_ladder_tells_why_there_is_no_connector(loop):
    rungs = rungs_of(Adopted(loop, lambda: False, none))
    why = "there is none; such an end counts as a failure of unknown status"
    assert rungs["process connector"] == (False, why)
    assert rungs["pidfd exit status"] == (False, "the kernel is older than Linux 6.15")


def test_the_ladder_tells_for_how_many_the_connector_is_listened_to(loop, stranger, told):
    adopted, _connector = told
    adopted.follow(stranger().pid, print)
    why = "it is listened to only while there are such processes, now 1"
    assert rungs_of(adopted)["process connector"] == (True, why)


def test_who_may_not_look_at_a_zombie_is_told_nothing(stranger, monkeypatch):
    """Its field would be 0, as if all were well."""
    each = stranger(reap=False)
    started = proc.start_time(each.pid)
    each.go_on()
    while (stat := proc.stat(each.pid)) is not None and not stat.ended:
        os.sched_yield()
    assert proc.wait_status(each.pid, started) == 7 << 8
    assert proc.wait_status(each.pid, started - 1) is None

    def refuse(_path):
        raise PermissionError

    monkeypatch.setattr(os, "readlink", refuse)
    assert proc.wait_status(each.pid, started) is None


def test_the_ladder_tells_that_orphans_go_elsewhere(loop):
    adopted = Adopted(loop, lambda: True, none)
    assert rungs_of(adopted)["subreaper"] == (True, "")
    in_force, why = rungs_of(adopted, subreaper=False)["subreaper"]
    assert not in_force
    assert "PR_SET_CHILD_SUBREAPER" in why
