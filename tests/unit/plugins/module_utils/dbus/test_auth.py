# SPDX-License-Identifier: GPL-3.0-or-later
"""The handshake, both sides."""

from __future__ import annotations

import os

import pytest
from ansible_collections.foster.init.plugins.module_utils.dbus.auth import ClientAuth, ServerAuth
from ansible_collections.foster.init.plugins.module_utils.dbus.errors import ProtocolError
from hypothesis import given
from hypothesis import strategies as st

GUID = "0123456789abcdef" * 2
OK = b"OK " + GUID.encode() + b"\r\n"


def hexadecimal(uid: int) -> bytes:
    return str(uid).encode().hex().encode()


def test_both_sides_agree() -> None:
    client, server = ClientAuth(), ServerAuth(os.geteuid(), GUID)
    client.feed(server.feed(client.first()))
    assert client.done
    assert server.done and server.rest == b""


def test_the_client_begins_before_its_first_message_can_be_on_its_way() -> None:
    """systemd 247 to 257 did not answer a first message that it had read together with BEGIN."""
    assert ClientAuth().first().endswith(b"\r\nBEGIN\r\n")


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        (b"AUTH\r\n", b"REJECTED EXTERNAL\r\n"),
        (b"AUTH ANONYMOUS\r\n", b"REJECTED EXTERNAL\r\n"),
        (b"AUTH DBUS_COOKIE_SHA1 00\r\n", b"REJECTED EXTERNAL\r\n"),
        (b"AUTH EXTERNAL %b\r\n" % hexadecimal(1000), OK),
        (b"AUTH EXTERNAL %b\r\n" % hexadecimal(0), b"REJECTED EXTERNAL\r\n"),
        (b"AUTH EXTERNAL zz\r\n", b"REJECTED EXTERNAL\r\n"),
        (b"AUTH EXTERNAL\r\nDATA\r\n", b"DATA\r\n" + OK),
        (b"AUTH EXTERNAL\r\nDATA %b\r\n" % hexadecimal(1000), b"DATA\r\n" + OK),
        (b"AUTH EXTERNAL\r\nDATA %b\r\n" % hexadecimal(0), b"DATA\r\nREJECTED EXTERNAL\r\n"),
        (b"AUTH EXTERNAL\r\nCANCEL\r\nDATA\r\n", b'DATA\r\nREJECTED EXTERNAL\r\nERROR "Unknown command"\r\n'),
        (b"DATA\r\n", b'ERROR "Unknown command"\r\n'),
        (b"NEGOTIATE_UNIX_FD\r\n", b'ERROR "Unknown command"\r\n'),
        (
            b"AUTH EXTERNAL %b\r\nNEGOTIATE_UNIX_FD\r\n" % hexadecimal(1000),
            OK + b'ERROR "File descriptors are not supported here"\r\n',
        ),
    ],
)
def test_the_answers_of_the_server(lines: bytes, answer: bytes) -> None:
    server = ServerAuth(1000, GUID)
    assert server.feed(b"\0" + lines) == answer
    assert not server.done


def test_file_descriptors_may_be_agreed_on() -> None:
    server = ServerAuth(1000, GUID, unix_fds=True)
    sent = b"\0AUTH EXTERNAL %b\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n" % hexadecimal(1000)
    assert server.feed(sent) == OK + b"AGREE_UNIX_FD\r\n"
    assert server.done


def test_a_client_that_cancels_after_ok_is_not_authenticated() -> None:
    server = ServerAuth(1000, GUID)
    server.feed(b"\0AUTH EXTERNAL %b\r\nCANCEL\r\n" % hexadecimal(1000))
    with pytest.raises(ProtocolError):
        server.feed(b"BEGIN\r\n")


@pytest.mark.parametrize("answer", [b"REJECTED EXTERNAL\r\n", b"HTTP/1.0 400 Bad Request\r\n", b"x" * 2000])
def test_a_client_gives_up_on_a_server_that_does_not_accept(answer: bytes) -> None:
    with pytest.raises(ProtocolError):
        ClientAuth().feed(answer)


@given(st.lists(st.binary(max_size=30), max_size=8))
def test_no_bytes_authenticate_a_stranger(pieces: list[bytes]) -> None:
    server = ServerAuth(4_000_000_000, GUID)
    try:
        server.feed(b"\0AUTH EXTERNAL " + hexadecimal(0) + b"\r\n")
        for piece in pieces:
            server.feed(piece.replace(b"DATA", b"XXXX"))
    except ProtocolError:
        pass
    assert not server.done
