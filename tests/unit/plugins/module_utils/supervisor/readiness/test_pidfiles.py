# SPDX-License-Identifier: GPL-3.0-or-later
"""Pidfiles that are to be believed, and those that are not; and what ``expect pidfile`` makes of them."""

from __future__ import annotations

import os

import pytest
from ansible_collections.foster.init.plugins.module_utils.supervisor.readiness import pidfiles
from ansible_collections.foster.init.plugins.module_utils.supervisor.readiness.choose import CERTAIN
from ansible_collections.foster.init.plugins.module_utils.supervisor.readiness.pidfile import Pidfile

MAIN = 100


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.pid"


@pytest.mark.parametrize("text", ["42", "42\n", " 42 \n", "42\n43\n", "42 /usr/sbin/daemon\n", "0042\n", "42\0"[:2]])
def test_the_first_number_counts(path, text):
    path.write_text(text)
    assert pidfiles.read(str(path)) == 42


@pytest.mark.parametrize("text", ["", "\n", "x", "-1", "4.2", "0x2a", "pid=42", "12345678901", "x" * 100_000])
def test_a_file_that_holds_no_number_or_not_yet_names_nobody(path, text):
    path.write_text(text)
    assert pidfiles.read(str(path)) is None


def test_of_a_huge_file_only_the_beginning_is_read(path):
    path.write_text("42\n" + "x" * 10_000_000)
    assert pidfiles.read(str(path)) == 42
    path.write_text("4" * 10_000_000)
    assert pidfiles.read(str(path)) is None


def test_what_is_no_ordinary_file_is_not_read(path, tmp_path):
    assert pidfiles.read(str(path)) is None
    assert pidfiles.read(str(tmp_path)) is None
    os.mkfifo(path)
    assert pidfiles.read(str(path)) is None  # and nobody waits for its writer


def test_a_link_is_not_followed(path, tmp_path):
    (tmp_path / "real").write_text("42\n")
    path.symlink_to(tmp_path / "real")
    assert pidfiles.read(str(path)) is None


def test_a_file_of_a_foreign_user_names_only_that_users_own_processes(path, monkeypatch):
    path.write_text("42\n")
    owner = path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 5000)
    root = owner == 0
    monkeypatch.setattr(pidfiles, "_owner", lambda _pid: owner + 1)
    assert pidfiles.read(str(path)) == (42 if root else None)
    monkeypatch.setattr(pidfiles, "_owner", lambda _pid: owner)
    assert pidfiles.read(str(path)) == 42


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_a_file_that_was_given_to_a_foreign_user_is_not_believed_of_ours(path):
    path.write_text(f"{os.getpid()}\n")
    os.chown(path, 65534, 65534)
    assert pidfiles.read(str(path)) is None


def test_a_search_finds_the_only_one_that_is_named(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "x.pid").write_text("42\n")
    (tmp_path / "other.pid").write_text("7\n")
    (tmp_path / "x.pid.old").write_text("43\n")
    found = pidfiles.search([42, 43], [str(tmp_path)])
    assert found is not None
    assert (found.pid, found.certainty) == (42, CERTAIN)
    assert "below/x.pid names it" in found.reason


def test_a_search_that_finds_two_of_them_decides_nothing(tmp_path):
    (tmp_path / "a.pid").write_text("42\n")
    (tmp_path / "b.pid").write_text("43\n")
    assert pidfiles.search([42, 43], [str(tmp_path)]) is None


@pytest.fixture
def watcher(instance, job, path):
    made = Pidfile(job("pidfile", str(path)))
    made.attach(instance, MAIN)
    made.begin()
    yield made
    made.cancel()


def test_ready_as_soon_as_the_file_names_a_process_of_the_job(watcher, instance, path):
    assert instance.told == []
    assert watcher.waits_for() == f"{path} to be written; it does not exist"
    path.write_text("1")  # half of it
    instance.readable()
    assert "it names 1, which is none of its processes" in watcher.waits_for()
    path.write_text(f"{MAIN}\n")
    instance.readable()
    assert instance.told == [("ready", MAIN)]
    assert instance.watched == {}


def test_an_empty_file_is_waited_for_to_be_filled(watcher, instance, path):
    path.touch()
    instance.readable()
    assert instance.told == []
    assert watcher.waits_for().startswith(f"{path} to hold the number of a process")


def test_a_stale_file_is_no_readiness_and_what_it_names_may_still_come(watcher, instance, path):
    path.write_text("200\n")
    instance.readable()
    assert instance.told == []
    instance.family = [instance.family[0], instance.family[0]._replace(pid=200)]
    instance.fire()  # nobody tells that a process has begun: it is looked again
    assert instance.told == [("ready", 200)]


def test_a_link_is_named_in_what_it_waits_for(watcher, path, tmp_path):
    path.symlink_to(tmp_path / "real")
    assert watcher.waits_for() == f"{path} to be a file; it is a link, which is not followed"


def test_a_folder_that_comes_later_is_watched_when_it_is_there(instance, job, tmp_path):
    path = tmp_path / "later" / "still" / "x.pid"
    made = Pidfile(job("pidfile", str(path)))
    made.attach(instance, MAIN)
    made.begin()
    path.parent.mkdir(parents=True)
    instance.readable()
    path.write_text(f"{MAIN}\n")
    instance.readable()
    assert instance.told == [("ready", MAIN)]
    made.cancel()
