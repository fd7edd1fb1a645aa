# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said with the kernel's process connector: the messages, and the filter that chooses among them.

Numbers are those of linux/netlink.h, linux/connector.h and linux/cn_proc.h, in the byte order of the machine:

====== ====================================================================
offset what is there
====== ====================================================================
0      nlmsghdr: length, type, flags, sequence, sender's port
16     cn_msg: idx, val, sequence, ack, length, flags
36     proc_event: what, processor, time in ns (8 bytes)
52     of an exit: thread, process, wait status, signal to the parent
52     of an answer: error number, 0 for none
====== ====================================================================
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from typing import NamedTuple, Optional, Union

PROTOCOL = 11  # NETLINK_CONNECTOR
GROUP = 1  # CN_IDX_PROC, also as a mask of groups

_IDX, _VAL = 1, 1  # CN_IDX_PROC, CN_VAL_PROC
_DONE = 3  # NLMSG_DONE
_LISTEN = 1  # PROC_CN_MCAST_LISTEN
_ANSWER = 0x00000000  # PROC_EVENT_NONE
_EXIT = 0x80000000  # PROC_EVENT_EXIT

_HEADER = struct.Struct("=IHHII")
_MESSAGE = struct.Struct("=IIIIHH")
_WHAT = struct.Struct("=I")
_ERROR = struct.Struct("=i")
_DATA = struct.Struct("=III")
_WHAT_AT = _HEADER.size + _MESSAGE.size
_DATA_AT = _WHAT_AT + 16
_PROCESS_AT = _DATA_AT + 4

_INSTRUCTION = struct.Struct("=HBBI")  # sock_filter of linux/filter.h: code, jump if true, jump if false, operand
_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
_LONGEST = 4096  # instructions (BPF_MAXINSNS)
_WHOLE = 0xFFFFFFFF
_TAKE, _DROP = _INSTRUCTION.pack(_RETURN, 0, 0, _WHOLE), _INSTRUCTION.pack(_RETURN, 0, 0, 0)


class ThreadExit(NamedTuple):
    """A thread has ended. ``process``: the number of its process, which the first thread has itself.

    ``status`` is as wait(2) gives it. Every thread of a process that exits or is killed as a whole has the process's.
    """

    thread: int
    process: int
    status: int


class Answer(NamedTuple):
    """The kernel has dealt with the request ``number``. ``error``: 0, or why it refuses."""

    number: int
    error: int


def listen(number: int) -> bytes:
    """Return the request for events; ``number`` (32 bits, not 0) comes back in the answer.

    As its ack, which the kernel adds one to; the sequence it replaces by one of its own, whatever linux/cn_proc.h says.
    """
    request = _WHAT.pack(_LISTEN)
    message = _MESSAGE.pack(_IDX, _VAL, number, number - 1, len(request), 0) + request
    return _HEADER.pack(_HEADER.size + len(message), _DONE, 0, 0, 0) + message


def read(datagram: bytes, sender: int) -> Union[ThreadExit, Answer, None]:
    """Return what a datagram says, None where that is of no interest or not the kernel's (``sender`` is not 0)."""
    if sender != 0 or len(datagram) < _DATA_AT + 4:
        return None
    length = _HEADER.unpack_from(datagram)[0]
    idx, val, _sequence, ack, size, _flags = _MESSAGE.unpack_from(datagram, _HEADER.size)
    if length > len(datagram) or (idx, val) != (_IDX, _VAL) or _WHAT_AT + size > length:
        return None
    what = _WHAT.unpack_from(datagram, _WHAT_AT)[0]
    if what == _ANSWER:
        return Answer(ack, abs(_ERROR.unpack_from(datagram, _DATA_AT)[0]))
    if what == _EXIT and _WHAT_AT + size >= _DATA_AT + _DATA.size:
        return ThreadExit(*_DATA.unpack_from(datagram, _DATA_AT))
    return None


def choose(processes: Optional[Collection[int]]) -> bytes:
    """Return the socket filter that lets only the exits of ``processes`` pass; None: all exits, and answers.

    So the kernel drops what is not asked for, and who listens sleeps on: also before Linux 6.6, which brought the
    connector's own filter, and better than with that one, which knows kinds of events, but no processes.
    """
    load_what = _INSTRUCTION.pack(_LOAD, 0, 0, _WHAT_AT)
    if processes is None or 2 * len(processes) + 5 > _LONGEST:
        return load_what + _if(_EXIT, 1, 0) + _if(_ANSWER, 0, 1) + _TAKE + _DROP
    chosen = b"".join(_if(process, 0, 1) + _TAKE for process in processes)
    return load_what + _if(_EXIT, 1, 0) + _DROP + _INSTRUCTION.pack(_LOAD, 0, 0, _PROCESS_AT) + chosen + _DROP


def _if(value: int, then: int, otherwise: int) -> bytes:
    """Compare with ``value``, of the machine's byte order; the filter loads as if all were big-endian."""
    return _INSTRUCTION.pack(_IF_EQUAL, then, otherwise, int.from_bytes(_WHAT.pack(value), "big"))
