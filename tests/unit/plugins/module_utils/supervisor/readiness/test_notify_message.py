# SPDX-License-Identifier: GPL-3.0-or-later
"""What a datagram of sd_notify(3) says, and what makes no sense and is left out."""

from __future__ import annotations

import pytest
from ansible_collections.foster.init.plugins.module_utils.supervisor.readiness.notify_message import Message, parse
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (b"READY=1", Message(ready=True)),
        (b"READY=1\n", Message(ready=True)),
        (b"READY=0", Message()),
        (b"READY=yes", Message()),
        (b"RELOADING=1\nMONOTONIC_USEC=12", Message(reloading=True)),
        (b"STOPPING=1", Message(stopping=True)),
        (b"STATUS=serving 3 clients", Message(status="serving 3 clients")),
        (b"STATUS=", Message(status="")),
        (b"STATUS=a=b", Message(status="a=b")),
        (b"MAINPID=4711", Message(main_pid=4711)),
        (b"WATCHDOG=1", Message(watchdog="1")),
        (b"WATCHDOG=trigger", Message(watchdog="trigger")),
        (b"WATCHDOG=2", Message()),
        (b"WATCHDOG_USEC=1500000", Message(watchdog_time=1.5)),
        (b"EXTEND_TIMEOUT_USEC=30000000", Message(extend=30.0)),
        (b"ERRNO=2\nBUSERROR=org.example.Error", Message(error="ERRNO 2, BUSERROR org.example.Error")),
        (b"READY=1\nSTATUS=up\nMAINPID=7", Message(ready=True, status="up", main_pid=7)),
        (b"STATUS=first\nSTATUS=last", Message(status="last")),
    ],
)
def test_said_and_meant(said, meant):
    assert parse(said) == meant


@pytest.mark.parametrize(
    "said",
    [
        b"", b"\n\n", b"READY", b"ready=1", b" READY=1", b"READY=1\0", b"=1", b"FDSTORE=1\nFDNAME=x", b"\xff\xfe=1",
        b"MAINPID=", b"MAINPID=0", b"MAINPID=-1", b"MAINPID=1.5", b"MAINPID=0x10", b"MAINPID= 7", b"MAINPID=\xd9\xa3",
        b"MAINPID=99999999999999999999", b"MAINPID=9007199254740993", b"EXTEND_TIMEOUT_USEC=0",
        b"EXTEND_TIMEOUT_USEC=infinity", b"WATCHDOG_USEC=-5",
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_left_out(said):
    assert parse(said) == Message()


def test_a_text_is_kept_short_and_printable():
    found = parse(b"STATUS=" + b"\x1b[2J\xff" + b"x" * 1000).status
    assert found is not None
    assert found.startswith("?[2J")
    assert len(found) == 200
    assert found.isprintable()


@given(st.binary(max_size=300))
def test_no_datagram_is_too_odd_to_be_read(data):
    found = parse(b"STATUS=" + data)
    assert found.status is None or found.status.isprintable()
    assert found.main_pid is None or found.main_pid > 0
