# SPDX-License-Identifier: GPL-3.0-or-later
"""Who belongs to an instance, with cgroups that are only folders and with marks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
from ansible_collections.foster.init.plugins.module_utils.supervisor.tracking import mark, proc
from ansible_collections.foster.init.plugins.module_utils.supervisor.tracking.family import Families, Look

KEY, OTHER = ("a", ""), ("b", "")


class Folders:
    """A cgroup that lists ``pids``, and may hold what it does not list."""

    def __init__(self, pids, held=False) -> None:
        self.pids = pids
        self.held = held

    def members(self, _name):
        return self.pids

    def holds(self, _name):
        return self.held or bool(self.pids)


@pytest.fixture
def kept():
    return []


@pytest.fixture
def families(kept):
    return Families(None, ("MARKER", "here"), dict, lambda key, record: kept.append((key, record)))


@pytest.fixture
def sleeper():
    """Start `sleep` with a mark, in a session of its own and with nothing in its environment."""
    started = []

    def start(number: int) -> int:
        with mark.worn(number):
            started.append(subprocess.Popen(["/bin/sleep", "1000"], env={}, start_new_session=True))
        return started[-1].pid

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_the_supervisor_is_no_member_of_the_cgroup_it_stands_in():
    families = Families(Folders([os.getpid()]), ("MARKER", "here"), dict, lambda _key, _record: None)
    assert families.members(KEY) == []


def test_the_mark_tells_whose_a_process_is(families, sleeper):
    first, second = sleeper(families.mark(KEY)), sleeper(families.mark(OTHER))
    assert [member.pid for member in families.members(KEY)] == [first]
    assert families.owner(second) == OTHER
    assert families.has(KEY, first)
    assert not families.has(KEY, second)
    assert not families.has(KEY, os.getpid())


def test_a_stranger_who_has_put_the_mark_on_is_not_believed(families):
    """Any local user can read a mark in /proc and set the same limit: it could say READY=1, or start a watchdog."""
    with mark.worn(families.mark(KEY)):
        said = subprocess.check_output(["/bin/sh", "-c", "sleep 1000 >/dev/null & echo $!"])
    stranger = int(said)
    try:
        assert mark.of(stranger) == families.mark(KEY)
        assert not families.has(KEY, stranger)
    finally:
        os.kill(stranger, signal.SIGKILL)


def test_the_mark_is_only_worn_by_what_is_started_meanwhile(families, sleeper):
    sleeper(families.mark(KEY))
    assert mark.of(os.getpid()) != families.mark(KEY)


def test_a_tracked_process_is_told_by_who_tracks_it_and_not_looked_at(sleeper):
    pid = sleeper(mark.new())
    tracked = {pid: SimpleNamespace(key=KEY)}
    families = Families(None, ("MARKER", "here"), lambda: tracked, lambda _key, _record: None)
    families.mark(KEY)
    assert [member.pid for member in families.members(KEY)] == [pid]
    assert families.members(OTHER) == []


def test_marks_outlive_the_supervisor(families, kept, sleeper):
    pid = sleeper(families.mark(KEY))
    after = Families(None, ("MARKER", "here"), dict, lambda _key, _record: None)
    after.restore([record for _key, record in kept])
    assert [member.pid for member in after.members(KEY)] == [pid]
    assert after.mark(KEY) == families.mark(KEY)


def test_a_forgotten_instance_owns_nothing(families, kept, sleeper):
    pid = sleeper(families.mark(KEY))
    families.forget(KEY)
    assert families.owner(pid) is None
    assert kept[-1] == ("mark/a//", None)


def test_a_zombie_still_has_its_mark(families):
    with mark.worn(families.mark(KEY)):
        child = os.posix_spawn("/bin/sleep", ["sleep", "0"], {})
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    found = proc.stat(child)
    assert found is not None
    assert (found.ended, families.owner(child)) == (True, KEY)
    os.waitpid(child, 0)


def test_a_process_whose_first_thread_has_ended_lives(families):
    """/proc calls it a zombie. It was left behind by a stop."""
    program = "import ctypes, threading, time; threading.Thread(target=time.sleep, args=(1000,)).start(); "
    with mark.worn(families.mark(KEY)):
        child = subprocess.Popen([sys.executable, "-c", f"{program}ctypes.CDLL(None).pthread_exit(None)"])
    try:
        while (found := proc.stat(child.pid)) is None or found.state != "Z":
            assert child.poll() is None, "it has ended"
        assert [member.pid for member in families.members(KEY)] == [child.pid]
    finally:
        child.kill()
        child.wait()


@pytest.fixture
def states(monkeypatch):
    """The processes of /proc, by pid: state, threads, flags."""
    found: dict[int, tuple[str, int, int]] = {}

    def stat(pid):
        state, threads, flags = found.get(pid, ("", 0, 0))
        return proc.Stat(pid, state, 1, pid, pid, pid, "x", threads, flags) if threads else None

    monkeypatch.setattr(proc, "stat", stat)
    return found


def in_folders(folders: Folders) -> Families:
    return Families(folders, ("MARKER", "here"), dict, lambda _key, _record: None)


def test_a_family_has_not_ended_while_its_cgroup_holds_something():
    """A process is not listed whose threads are about to end, its first one before the others (Linux 6.18)."""
    folders = Folders([], held=True)
    families = in_folders(folders)
    assert look(families) == Look([], False)
    folders.held = False
    assert look(families) == Look([], True)


@pytest.mark.parametrize("pid", [99, os.getpid()])
def test_who_does_not_count_does_not_keep_its_cgroup_from_having_ended(states, pid):
    """A script that is still at work, and the supervisor itself between two starts."""
    states[pid] = ("S", 1, 0)
    assert look(in_folders(Folders([pid]))) == Look([], True)


def test_who_was_met_in_a_cgroup_counts_until_it_has_ended(states):
    """The kernel takes a process off the list, and calls its cgroup empty, shortly before it has ended."""
    folders = Folders([7])
    families = in_folders(folders)
    states[7] = ("S", 2, 0)
    assert [member.pid for member in look(families).members] == [7]
    folders.pids = []
    states[7] = ("Z", 2, 0x4)
    assert [member.pid for member in look(families).members] == [7]
    states[7] = ("Z", 1, 0x4)
    assert look(families) == Look([], True)


def test_who_has_gone_to_another_cgroup_does_not_count_any_more(states):
    folders = Folders([7])
    families = in_folders(folders)
    states[7] = ("S", 1, 0)
    look(families)
    folders.pids = []
    assert look(families) == Look([], True)


class Chain:
    """Our children, as they are at each look: (pid, state); the last look stays. All of them carry the mark."""

    def __init__(self, *looks: str) -> None:
        self.looks = [look.split() for look in looks]
        self.at = -1

    def children(self, _pid):
        self.at = min(self.at + 1, len(self.looks) - 1)
        return [int(each[:-1]) for each in self.looks[self.at]]

    def stat(self, pid):
        state = next(each[-1] for each in self.looks[self.at] if int(each[:-1]) == pid)
        return proc.Stat(pid, state, os.getpid(), pid, pid, pid)


@pytest.fixture
def chain(monkeypatch, families):
    families.mark(KEY)

    def make(*looks: str) -> None:
        it = Chain(*looks)
        monkeypatch.setattr(proc, "children", it.children)
        monkeypatch.setattr(proc, "stat", it.stat)
        monkeypatch.setattr(proc, "descendants", lambda _pid: [])
        monkeypatch.setattr(mark, "of", lambda _pid: families.mark(KEY))

    return make


def look(families) -> Look:
    return families.look(KEY, lambda pid: pid == 99)


@pytest.mark.parametrize("looks", [("",), ("1Z", "1Z"), ("1Z 2Z", "2Z")])
def test_a_family_is_gone_when_all_were_zombies_before_the_look(chain, families, looks):
    chain(*looks)
    assert look(families) == Look([], True)


def test_who_was_born_while_its_parent_ended_is_found_by_another_look(chain, families):
    chain("1Z", "1Z 2Z", "1Z 2Z 3S")
    assert [member.pid for member in look(families).members] == [3]


def test_a_family_that_forks_and_ends_faster_than_it_is_seen_is_not_gone(chain, families):
    """It was taken for gone after two looks, and left behind."""
    chain(*(" ".join(f"{pid}Z" for pid in range(1, last)) for last in range(2, 20)))
    assert look(families) == Look([], False)


def test_who_is_to_be_spared_neither_counts_nor_hides_others(chain, families):
    chain("99S 1Z", "99S 1Z 2S")
    assert [member.pid for member in look(families).members] == [2]


def test_a_zombie_is_looked_at_once_until_it_is_reaped(chain, families, monkeypatch):
    """Thousands of them, looked at each time, kept the supervisor from reaping them."""
    chain("1Z 2Z")
    assert look(families).gone
    monkeypatch.delattr(proc, "stat")
    assert look(families).gone
    families.reaped(1)
    with pytest.raises(AttributeError):
        look(families)


def test_a_pursuit_strikes_who_is_new_and_buries_who_has_ended_until_nobody_is_seen(chain, families):
    chain("1S 99S", "1Z 2S", "2Z 3Z", "3Z")
    did: list[object] = []

    def bury(pid: int) -> None:
        did.append(("bury", pid))

    families.pursue(KEY, lambda pid: pid == 99, did.append, bury, 100)
    assert did == [1, 2, 1, ("bury", 1), 3, 2, ("bury", 2), ("bury", 3)]


def test_a_pursuit_has_an_end(chain, families):
    chain("1S")
    struck: list[int] = []
    families.pursue(KEY, lambda _pid: False, struck.append, lambda _pid: None, 7)
    assert struck == [1] * 7
