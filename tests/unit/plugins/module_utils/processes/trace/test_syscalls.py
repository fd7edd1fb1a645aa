# SPDX-License-Identifier: GPL-3.0-or-later
"""The seccomp filter, run by an interpreter of the few instructions that it has."""

from __future__ import annotations

import os
import struct

import pytest
from ansible_collections.foster.init.plugins.module_utils.processes.trace.syscalls import filter_program

X86_64, AARCH64, I386 = 0xC000003E, 0xC00000B7, 0x40000003
TRACE, ALLOW = 0x7FF00000, 0x7FFF0000


def verdict(program: bytes, architecture: int, number: int, *arguments: int) -> int:
    """Return what the kernel would do with a call: interpret classic BPF on struct seccomp_data."""
    data = struct.pack("=IIQ6Q", number, architecture, 0, *(list(arguments) + [0] * (6 - len(arguments))))
    code = list(struct.iter_unpack("=HBBI", program))
    at, value = 0, 0
    while True:
        operation, if_true, if_false, operand = code[at]
        at += 1
        if operation == 0x20:
            value = struct.unpack_from("=I", data, operand)[0]
        elif operation == 0x06:
            return operand
        else:
            holds = {0x15: value == operand, 0x35: value >= operand, 0x45: bool(value & operand)}[operation]
            at += if_true if holds else if_false


@pytest.mark.parametrize(
    ("machine", "architecture", "number", "arguments", "wanted"),
    [
        ("x86_64", X86_64, 50, (3, 128), TRACE),  # listen
        ("x86_64", X86_64, 112, (), TRACE),  # setsid
        ("x86_64", X86_64, 257, (0, 0, os.O_WRONLY | os.O_CREAT), TRACE),  # openat
        ("x86_64", X86_64, 257, (0, os.O_CREAT, os.O_RDONLY | os.O_CLOEXEC), ALLOW),
        ("x86_64", X86_64, 2, (0, os.O_CREAT), TRACE),  # open
        ("x86_64", X86_64, 85, (), TRACE),  # creat
        ("x86_64", X86_64, 316, (), TRACE),  # renameat2
        ("x86_64", X86_64, 0, (), ALLOW),  # read
        ("x86_64", X86_64, 0x40000000 | 50, (), ALLOW),  # x32
        ("x86_64", I386, 50, (), ALLOW),  # another call there
        ("x86_64", AARCH64, 201, (), ALLOW),
        ("aarch64", AARCH64, 201, (3, 128), TRACE),
        ("aarch64", AARCH64, 50, (), ALLOW),
        ("aarch64", AARCH64, 56, (0, 0, os.O_CREAT | 1 << 40), TRACE),
        ("aarch64", AARCH64, 276, (), TRACE),
        ("aarch64", AARCH64, 157, (), TRACE),
    ],
)
def test_only_calls_that_tell_something_stop(
    machine: str, architecture: int, number: int, arguments: tuple[int, ...], wanted: int
) -> None:
    program = filter_program(machine)
    assert program is not None
    assert verdict(program, architecture, number, *arguments) == wanted


def test_where_the_numbers_are_not_known_there_is_no_filter() -> None:
    assert filter_program("riscv64") is None
