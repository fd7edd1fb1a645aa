# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor's own log: bounded where nobody else looks after it, and whatever others do to the file."""

from __future__ import annotations

import errno
import os
import re

import pytest
from ansible_collections.foster.init.plugins.module_utils.supervisor import logfile
from ansible_collections.foster.init.plugins.module_utils.supervisor.ownlog import OwnLog

SIZE, KEEP = 300, 2


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fosterd.log"


@pytest.fixture
def opened(tmp_path):
    """Return an own log whose stderr is a file of that name, opened as a shell's >> does."""
    descriptors = []

    def make(name: str = "fosterd.log") -> OwnLog:
        descriptors.append(os.open(tmp_path / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640))
        return OwnLog(str(tmp_path), descriptors[-1], SIZE, KEEP)

    yield make
    for descriptor in descriptors:
        os.close(descriptor)


def numbers(*paths) -> list[int]:
    return [int(number) for path in paths for number in re.findall(r"line (\d+)", path.read_text())]


def test_it_never_grows_beyond_its_size_and_the_last_lines_are_there(opened, path, tmp_path):
    own = opened()
    for number in range(100):
        own.write(f"line {number}")
    old = [tmp_path / "fosterd.log.2", tmp_path / "fosterd.log.1"]
    assert sorted(tmp_path.iterdir()) == sorted([path, *old])
    assert all(each.stat().st_size < SIZE + 20 for each in tmp_path.iterdir())
    kept = numbers(*old, path)
    assert kept == list(range(kept[0], 100))
    assert len(kept) > 30


def test_it_goes_on_in_a_new_file_when_somebody_has_renamed_it(opened, path, tmp_path):
    own = opened()
    own.write("line 1")
    path.rename(tmp_path / "fosterd.log-20260101")
    own.write("line 2")
    assert numbers(tmp_path / "fosterd.log-20260101", path) == [1, 2]


def test_it_goes_on_in_a_new_file_when_somebody_has_removed_it(opened, path):
    own = opened()
    path.unlink()
    own.write("line 2")
    assert numbers(path) == [2]


def test_it_goes_on_at_the_beginning_when_somebody_has_cut_it_off(opened, path):
    own = opened()
    own.write("line 1")
    os.truncate(path, 0)
    own.write("line 2")
    assert path.read_text() == "fosterd: line 2\n"


@pytest.mark.parametrize("removed", [False, True])
def test_a_supervisor_that_comes_back_writes_into_the_file_of_today(opened, path, tmp_path, removed):
    """The shell that brings it back has opened the first file, which was renamed since, or is gone."""
    own = opened("fosterd.log.1")
    if removed:
        (tmp_path / "fosterd.log.1").unlink()
    own.write("line 1")
    assert numbers(path) == [1]


@pytest.mark.parametrize("name", ["output", "fosterd.logs"])
def test_a_file_that_somebody_has_chosen_is_left_alone(opened, tmp_path, name):
    own = opened(name)
    for number in range(100):
        own.write(f"line {number}")
    assert [each.name for each in tmp_path.iterdir()] == [name]
    assert numbers(tmp_path / name) == list(range(100))


def test_what_is_no_file_is_only_written_to(tmp_path):
    reader, writer = os.pipe()
    OwnLog(str(tmp_path), writer, SIZE, KEEP).write("line 1")
    assert os.read(reader, 100) == b"fosterd: line 1\n"
    assert list(tmp_path.iterdir()) == []
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("there", ["symlink", "hard link"])
def test_a_link_in_its_place_leads_nowhere(opened, path, tmp_path, there):
    own = opened()
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    path.rename(tmp_path / "away")
    if there == "symlink":
        path.symlink_to(victim)
    else:
        os.link(victim, path)
    own.write("line 1")
    assert victim.read_text() == "untouched"
    assert numbers(tmp_path / "away") == [1]


def test_a_disk_on_which_no_file_can_be_made_costs_no_line(opened, path, monkeypatch):
    own = opened()
    own.write("x" * SIZE)

    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(logfile, "open_to_write", full)
    own.write("line 1")
    assert numbers(path.with_name("fosterd.log.1")) == [1]
    monkeypatch.undo()
    own.write("line 2")
    assert numbers(path) == [2]


def test_a_full_disk_ends_nobody(tmp_path):
    with open("/dev/full", "wb", buffering=0) as full:
        OwnLog(str(tmp_path), full.fileno()).write("line 1")
