# SPDX-License-Identifier: GPL-3.0-or-later
"""A supervisor without processes around the D-Bus service: a real engine, a loop that only turns when told, raw
clients.
"""

from __future__ import annotations

import json
import os
import select
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Optional

import pytest
from ansible_collections.foster.init.plugins.module_utils.dbus import wire
from ansible_collections.foster.init.plugins.module_utils.dbus.connection import MessageStream
from ansible_collections.foster.init.plugins.module_utils.dbus.message import Message, assemble_call, call_fields
from ansible_collections.foster.init.plugins.module_utils.engine.engine import Engine
from ansible_collections.foster.init.plugins.module_utils.engine.messages import (
    Announce,
    CloseFile,
    Define,
    EndFamily,
    FamilyEnded,
    Input,
    ProcessExited,
    Refuse,
    Reply,
    Signal,
    Spawn,
    Spawned,
)
from ansible_collections.foster.init.plugins.module_utils.job.model import Job, Process
from ansible_collections.foster.init.plugins.module_utils.supervisor.control.server import Control
from ansible_collections.foster.init.plugins.module_utils.supervisor.explain import SAID


class FakeTimer:
    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback: Optional[Callable[[], None]] = callback

    def cancel(self) -> None:
        self.callback = None


class FakeLoop:
    """The loop's contract, with a clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.watched: dict[int, tuple[int, Callable[[int], None]]] = {}
        self.timers: list[FakeTimer] = []

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        self.watched[fd] = (events, callback)

    def unwatch(self, fd: int) -> None:
        self.watched.pop(fd, None)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> FakeTimer:
        timer = FakeTimer(self.now + seconds, callback)
        self.timers.append(timer)
        return timer

    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.run_timers()

    def run_timers(self) -> None:
        due = [timer for timer in self.timers if timer.when <= self.now]
        self.timers = [timer for timer in self.timers if timer.when > self.now]
        for timer in due:
            if timer.callback is not None:
                timer.callback()

    def turn(self) -> bool:
        """Dispatch what is ready; tell whether anything was."""
        poller = select.poll()
        for fd, (events, _callback) in self.watched.items():
            poller.register(fd, events)
        ready = poller.poll(0)
        for fd, events in ready:
            if fd in self.watched:
                self.watched[fd][1](events)
        self.run_timers()
        return bool(ready)

    def settle(self) -> None:
        for _unused in range(200):
            if not self.turn():
                return


class FakeHost:
    """Carries the engine's effects out with processes that exist only as numbers."""

    version = "init (upstart 1.13.2)"

    def __init__(self) -> None:
        self.log_priority = "message"
        self.engine = Engine(("PATH=/bin", "TERM=linux"))
        self.control: Any = None
        self.calls: list[str] = []
        self.next_pid = 1000
        self.asked_by_a_job = False  # who connects next is a process of a job
        self.waiting: dict[int, Any] = {}
        self.hold_spawns = False
        self.spawns: list[Spawn] = []
        self.held: list[Spawn] = []

    def define(self, *jobs: Job) -> None:
        for job in jobs:
            self.submit(Define(job))

    def submit(self, message: Input, on_reply: Any = None) -> None:
        request = getattr(message, "request", None)
        if request is not None and on_reply is not None:
            self.waiting[request] = on_reply
        inputs = [message]
        while inputs:
            for effect in self.engine.handle(inputs.pop(0), 0.0):
                self._carry_out(effect, inputs)

    def _carry_out(self, effect: Any, inputs: list[Any]) -> None:
        if isinstance(effect, (Reply, Refuse)):
            self.waiting.pop(effect.request)(effect)
        elif isinstance(effect, Announce):
            if self.control is not None:
                self.control.announce(effect)
        elif isinstance(effect, CloseFile):
            os.close(effect.file)
        elif isinstance(effect, Spawn):
            self.spawns.append(effect)
            if self.hold_spawns:
                self.held.append(effect)
            else:
                self.next_pid += 1
                inputs.append(Spawned(effect.key, effect.kind, self.next_pid))
        elif isinstance(effect, Signal):
            instance = self.engine.instance(effect.key)
            if effect.signal == "TERM" and instance is not None and effect.kind in instance.processes:
                inputs.append(ProcessExited(effect.key, effect.kind, instance.processes[effect.kind], signal=15))
        elif isinstance(effect, EndFamily):
            inputs.append(FamilyEnded(effect.key))

    def release(self) -> None:
        for effect in self.held:
            self.next_pid += 1
            self.submit(Spawned(effect.key, effect.kind, self.next_pid))
        self.held = []

    def warn(self, text: str) -> None:
        self.calls.append(text)

    def reload(self) -> None:
        self.calls.append("reload")

    def read_changes(self) -> None:
        self.calls.append("changes")

    def reexec(self) -> None:
        self.calls.append("reexec")

    def shutdown(self) -> None:
        self.calls.append("shutdown")

    def state_json(self) -> str:
        return '{"sessions": []}'

    def is_of_a_job(self, pid: int) -> bool:
        return self.asked_by_a_job

    def describe(self, names: Any) -> str:
        return '{"jobs": [{"name": "a", "last_failure": {"log_tail": ["secret"], "exit_status": 1}}]}'

    def capabilities(self) -> str:
        return "{}"

    def history(self, job: str) -> str:
        return '{"processes": [], "last_failure": {"log_tail": ["secret"], "exit_status": 1}}'

    def explain(self, job: str, instance: str) -> str:
        failure = {"log_tail": ["secret"], "exit_status": 1}
        return json.dumps({"job": job, "instance": instance, "details": [f"{SAID}secret", "more"], "failure": failure})


class FakeListener:
    """Connections from a socketpair, without a name anywhere."""

    address = "unix:path=/nowhere"

    def __init__(self) -> None:
        self.socket, self._other = socket.socketpair()

    def close(self, remove: bool = True) -> None:
        self.socket.close()
        self._other.close()


class RawClient:
    """A client that does nothing by itself: it writes bytes and looks at what came."""

    def __init__(self, sock: socket.socket, loop: FakeLoop) -> None:
        self.sock = sock
        self.sock.setblocking(False)
        self.loop = loop
        self.received = b""
        self.serial = 0
        self.stream = MessageStream(1 << 27)

    def send(self, data: bytes) -> None:
        self.sock.send(data)
        self.loop.settle()

    def read(self) -> bytes:
        """Return what has come; b"" when nothing has, or when the connection has ended (see ``ended``)."""
        data = b""
        try:
            while True:
                piece = self.sock.recv(1 << 16)
                if not piece:
                    return data
                data += piece
                self.loop.settle()
        except (BlockingIOError, ConnectionResetError):
            return data

    @property
    def ended(self) -> bool:
        try:
            return self.sock.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True

    def authenticate(self) -> None:
        self.send(b"\0AUTH EXTERNAL %b\r\n" % str(os.geteuid()).encode().hex().encode())
        assert self.read().startswith(b"OK ")
        self.send(b"BEGIN\r\n")

    def request(self, path: str, interface: str, member: str, signature: str = "", *args: Any) -> int:
        self.serial += 1
        body = wire.encode(signature, args)
        self.send(assemble_call(call_fields(path, interface, member, signature), self.serial, body))
        return self.serial

    def send_with_files(self, data: bytes, files: Sequence[int]) -> None:
        socket.send_fds(self.sock, [data], files)
        self.loop.settle()

    def messages(self) -> list[Message]:
        """Return the messages that have come."""
        self.stream.feed(self.read())
        found = []
        message = self.stream.next_message()
        while message is not None:
            found.append(message)
            message = self.stream.next_message()
        return found

    def reply(self, serial: int) -> Message:
        """Return the answer to a request; signals that came before it are dropped."""
        [reply] = [message for message in self.messages() if message.reply_serial == serial]
        return reply

    def call(self, path: str, interface: str, member: str, signature: str = "", *args: Any) -> Message:
        return self.reply(self.request(path, interface, member, signature, *args))


class World:
    """Service, engine and as many clients as wanted. ``uid`` None: the real one of this process."""

    def __init__(self, reads_open: bool = False) -> None:
        self.loop = FakeLoop()
        self.host = FakeHost()
        self.listener = FakeListener()
        self.control = Control(self.host, self.loop, self.listener, reads_open)  # type: ignore[arg-type]
        self.loop.unwatch(self.listener.socket.fileno())
        self.host.control = self.control
        self.sockets: list[socket.socket] = []

    def connect(self, authenticated: bool = True, privileged: bool = True) -> RawClient:
        ours, theirs = socket.socketpair()
        self.sockets.append(theirs)
        self.control._admit(ours)
        for peer in self.control.peers.values():
            if peer.fd == ours.fileno():
                peer.privileged = privileged
        client = RawClient(theirs, self.loop)
        if authenticated:
            client.authenticate()
        return client

    def close(self) -> None:
        self.control.close()
        for sock in self.sockets:
            sock.close()


@pytest.fixture
def new_world() -> Iterator[Callable[..., World]]:
    """Make worlds; all are closed at the end."""
    worlds: list[World] = []

    def make(**options: Any) -> World:
        worlds.append(World(**options))
        return worlds[-1]

    yield make
    for one in worlds:
        one.close()


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    """A world with the job of the recorded case ``dbus-api``, and a plain one with a name that needs escapes."""
    from ansible_collections.foster.init.plugins.module_utils.job.model import And, Match, Or

    made = new_world()
    made.host.define(
        Job(
            name="a",
            description="desc here",
            author="auth",
            version="9",
            usage="use it",
            emits=("e1",),
            start_on=Or(Match("foo", ("A=1",)), And(Match("bar"), Match("baz"))),
            stop_on=Match("qux"),
            instance="$N",
            env=("N=x",),
            exec_main=Process("sleep 1000"),
        ),
        Job(name="web-server/x", exec_main=Process("sleep 1000")),
        Job(name="needs", instance="$Q", usage="needs Q=", exec_main=Process("sleep 1000")),
    )
    return made
