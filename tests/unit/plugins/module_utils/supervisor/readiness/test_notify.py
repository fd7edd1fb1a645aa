# SPDX-License-Identifier: GPL-3.0-or-later
"""``expect notify`` over a real socket: who is believed, and what follows from what is said."""

from __future__ import annotations

import array
import os
import signal
import socket
from types import SimpleNamespace

import pytest
from ansible_collections.foster.init.plugins.module_utils.supervisor.readiness.notify import Notify, address
from ansible_collections.foster.init.plugins.module_utils.supervisor.readiness.notify_message import LIMIT
from ansible_collections.foster.init.plugins.module_utils.supervisor.tracking.proc import Stat

MAIN, OTHER = os.getpid(), 77  # this very process speaks: the kernel says so


def member(pid: int) -> Stat:
    return Stat(pid, "S", 1, pid, pid, 1, "x")


class Plan:
    env: dict[str, str]

    def __init__(self) -> None:
        self.env = {}

    def _replace(self, env):
        self.env = env
        return self


@pytest.fixture
def notify(instance, job, tmp_path):
    instance.family = [member(MAIN), member(OTHER)]
    made = Notify(job("notify", watchdog=2.0), str(tmp_path / "socket"))
    made.plan = made.equip(Plan())
    made.attach(instance, MAIN)
    made.begin()
    yield made
    made.cancel()


@pytest.fixture
def say(notify, instance):
    def send(text: str, *descriptors: int) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect(notify.address)
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
            sock.sendmsg([text.encode()], rights)
        instance.readable()

    return send


def test_the_process_is_told_where_to_speak_and_how_often(notify):
    assert notify.plan.env == {"NOTIFY_SOCKET": notify.address, "WATCHDOG_USEC": "2000000"}


def test_ready_is_said_once(say, instance):
    say("READY=1")
    say("READY=1")
    assert instance.told == [("ready", MAIN)]


def test_the_main_process_is_named_before_it_is_ready(say, instance):
    say(f"READY=1\nMAINPID={OTHER}")
    assert instance.told == [("moved", OTHER), ("ready", OTHER)]


def test_a_pid_that_is_none_of_the_job_is_not_taken_for_the_main_process(say, instance, notify):
    say("MAINPID=1")
    assert (instance.told, notify.pid) == ([], MAIN)
    assert instance.warnings == ["it said MAINPID=1, which is none of its processes: ignored"]


def test_a_stranger_is_not_believed(say, instance):
    instance.family = [member(OTHER)]
    say("READY=1")
    assert instance.told == []
    assert f"process {MAIN}" in instance.warnings[0]


@pytest.mark.parametrize(
    ("text", "belongs"), [("x" * 5000, False), ("x" * 5000, True), ("READY=1", False), ("MAINPID=1", True)]
)
def test_nonsense_does_not_fill_the_log(say, instance, text, belongs):
    """Any local user may write there, and each datagram that was too long has been a line in the log."""
    if not belongs:
        instance.family = [member(OTHER)]
    for _time in range(150):
        say(text)
    assert 1 <= len(instance.warnings) <= 2


def test_too_much_at_once_is_not_listened_to(say, instance):
    say("READY=1\nSTATUS=" + "x" * LIMIT)
    assert instance.told == []
    assert f"more than {LIMIT} bytes" in instance.warnings[0]


def test_all_that_has_come_is_read(notify, instance, say):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        for text in (b"STATUS=1", b"STATUS=2", b"READY=1"):
            sock.sendto(text, notify.address)
    say("STATUS=3")
    assert (notify.says["status"], instance.told) == ("3", [("ready", MAIN)])


def test_phases_are_told_until_it_is_ready_again(say, notify):
    say("RELOADING=1")
    assert notify.says["phase"] == "reloading"
    say("READY=1")
    assert "phase" not in notify.says
    say("STOPPING=1\nERRNO=5")
    assert (notify.says["phase"], notify.says["error"]) == ("stopping", "ERRNO 5")


def test_more_time_is_asked_for(say, instance):
    say("EXTEND_TIMEOUT_USEC=2500000")
    assert instance.told == [("extend", 2.5)]


def test_what_it_waits_for_says_its_status(say, notify):
    say("STATUS=reading the journal")
    assert notify.waits_for().endswith("it says: reading the journal")


def test_who_goes_silent_after_being_ready_is_ended(say, instance):
    instance.fire()
    assert instance.signals == []  # the watchdog begins with being ready
    say("READY=1")
    instance.fire()
    assert instance.signals == [(MAIN, signal.SIGABRT), (MAIN, signal.SIGCONT)]
    instance.fire()
    assert instance.signals[-1] == (MAIN, signal.SIGKILL)


def test_each_word_of_the_watchdog_begins_its_time_anew(say, instance):
    say("READY=1")
    (first,) = instance.timers
    say("WATCHDOG=1")
    assert first.action is None
    assert sum(timer.action is not None for timer in instance.timers) == 1


def test_the_process_may_set_its_watchdog_and_pull_it(say, instance, notify):
    say("READY=1\nWATCHDOG_USEC=500000")
    say("WATCHDOG=trigger")
    assert "0.5 seconds" in instance.warnings[0]
    assert instance.signals[0] == (MAIN, signal.SIGABRT)


def test_descriptors_that_come_along_are_closed(say):
    reader, writer = os.pipe()
    say("BARRIER=1", writer)
    os.close(writer)
    assert os.read(reader, 1) == b""  # nobody holds the other end any more: that is what a barrier waits for
    os.close(reader)


def test_the_socket_is_gone_with_the_process(notify):
    notify.cancel()
    assert not os.path.exists(notify.address)


def test_a_socket_that_was_left_there_is_no_obstacle(instance, job, tmp_path):
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as old:
        old.bind(str(path))
    again = Notify(job("notify"), str(path))
    again.resume(instance, MAIN, False)
    again.begin()
    assert len(instance.watched) == 1
    again.cancel()
    assert instance.watched == {}


def test_the_address_is_a_path_that_fits_or_a_name():
    assert address("/run/foster", 255, False) == "/run/foster/notify/ff"
    assert address("/run/foster", 255, True) == "@foster/notify/ff"  # could not be reached from its root folder
    assert address("/x" * 60, 255, False) == "@foster/notify/ff"
    assert address(None, 255, False) == "@foster/notify/ff"


def test_a_name_instead_of_a_path_is_listened_to(instance, job):
    made = Notify(job("notify"), f"@foster-test-{os.getpid()}")
    made.equip(Plan())
    made.attach(instance, MAIN)
    instance.family = [SimpleNamespace(pid=MAIN)]
    made.begin()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"READY=1", "\0" + made.address[1:])
    instance.readable()
    assert instance.told == [("ready", MAIN)]
    made.cancel()
