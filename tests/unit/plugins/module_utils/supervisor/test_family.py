# SPDX-License-Identifier: GPL-3.0-or-later
"""Who belongs to an instance, with cgroups that are only folders and with marks."""

from __future__ import annotations

import os
import signal
import subprocess
from types import SimpleNamespace

import pytest
from ansible_collections.foster.init.plugins.module_utils.supervisor.tracking import mark, proc
from ansible_collections.foster.init.plugins.module_utils.supervisor.tracking.family import Families

KEY, OTHER = ("a", ""), ("b", "")


class Folders:
    """A cgroup of which this very process is a member, as it is between two starts."""

    def __init__(self, pids) -> None:
        self.pids = pids

    def members(self, _name):
        return self.pids


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
