# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the process connector: what is believed, and what the filter lets through."""

from __future__ import annotations

import socket
import struct

import pytest
from ansible_collections.foster.init.plugins.module_utils.supervisor import linux
from ansible_collections.foster.init.plugins.module_utils.supervisor.tracking.process_events import (
    Answer,
    ThreadExit,
    choose,
    listen,
    read,
)

EXIT, FORK, ANSWER = 0x80000000, 1, 0


def datagram(what, *data, idx=1, val=1, ack=0, size=40, length=None):
    """Return an event as the kernel sends it: 76 bytes since Linux 4.18, with ``size`` of them after the headers."""
    event = struct.pack("=IIQ", what, 1, 12345) + struct.pack(f"={len(data)}I", *data)
    event = event.ljust(size, b"\0")[:size]
    message = struct.pack("=IIIIHH", idx, val, 12, ack, size, 0) + event
    return struct.pack("=IHHII", 16 + len(message) if length is None else length, 3, 0, 0, 0) + message


def ended(thread, process, status, **changes):
    return datagram(EXIT, thread, process, status, 17, 1, 1, **changes)


def test_an_exit_is_read():
    assert read(ended(100, 100, 7 << 8), 0) == ThreadExit(100, 100, 7 << 8)


def test_an_exit_without_the_fields_that_came_later_is_read():
    assert read(ended(100, 100, 11, size=32), 0) == ThreadExit(100, 100, 11)


def test_the_exit_of_a_thread_names_its_process():
    assert read(ended(101, 100, 0), 0) == ThreadExit(101, 100, 0)


@pytest.mark.parametrize(("sent", "error"), [(0, 0), (22, 22), (0xFFFFFFEA, 22)])
def test_an_answer_has_the_number_of_the_request_and_the_error(sent, error):
    assert read(datagram(ANSWER, sent, ack=77), 0) == Answer(77, error)


def test_a_process_that_claims_to_be_the_kernel_is_not_believed():
    assert read(ended(100, 100, 0), 4711) is None


@pytest.mark.parametrize("changes", [{"idx": 2}, {"val": 2}])
def test_messages_of_others_are_passed_over(changes):
    assert read(ended(100, 100, 0, **changes), 0) is None


def test_other_events_are_passed_over():
    assert read(datagram(FORK, 1, 1, 100, 100), 0) is None


def test_nothing_that_is_cut_off_is_believed():
    whole = ended(100, 100, 0)
    assert [read(whole[:size], 0) for size in range(len(whole))] == [None] * len(whole)


def test_a_length_beyond_the_end_is_not_believed():
    assert read(ended(100, 100, 0, length=77), 0) is None


def test_an_event_too_short_for_an_exit_is_passed_over():
    assert read(ended(100, 100, 0, size=27), 0) is None


def test_a_request_is_as_long_as_it_says():
    request = listen(5)
    assert (len(request), struct.unpack_from("=IHHII", request)[:2]) == (40, (40, 3))
    assert struct.unpack_from("=IIIIHHI", request, 16) == (1, 1, 5, 4, 4, 0, 1)


@pytest.fixture
def through():
    """Return a function that gives those of some datagrams that a filter lets pass."""
    sending, receiving = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def passed(program, *datagrams):
        linux.filter_socket(receiving, program)
        for each in datagrams:
            sending.send(each)
        found = []
        while True:
            try:
                found.append(receiving.recv(512))
            except BlockingIOError:
                return found

    yield passed
    sending.close()
    receiving.close()


def test_before_anybody_is_chosen_all_exits_and_answers_pass(through):
    exits = [ended(100, 100, 0), ended(201, 200, 0), datagram(ANSWER, 0)]
    assert through(choose(None), datagram(FORK, 1, 1, 2, 2), *exits) == exits


def test_only_the_chosen_processes_pass_with_all_their_threads(through):
    exits = [ended(100, 100, 0), ended(70001, 70000, 0)]
    others = [ended(100, 101, 0), ended(102, 102, 0), datagram(FORK, 100, 100, 100, 100), datagram(ANSWER, 0)]
    assert through(choose((100, 70000)), *others, *exits) == exits


def test_nothing_passes_where_nobody_is_chosen(through):
    assert through(choose(()), ended(100, 100, 0)) == []


def test_more_than_a_filter_can_hold_is_all(through):
    assert through(choose(range(10, 5000)), ended(9, 9, 0)) == [ended(9, 9, 0)]


def test_what_is_too_short_to_be_an_event_does_not_pass(through):
    assert through(choose(None), b"x" * 20) == []
