# SPDX-License-Identifier: GPL-3.0-or-later
"""The blocking client against a server that is played by the test, in a thread of its own."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.foster.init.plugins.module_utils.dbus import client, message, wire
from ansible_collections.foster.init.plugins.module_utils.dbus.auth import ServerAuth
from ansible_collections.foster.init.plugins.module_utils.dbus.connection import MessageStream
from ansible_collections.foster.init.plugins.module_utils.dbus.errors import NO_REPLY_TEXT, BusError, BusUnreachable

CALL = ("/a", "b.c", "Go")


class Server:
    """Accepts one client and plays ``script(server)``."""

    def __init__(self, path: Path, script: Callable[[Server], None]) -> None:
        self.address = f"unix:path={path}"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.stream = MessageStream(1 << 27)
        self.script = script
        self.error: Any = None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.sock, _address = self.listener.accept()
            with self.sock:
                self.script(self)
        except OSError:
            pass
        except Exception as error:
            self.error = error

    def handshake(self) -> None:
        auth = ServerAuth(os.geteuid(), "0" * 32)
        while not auth.done:
            self.sock.sendall(auth.feed(self.sock.recv(4096)))
        self.stream.feed(auth.rest)

    def next_call(self) -> Any:
        found = self.stream.next_message()
        while found is None:
            data = self.sock.recv(1 << 16)
            if not data:
                raise OSError
            self.stream.feed(data)
            found = self.stream.next_message()
        return found

    def reply(self, call: Any, signature: str = "", *values: Any) -> None:
        body = wire.encode(signature, values)
        self.sock.sendall(message.method_return(call.serial, call.serial, signature, body))

    def signal(self, number: int) -> None:
        shape = message.SignalShape("b.c", "Happened", "i")
        self.sock.sendall(shape.assemble("/a", 1, wire.encode("i", (number,))))

    def wait_for_end(self) -> None:
        while self.sock.recv(1 << 16):
            pass

    def close(self) -> None:
        self.listener.close()
        self.thread.join(10)
        assert not self.thread.is_alive()
        assert self.error is None


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[Callable[[Server], None]], Server]]:
    servers: list[Server] = []

    def make(script: Callable[[Server], None]) -> Server:
        servers.append(Server(tmp_path / "socket", script))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


def test_a_call_gives_what_the_server_answers(serve: Any) -> None:
    def script(server: Server) -> None:
        server.handshake()
        call = server.next_call()
        assert (call.path, call.interface, call.member, call.destination) == (*CALL, "com.ubuntu.Upstart")
        server.reply(call, "sas", *call.arguments())
        server.wait_for_end()

    with client.Connection.open(serve(script).address, timeout=10) as connection:
        assert connection.call(*CALL, "sas", "x", ["y"]) == ("x", ["y"])


def test_an_error_reply_is_raised_with_name_and_text(serve: Any) -> None:
    def script(server: Server) -> None:
        server.handshake()
        call = server.next_call()
        server.sock.sendall(message.error_reply(1, call.serial, "a.Error.UnknownJob", "Unknown job: x"))
        server.wait_for_end()

    with client.Connection.open(serve(script).address, timeout=10) as connection, pytest.raises(BusError) as caught:
        connection.call(*CALL)
    assert caught.value.message == "Unknown job: x"
    assert (caught.value.name, caught.value.short) == ("a.Error.UnknownJob", "UnknownJob")


def test_pipelined_calls_are_answered_in_any_order(serve: Any) -> None:
    def script(server: Server) -> None:
        server.handshake()
        calls = [server.next_call() for _unused in range(100)]
        for call in reversed(calls):
            server.signal(call.serial)
            server.reply(call, "i", call.arguments()[0])
        server.wait_for_end()

    with client.Connection.open(serve(script).address, timeout=10) as connection:
        serials = [connection.send(*CALL, "i", number) for number in range(100)]
        assert [connection.wait(serial) for serial in serials] == [(number,) for number in range(100)]
        seen = [signal.arguments[0] for signal in connection.signals(timeout=0)]
    assert seen == list(reversed(serials))


def test_a_pipeline_bigger_than_all_buffers_does_not_lock_up(serve: Any) -> None:
    """Both sides write more than the socket holds: the client has to read while it writes."""
    text = "x" * 10_000

    def script(server: Server) -> None:
        server.handshake()
        for _unused in range(300):
            call = server.next_call()
            server.reply(call, "s", text)
        server.wait_for_end()

    with client.Connection.open(serve(script).address, timeout=30) as connection:
        serials = [connection.send(*CALL, "s", text) for _unused in range(300)]
        assert all(connection.wait(serial) == (text,) for serial in serials)


def test_signals_come_with_their_values_and_end_with_the_connection(serve: Any) -> None:
    def script(server: Server) -> None:
        server.handshake()
        for number in range(3):
            server.signal(number)

    with client.Connection.open(serve(script).address, timeout=10) as connection:
        assert list(connection.signals()) == [client.Signal("/a", "b.c", "Happened", (n,)) for n in range(3)]


def test_a_broken_connection_is_no_reply_with_the_sentence_of_libdbus(serve: Any) -> None:
    def script(server: Server) -> None:
        server.handshake()
        server.next_call()

    with client.Connection.open(serve(script).address, timeout=10) as connection, pytest.raises(BusError) as caught:
        connection.call(*CALL)
    assert (caught.value.name, caught.value.message) == ("org.freedesktop.DBus.Error.NoReply", NO_REPLY_TEXT)


def test_a_connection_that_breaks_behind_a_signal_has_another_sentence(serve: Any) -> None:
    """As with libdbus, which has messages to hand out then; Upstart's client prints what it says."""

    def script(server: Server) -> None:
        server.handshake()
        server.next_call()
        server.signal(1)

    with client.Connection.open(serve(script).address, timeout=10) as connection, pytest.raises(BusError) as caught:
        connection.call(*CALL)
    assert caught.value.message == "Connection was disconnected before a reply was received"


def test_a_call_that_takes_too_long_is_a_timeout_and_its_late_answer_is_dropped(serve: Any) -> None:
    def script(server: Server) -> None:
        server.handshake()
        late = server.next_call()
        call = server.next_call()
        server.reply(late, "i", 1)
        server.reply(call, "i", 2)
        server.wait_for_end()

    with client.Connection.open(serve(script).address, timeout=10) as connection:
        with pytest.raises(BusError, match=r"within 0\.01 s") as caught:
            connection.call(*CALL, timeout=0.01)
        assert caught.value.short == "Timeout"
        assert connection.call(*CALL) == (2,)


def test_nobody_at_the_address_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with pytest.raises(BusUnreachable, match="there is no such socket"):
        client.Connection.open(f"unix:path={path}")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(BusUnreachable, match="nobody listens there"):
        client.Connection.open(f"unix:path={path}")
    with pytest.raises(BusUnreachable, match="holds no unix:path="):
        client.Connection.open("tcp:host=localhost")


@pytest.mark.parametrize("said", [b"HTTP/1.0 400\r\n", b"REJECTED EXTERNAL\r\n", b""])
def test_a_server_of_another_kind_is_one_sentence(serve: Any, said: bytes) -> None:
    def script(server: Server) -> None:
        server.sock.recv(4096)
        server.sock.sendall(said)

    with pytest.raises(BusUnreachable, match="Cannot talk to the init at"):
        client.Connection.open(serve(script).address, timeout=10)


def test_a_silent_server_is_a_timeout(serve: Any) -> None:
    with pytest.raises(BusUnreachable, match=r"no answer within 0\.01 s"):
        client.Connection.open(serve(Server.wait_for_end).address, timeout=0.01)


def test_nonsense_from_the_server_is_an_error(serve: Any) -> None:
    def script(server: Server) -> None:
        server.handshake()
        server.next_call()
        server.sock.sendall(b"\xff" * 100)
        server.wait_for_end()

    connection = client.Connection.open(serve(script).address, timeout=10)
    with connection, pytest.raises(BusError, match="does not speak D-Bus"):
        connection.call(*CALL)


def test_values_that_cannot_be_sent_leave_the_connection_usable(serve: Any) -> None:
    def script(server: Server) -> None:
        server.handshake()
        server.reply(server.next_call())
        server.wait_for_end()

    with client.Connection.open(serve(script).address, timeout=10) as connection:
        with pytest.raises(BusError, match="zero byte"):
            connection.call(*CALL, "s", "a\0b")
        assert connection.call(*CALL) == ()


@pytest.mark.parametrize(
    ("address", "names"),
    [
        ("unix:path=/run/x", ["/run/x"]),
        ("unix:abstract=/com/ubuntu/upstart,guid=12", ["\0/com/ubuntu/upstart"]),
        ("unix:path=/a%20b", ["/a b"]),
        ("tcp:host=x;unix:path=/a;unix:abstract=b", ["/a", "\0b"]),
        ("unix:path=", []),
        ("", []),
    ],
)
def test_addresses(address: str, names: list[str]) -> None:
    assert client.socket_names(address) == names
