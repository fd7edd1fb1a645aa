# SPDX-License-Identifier: GPL-3.0-or-later
"""Descriptors that come with messages: each ends with an event or is closed, whatever the client does."""

from __future__ import annotations

import array
import os
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.foster.init.plugins.module_utils.job.model import Job as Definition
from ansible_collections.foster.init.plugins.module_utils.job.model import Match, Process
from ansible_collections.foster.init.plugins.module_utils.supervisor.control.peer import MOST_FILES
from jeepney import DBusAddress, new_method_call

MANAGER = DBusAddress("/com/ubuntu/Upstart", bus_name="a.b", interface="com.ubuntu.Upstart0_6")


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def open_files() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def emit(file: int, serial: int = 99, name: str = "go", wait: bool = True) -> bytes:
    """Return the bytes of a call that carries ``file``."""
    call = new_method_call(MANAGER, "EmitEventWithFile", "sasbh", (name, ["A=1"], wait, file))
    return bytes(call.serialise(serial, fds=array.array("i")))


def define(world: Any, task: bool = False) -> None:
    world.host.define(Definition(name="served", start_on=Match("go"), task=task, exec_main=Process("x")))


def test_a_job_that_the_event_starts_gets_the_file_and_its_number(world: Any, pipe: tuple[int, int]) -> None:
    define(world)
    client = world.connect()
    before = open_files()
    world.host.hold_spawns = True
    client.send_with_files(emit(pipe[1]), [pipe[1]])
    [spawn] = world.host.spawns
    [number] = spawn.files
    assert number >= 64 and f"UPSTART_FDS={number}" in spawn.env
    os.write(number, b"x")
    assert os.read(pipe[0], 1) == b"x"
    world.host.release()
    assert client.reply(99).error_name == ""
    assert open_files() == before


def test_a_file_is_kept_as_long_as_its_event_is_held(world: Any, pipe: tuple[int, int]) -> None:
    define(world, task=True)
    client = world.connect()
    client.send_with_files(emit(pipe[1], wait=False), [pipe[1]])
    assert client.reply(99).error_name == ""
    [spawn] = world.host.spawns
    os.fstat(spawn.files[0])
    client.call("/com/ubuntu/Upstart/jobs/served", "com.ubuntu.Upstart0_6.Job", "Stop", "asb", [], True)
    with pytest.raises(OSError):
        os.fstat(spawn.files[0])


def test_jobs_that_other_events_start_get_none(world: Any, pipe: tuple[int, int]) -> None:
    define(world, task=True)
    world.host.define(Definition(name="other", start_on=Match("else"), exec_main=Process("x")))
    client = world.connect()
    client.send_with_files(emit(pipe[1], wait=False), [pipe[1]])
    client.call("/com/ubuntu/Upstart", "com.ubuntu.Upstart0_6", "EmitEvent", "sasb", "else", [], True)
    assert [(spawn.key[0], len(spawn.files)) for spawn in world.host.spawns] == [("served", 1), ("other", 0)]


@pytest.mark.parametrize("name", ["nobody-listens", ""])
def test_a_file_that_nobody_gets_is_closed(world: Any, pipe: tuple[int, int], name: str) -> None:
    client = world.connect()
    before = open_files()
    client.send_with_files(emit(pipe[1], name=name), [pipe[1]])
    assert bool(client.reply(99).error_name) is (name == "")
    assert open_files() == before


def test_a_file_with_a_call_that_takes_none_is_closed(world: Any, pipe: tuple[int, int]) -> None:
    client = world.connect()
    before = open_files()
    call = new_method_call(MANAGER, "EmitEvent", "sasbh", ("go", [], True, pipe[1]))
    client.send_with_files(bytes(call.serialise(99, fds=array.array("i"))), [pipe[1]])
    assert client.reply(99).error_name == "org.freedesktop.DBus.Error.InvalidArgs"
    assert open_files() == before


def test_a_file_that_was_announced_and_did_not_come_ends_the_connection(world: Any, pipe: tuple[int, int]) -> None:
    client = world.connect()
    client.send(emit(pipe[1]))
    assert client.ended
    assert world.connect().call("/com/ubuntu/Upstart", "com.ubuntu.Upstart0_6", "GetAllJobs").signature == "ao"


def test_an_index_beyond_what_came_is_refused(world: Any, pipe: tuple[int, int]) -> None:
    client = world.connect()
    before = open_files()
    data = bytearray(emit(pipe[1]))
    data[-4:] = (1).to_bytes(4, "little")
    client.send_with_files(bytes(data), [pipe[1]])
    assert client.reply(99).error_name == "org.freedesktop.DBus.Error.InvalidArgs"
    assert open_files() == before


def test_files_in_great_number_end_the_connection_and_are_closed(world: Any, pipe: tuple[int, int]) -> None:
    client = world.connect()
    before = open_files()
    for _unused in range(MOST_FILES + 1):
        if not client.ended:
            client.send_with_files(b"l", [pipe[1]])
    assert client.ended
    assert len(open_files()) == len(before) - 1  # the connection itself


def test_more_files_at_once_than_are_taken_end_the_connection(world: Any, pipe: tuple[int, int]) -> None:
    client = world.connect()
    before = open_files()
    client.send_with_files(emit(pipe[1]), [pipe[1]] * (MOST_FILES * 2))
    assert client.ended
    assert len(open_files()) == len(before) - 1


def test_files_of_somebody_who_may_only_read_are_not_taken(world: Any, pipe: tuple[int, int]) -> None:
    stranger = world.connect(privileged=False)
    before = open_files()
    stranger.send_with_files(emit(pipe[1]), [pipe[1]])
    assert stranger.ended
    assert len(open_files()) == len(before) - 1
