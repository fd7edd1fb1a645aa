# SPDX-License-Identifier: GPL-3.0-or-later
"""``expect dbus NAME``: the process is ready when one of the job owns that name on the message bus.

The bus is asked once and tells the rest (NameOwnerChanged). Nothing here waits: a bus that hangs, or that is not there
yet because it is this very job, does not keep the supervisor from its work.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Callable
from typing import Any, Optional

from ...dbus import wire
from ...dbus.auth import ClientAuth
from ...dbus.connection import MessageStream
from ...dbus.errors import ProtocolError
from ...dbus.message import ERROR, METHOD_RETURN, SIGNAL, Message, assemble_call, call_fields
from ...dbus.sockets import bus_address
from ...job.model import Job
from ..loop import READ
from .choose import CERTAIN, Choice
from .watcher import Looking

_BUS, _PATH = "org.freedesktop.DBus", "/org/freedesktop/DBus"
_LIMIT = 1 << 20  # bytes of a message of the bus
_Answer = Callable[[tuple[Any, ...]], None]


class BusName(Looking):
    """Ask the bus who owns the name, and listen to changes; connect again where there is no bus (yet)."""

    _FIRST, _LAST = 0.1, 5.0

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._socket: Optional[socket.socket] = None
        self._auth: Optional[ClientAuth] = None
        self._stream = MessageStream(_LIMIT)
        self._serial = 0
        self._answers: dict[int, _Answer] = {}
        self._owner = 0  # pid

    def waits_for(self) -> str:
        name, bus = self.expect.argument, self.says.get("bus")
        return f"one of its processes to own the bus name {name} (`expect dbus`){f'; {bus}' if bus else ''}"

    # ---- the connection -----------------------------------------------------------------------------------------

    def _look(self) -> bool:
        """Connect, unless that has been done; what follows are events."""
        if self._socket is not None:
            return False
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            sock.connect(bus_address(os.environ, os.geteuid()))
            self._auth = ClientAuth()
            sock.send(self._auth.first())
        except OSError as error:
            sock.close()
            self.says["bus"] = f"the bus cannot be reached ({error.strerror})"
            return False
        self._stream = MessageStream(_LIMIT)
        self._socket = sock
        self._around.loop.watch(sock.fileno(), READ, lambda _events: self._readable())
        return True

    def _readable(self) -> None:
        if self._socket is None:
            return
        try:
            data = self._socket.recv(1 << 16)
            if not data:
                raise OSError(errno.ECONNRESET, "the bus has closed the connection")
            if self._auth is not None and not self._auth.done:
                self._auth.feed(data)
                self._authenticated()
            else:
                self._stream.feed(data)
            while self._socket is not None:
                message = self._stream.next_message()
                if message is None:
                    break
                self._received(message)
        except (BlockingIOError, InterruptedError):
            return
        except (OSError, ProtocolError) as error:
            self.says["bus"] = f"the bus cannot be used ({error})"
            self._lost()

    def _authenticated(self) -> None:
        if self._socket is None or self._auth is None or not self._auth.done:
            return
        self._stream.feed(self._auth.rest)
        self._call("Hello", "", (), lambda _values: None)
        rule = (
            f"type='signal',sender='{_BUS}',interface='{_BUS}',member='NameOwnerChanged',arg0='{self.expect.argument}'"
        )
        self._call("AddMatch", "s", (rule,), lambda _values: None)
        self._ask_owner()

    def _call(self, member: str, signature: str, values: tuple[Any, ...], answer: _Answer) -> None:
        if self._socket is None:
            return
        self._serial += 1
        self._answers[self._serial] = answer
        fields = call_fields(_PATH, _BUS, member, signature, _BUS)
        body = wire.encode(signature, values) if signature else b""
        self._socket.send(assemble_call(fields, self._serial, body))  # a few hundred bytes: there is room

    def _received(self, message: Message) -> None:
        if message.kind == SIGNAL and message.member == "NameOwnerChanged":
            name, _old, new = message.arguments()
            if name == self.expect.argument and new:
                self._ask_pid(new)
        elif message.kind in (METHOD_RETURN, ERROR):
            answer = self._answers.pop(message.reply_serial, None)
            if message.kind == METHOD_RETURN and answer is not None:
                answer(message.arguments())

    # ---- the owner ----------------------------------------------------------------------------------------------

    def _ask_owner(self) -> None:
        self.says["bus"] = "nobody owns it"
        self._call("GetNameOwner", "s", (self.expect.argument,), lambda values: self._ask_pid(values[0]))

    def _ask_pid(self, owner: str) -> None:
        self._call("GetConnectionUnixProcessID", "s", (owner,), lambda values: self._owned_by(int(values[0])))

    def _owned_by(self, pid: int) -> None:
        members = {member.pid: member for member in self._around.members()}
        if pid not in members:
            self.says["bus"] = f"it is owned by process {pid}, which is none of its processes"
            return
        self._owner = pid
        self._close()
        self.says.pop("bus", None)
        self._ready(self._named())

    def _named(self) -> Optional[Choice]:
        return Choice(self._owner, CERTAIN, f"it owns {self.expect.argument} on the bus") if self._owner else None

    def _lost(self) -> None:
        self._close()
        if not self.done:
            self._later(self._pause, self._again)
            self._pause = min(self._pause * self._GROWTH, self._LAST)

    def _close(self) -> None:
        if self._socket is not None:
            self._around.loop.unwatch(self._socket.fileno())
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None
            self._answers.clear()

    def cancel(self) -> None:
        super().cancel()
        if self._socket is not None:
            self._close()
