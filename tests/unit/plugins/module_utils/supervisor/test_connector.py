# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's process connector itself, where it may be listened to: as root, outside of containers."""

from __future__ import annotations

import errno
import os
import select
import socket

import pytest
from ansible_collections.foster.init.plugins.module_utils.supervisor.tracking import connector as tested
from ansible_collections.foster.init.plugins.module_utils.supervisor.tracking.connector import Connector, Unavailable
from ansible_collections.foster.init.plugins.module_utils.supervisor.tracking.process_events import ThreadExit


@pytest.fixture
def connector():
    try:
        made = Connector()
    except Unavailable as error:
        pytest.skip(f"no process connector: {error}")
    yield made
    made.close()


def ended_child(status):
    """Return the pid of a child that has ended and was reaped."""
    child = os.fork()
    if not child:
        os._exit(status)
    os.waitpid(child, 0)
    return child


def heard(connector, wanted):
    """Return what is heard until ``wanted`` is."""
    poll = select.poll()
    poll.register(connector, select.POLLIN)
    exits = []
    while wanted not in exits:
        assert poll.poll(20000), f"{wanted} was not heard, only {exits}"
        exits += connector.read().exits
    return exits


def test_the_exit_of_a_process_is_heard(connector):
    connector.choose(None)
    child = ended_child(7)
    assert ThreadExit(child, child, 7 << 8) in heard(connector, ThreadExit(child, child, 7 << 8))


def test_nothing_is_heard_of_who_is_not_chosen(connector):
    hold, release = os.pipe()
    child = os.fork()
    if not child:
        os.close(release)
        os.read(hold, 1)
        os._exit(7)
    connector.read()
    connector.choose((child,))
    for _other in range(20):
        ended_child(0)
    os.close(hold)
    os.close(release)
    os.waitpid(child, 0)
    assert heard(connector, ThreadExit(child, child, 7 << 8)) == [ThreadExit(child, child, 7 << 8)]


def test_it_says_when_the_kernel_could_not_keep_all(connector):
    connector._socket.setsockopt(socket.SOL_SOCKET, 33, 1)  # SO_RCVBUFFORCE: the least there is, two or three messages
    connector.choose(None)
    for _child in range(30):
        ended_child(0)
    assert connector.read().lost


class Refusing:
    """A socket where there is no connector: ``at`` this call the error ``number`` comes."""

    def __init__(self, at, number):
        self._at, self._number = at, number
        self.closed = False

    def __getattr__(self, name):
        def call(*_arguments):
            if name == self._at:
                raise OSError(self._number, os.strerror(self._number))
            if name == "recvfrom":
                raise BlockingIOError
            if name == "close":
                self.closed = True

        return call


@pytest.mark.parametrize(
    ("at", "number", "why"),
    [
        ("bind", errno.EPERM, "it needs CAP_NET_ADMIN, or Linux 6.6"),
        ("send", errno.ECONNREFUSED, "the kernel serves it in the initial network namespace only"),
        ("send", errno.ENOBUFS, "the kernel refuses it (No buffer space available)"),
        ("nothing", 0, "the kernel does not answer: it serves the initial process and user namespaces only"),
    ],
)
def test_why_there_is_none_is_said_and_nothing_is_left_open(at, number, why, monkeypatch):
    refusing = Refusing(at, number)
    monkeypatch.setattr(tested.socket, "socket", lambda *_arguments: refusing)
    monkeypatch.setattr(tested.linux, "filter_socket", lambda *_arguments: None)
    with pytest.raises(Unavailable) as caught:
        Connector()
    assert (str(caught.value), refusing.closed) == (why, True)


def test_a_kernel_that_was_built_without_it_is_told(monkeypatch):
    def refuse(*_arguments):
        raise OSError(errno.EPROTONOSUPPORT, "Protocol not supported")

    monkeypatch.setattr(tested.socket, "socket", refuse)
    with pytest.raises(Unavailable, match="the kernel was built without it"):
        Connector()
