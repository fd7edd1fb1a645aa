# SPDX-License-Identifier: GPL-3.0-or-later
"""Slow, silent, malformed, oversized and greedy clients: each costs its own connection and nothing else."""

from __future__ import annotations

import contextlib
import struct
from typing import Any

import pytest
from ansible_collections.foster.init.plugins.module_utils.dbus import wire
from ansible_collections.foster.init.plugins.module_utils.dbus.message import assemble_call, call_fields
from ansible_collections.foster.init.plugins.module_utils.engine.messages import Announce
from ansible_collections.foster.init.plugins.module_utils.supervisor.control import peer as peer_module
from ansible_collections.foster.init.plugins.module_utils.supervisor.control import server as server_module
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MANAGER = ("/com/ubuntu/Upstart", "com.ubuntu.Upstart0_6")


def still_serves(world: Any) -> bool:
    return bool(world.connect().call(*MANAGER, "GetAllJobs").signature == "ao")


def test_a_silent_client_is_dropped_after_the_time_for_the_handshake(world: Any) -> None:
    client = world.connect(authenticated=False)
    world.loop.advance(peer_module.AUTH_SECONDS - 0.1)
    assert not client.ended
    world.loop.advance(0.2)
    assert client.ended
    assert not world.control.peers


def test_an_authenticated_client_may_be_silent_for_ever(world: Any) -> None:
    client = world.connect()
    world.loop.advance(10_000)
    assert not client.ended


def test_a_handshake_in_single_bytes_succeeds(world: Any) -> None:
    client = world.connect(authenticated=False)
    for byte in b"\0AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n":
        client.send(bytes([byte]))
    answer = client.read()
    assert answer.startswith(b"DATA\r\nOK ") and answer.count(b"\r\n") == 3
    assert client.call(*MANAGER, "GetAllJobs").signature == "ao"


def test_handshake_and_first_call_in_one_write(world: Any) -> None:
    client = world.connect(authenticated=False)
    call = assemble_call(call_fields(*MANAGER, "GetAllJobs", ""), 1, b"")
    client.send(b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n" + call)
    answer = client.read()
    assert answer.startswith(b"DATA\r\nOK ") and b"/com/ubuntu/Upstart/jobs/a" in answer


@pytest.mark.parametrize(
    "data",
    [b"x", b"\0BEGIN\r\n", b"\0" + b"A" * 5000, b"\0" + b"AUTH\r\n" * 1000, b"GET / HTTP/1.0\r\n\r\n"],
    ids=["no zero byte", "begin without auth", "endless line", "endless handshake", "http"],
)
def test_a_wrong_handshake_ends_the_connection(world: Any, data: bytes) -> None:
    client = world.connect(authenticated=False)
    client.send(data)
    client.read()
    assert client.ended
    assert still_serves(world)


def test_a_claim_to_be_somebody_else_is_rejected(world: Any) -> None:
    client = world.connect(authenticated=False)
    client.send(b"\0AUTH EXTERNAL %b\r\n" % b"4294967294".hex().encode())
    assert client.read() == b"REJECTED EXTERNAL\r\n"


def _header(body_length: int = 0, fields_length: int = 0, kind: int = 1, serial: int = 1) -> bytes:
    return struct.pack("<BBBBIII", ord("l"), kind, 0, 1, body_length, serial, fields_length)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff" * 64,
        _header(body_length=(1 << 20) + 1),
        _header(body_length=0xFFFFFFFF),
        _header(fields_length=0xFFFFFFF0),
        _header(serial=0),
        _header(kind=0),
        _header(fields_length=8) + b"\1\1o\0\xff\xff\xff\xff",
        _header(fields_length=8) + b"\x63\2()\0\0\0\0",
        _header(fields_length=16) + b"\1\1v\0" + b"\1v\0" * 4,
        assemble_call(call_fields(*MANAGER, "GetJobByName", "s"), 1, b"\xff\xff\xff\xff"),
        assemble_call(call_fields(*MANAGER, "GetJobByName", "s"), 1, b"\1\0\0\0\xff\0"),
        assemble_call(call_fields(*MANAGER, "GetJobByName", "s"), 1, wire.encode("s", ("a",)) + b"more"),
        assemble_call(call_fields(*MANAGER, "EmitEvent", "sasb"), 1, wire.encode("sas", ("a", [])) + b"\2\0\0\0"),
    ],
)
def test_a_broken_message_ends_the_connection(world: Any, data: bytes) -> None:
    client = world.connect()
    client.send(data)
    assert client.ended
    assert still_serves(world)


def test_a_variant_with_an_array_of_nothing_does_not_hang_the_supervisor(world: Any) -> None:
    """An array of empty structs never ends for a reader that believes it: jeepney would go round for ever."""
    client = world.connect()
    body = wire.encode("ss", (MANAGER[1], "log_priority"))
    body += b"\3a()\0" + b"\0" * (-(len(body) + 5) % 4) + b"\x10\0\0\0" + b"\0" * 24
    fields = call_fields(MANAGER[0], "org.freedesktop.DBus.Properties", "Set", "ssv")
    client.send(assemble_call(fields, 1, body))
    assert client.ended
    assert still_serves(world)


def test_a_client_that_does_not_read_its_answers_is_not_served_further(world: Any) -> None:
    """Its requests wait in the kernel; when it reads, all answers come."""
    client = world.connect()
    world.host.state_json = lambda: "x" * 20_000
    call = assemble_call(call_fields(*MANAGER, "GetState", ""), 1, b"")
    client.sock.setblocking(False)
    sent = client.sock.send(call * 100) // len(call)
    world.loop.settle()
    [peer] = world.control.peers.values()
    assert len(peer._out) < peer_module.HIGH_WATER + 40_000
    total = 0
    for _unused in range(10_000):
        data = client.read()
        if not data:
            break
        total += len(data)
    assert total > sent * 20_000
    assert not client.ended


def test_a_listener_that_does_not_read_is_dropped_at_the_cap(world: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(peer_module, "OUTPUT_CAP", 50_000)
    deaf, admin = world.connect(), world.connect()
    for _unused in range(40):
        admin.request(*MANAGER, "EmitEvent", "sasb", "e", ["X=" + "x" * 20_000], False)
        admin.read()
    world.loop.settle()
    assert len(world.control.peers) == 1
    assert not admin.ended
    assert deaf.read() and deaf.ended


def test_a_listener_that_reads_is_kept_however_much_one_input_leads_to(world: Any, monkeypatch: Any) -> None:
    """One event started 3000 jobs, and who had emitted it was dropped: nothing was sent before all had been started."""
    monkeypatch.setattr(peer_module, "HIGH_WATER", 10_000)
    monkeypatch.setattr(peer_module, "OUTPUT_CAP", 50_000)
    client = world.connect()
    signal = Announce("EventEmitted", None, ("e", ("X=" + "x" * 5_000,)))
    received = 0
    for _unused in range(40):  # the loop has no turn meanwhile
        world.control.announce(signal)
        with contextlib.suppress(BlockingIOError):
            received += len(client.sock.recv(1 << 20))
    world.loop.settle()
    received += len(client.read())
    assert received > 40 * 5_000
    assert not client.ended


def test_there_are_limits_on_connections_and_room_for_the_admin(new_world: Any, monkeypatch: Any) -> None:
    world = new_world(reads_open=True)
    monkeypatch.setattr(server_module, "MAX_PER_STRANGER", 2)
    monkeypatch.setattr(server_module, "MAX_STRANGERS", 3)
    monkeypatch.setattr(server_module, "MAX_PEERS", 5)
    control = world.control
    for uid, admitted in [(7001, True), (7001, True), (7001, False), (7002, True), (7003, False), (0, True)]:
        assert control._may_connect(uid) is admitted
        if admitted:
            client = world.connect(authenticated=False, privileged=uid == 0)
            assert not client.ended
            next(reversed(control.peers.values())).uid = uid
    assert control._may_connect(0)
    world.connect()
    assert not control._may_connect(0)


def test_strangers_are_not_let_in_unless_reads_are_open(new_world: Any) -> None:
    assert not new_world().control._may_connect(4711)
    assert new_world(reads_open=True).control._may_connect(4711)


# ---- whatever comes ----

_names = st.sampled_from(
    ["", "a", "com.ubuntu.Upstart0_6", "com.ubuntu.Upstart0_6.Job", "org.freedesktop.DBus.Properties", "Start", "Get",
     "GetAll", "Set", "Introspect", "EmitEvent", "GetEnv", "SetEnvList", "org.foster.Init1", "Describe", "\u00e9"]
)  # fmt: skip
_paths = st.sampled_from(
    ["/", "/com/ubuntu/Upstart", "/com/ubuntu/Upstart/jobs/a", "/com/ubuntu/Upstart/jobs/a/q", "x"]
)
_bodies = st.one_of(
    st.tuples(st.just("s"), st.tuples(st.text(max_size=5))),
    st.tuples(st.just("ss"), st.tuples(_names, _names)),
    st.tuples(st.just("asb"), st.tuples(st.lists(st.text(max_size=5), max_size=3), st.booleans())),
    st.tuples(st.just("ssv"), st.tuples(_names, _names, st.just(("s", "debug")))),
    st.just(("", ())),
)


def _valid_looking(path: str, interface: str, member: str, body: Any, serial: int) -> bytes:
    signature, values = body
    try:
        data = wire.encode(signature, values)
    except ValueError:
        signature, data = "", b""
    return assemble_call(call_fields(path, interface, member, signature), serial, data)


_calls = st.builds(_valid_looking, _paths, _names, _names, _bodies, st.integers(0, 0xFFFFFFFF))
_pieces = st.one_of(
    _calls,
    _calls.flatmap(lambda one: st.integers(0, len(one)).map(lambda end: one[:end])),
    st.tuples(_calls, st.integers(0, 300), st.integers(0, 255)).map(
        lambda t: t[0][: t[1]] + bytes([t[2]]) + t[0][t[1] + 1 :]
    ),
    st.binary(max_size=100),
)
_handshakes = st.one_of(
    st.just(b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n"),
    st.binary(max_size=60),
    st.lists(
        st.sampled_from([b"AUTH EXTERNAL", b"AUTH", b"DATA", b"DATA zz", b"CANCEL", b"ERROR", b"BEGIN", b"", b"\xff"]),
        max_size=6,
    ).map(lambda lines: b"\0" + b"\r\n".join(lines)),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(handshake=_handshakes, pieces=st.lists(_pieces, max_size=6), privileged=st.booleans())
def test_no_bytes_make_a_peer_raise(new_world: Any, handshake: bytes, pieces: list[bytes], privileged: bool) -> None:
    """The loop would end with an exception that leaves a callback; the supervisor with it."""
    world = new_world()
    try:
        client = world.connect(authenticated=False, privileged=privileged)
        for data in (handshake, *pieces):
            try:
                client.sock.send(data)
            except OSError:
                break
            world.loop.settle()
            client.read()
        assert still_serves(world)
    finally:
        world.close()


@given(data=st.binary(max_size=64), signature=st.text(alphabet="sogubihav(){}asao", max_size=6))
def test_reading_values_from_strangers_gives_values_or_a_protocol_error(data: bytes, signature: str) -> None:
    from ansible_collections.foster.init.plugins.module_utils.dbus.errors import ProtocolError

    try:
        values = wire.decode(signature, data, simple_only=True)
    except ProtocolError:
        return
    assert len(values) == len(wire.split_signature(signature))
