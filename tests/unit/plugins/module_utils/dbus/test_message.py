# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages as bytes, compared with jeepney's own reading and writing."""

from __future__ import annotations

from typing import Any

import jeepney
import pytest
from ansible_collections.foster.init.plugins.module_utils.dbus import message as messages
from ansible_collections.foster.init.plugins.module_utils.dbus import wire
from ansible_collections.foster.init.plugins.module_utils.dbus.connection import MessageStream
from ansible_collections.foster.init.plugins.module_utils.dbus.errors import ProtocolError
from hypothesis import given
from hypothesis import strategies as st

PATH, INTERFACE = "/com/ubuntu/Upstart/jobs/a", "com.ubuntu.Upstart0_6.Job"


def jeepney_reads(data: bytes) -> Any:
    parser = jeepney.Parser()
    parser.add_data(data)
    return parser.get_next_message()


def fields_of(message: Any) -> dict[str, Any]:
    return {field.name: value for field, value in message.header.fields.items()}


@pytest.mark.parametrize("length", range(9))
def test_calls_and_signals_are_read_by_jeepney_whatever_the_alignment(length: int) -> None:
    path, body = "/" + "a" * (length + 1), wire.encode("s", ("x" * length,))
    call = jeepney_reads(messages.assemble_call(messages.call_fields(path, INTERFACE, "Go", "s", "a.b"), 7, body))
    assert call.header.serial == 7 and call.body == ("x" * length,)
    assert fields_of(call) == {
        "path": path, "interface": INTERFACE, "member": "Go", "destination": "a.b", "signature": "s"
    }  # fmt: skip
    signal = jeepney_reads(messages.SignalShape(INTERFACE, "Went", "s").assemble(path, 9, body))
    assert signal.header.message_type is jeepney.MessageType.signal and signal.body == ("x" * length,)
    assert fields_of(signal) == {"path": path, "interface": INTERFACE, "member": "Went", "signature": "s"}


def test_replies_are_read_by_jeepney() -> None:
    reply = jeepney_reads(messages.method_return(3, 7, "o", wire.encode("o", (PATH,))))
    assert fields_of(reply) == {"reply_serial": 7, "signature": "o"} and reply.body == (PATH,)
    empty = jeepney_reads(messages.method_return(4, 8))
    assert fields_of(empty) == {"reply_serial": 8}
    error = jeepney_reads(messages.error_reply(5, 9, "a.b.C", "no"))
    assert fields_of(error) == {"error_name": "a.b.C", "reply_serial": 9, "signature": "s"} and error.body == ("no",)


@pytest.mark.parametrize("endianness", [jeepney.Endianness.little, jeepney.Endianness.big])
def test_what_jeepney_writes_is_read(endianness: Any) -> None:
    address = jeepney.DBusAddress(PATH, bus_name="com.ubuntu.Upstart", interface=INTERFACE)
    written = jeepney.new_method_call(address, "Start", "asb", (["A=1", "B=2"], True))
    written.header.endianness = endianness
    found = messages.parse(written.serialise(serial=5))
    assert found is not None
    assert (found.path, found.interface, found.member, found.serial) == (PATH, INTERFACE, "Start", 5)
    assert found.arguments() == (["A=1", "B=2"], True)


def _stream_of(count: int) -> bytes:
    return b"".join(
        messages.assemble_call(
            messages.call_fields(PATH, INTERFACE, f"M{number}", "s"), number, wire.encode("s", ("x" * number,))
        )
        for number in range(1, count + 1)
    )


@given(st.lists(st.integers(1, 400), max_size=8))
def test_messages_come_out_the_same_however_they_are_cut(cuts: list[int]) -> None:
    data, found, stream = _stream_of(4), [], MessageStream()
    for cut in [*cuts, len(data)]:
        stream.feed(data[:cut])
        data = data[cut:]
        message = stream.next_message()
        while message is not None:
            found.append((message.member, *message.arguments()))
            message = stream.next_message()
    assert found == [(f"M{number}", "x" * number) for number in range(1, 5)]


def test_a_message_is_refused_by_its_header_alone() -> None:
    stream = MessageStream(limit=1000)
    whole = messages.assemble_call(messages.call_fields(PATH, INTERFACE, "Go", "s"), 1, b"x" * 2000)
    stream.feed(whole[:16])
    with pytest.raises(ProtocolError, match="too long"):
        stream.next_message()


def test_a_remembered_header_does_not_change_the_kind_of_a_message() -> None:
    """A call's fields without a reply serial are remembered; the same fields in a reply are still an error."""
    reader = messages.HeaderReader()
    call = bytearray(messages.assemble_call(messages.call_fields(PATH, INTERFACE, "Go", ""), 1, b""))
    size, header = messages.message_size(bytes(call))
    assert reader.read(bytes(call), header).kind == messages.METHOD_CALL
    call[1] = messages.METHOD_RETURN
    with pytest.raises(ProtocolError, match="no reply serial"):
        reader.read(bytes(call), header)
    assert size == len(call)


def test_the_memory_for_headers_is_bounded() -> None:
    reader = messages.HeaderReader()
    for number in range(1000):
        data = messages.assemble_call(messages.call_fields(f"/x{number}", INTERFACE, "Go", ""), 1, b"")
        assert reader.read(data, messages.message_size(data)[1]).path == f"/x{number}"
    assert len(reader._seen) <= 128
