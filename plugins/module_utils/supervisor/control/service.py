# SPDX-License-Identifier: GPL-3.0-or-later
"""From a message to a method and back: finds the object and the handler, checks arguments and permission, answers.

What is answered to calls of methods that do not exist, with wrong arguments, and to Introspect on any path is what
libdbus
and libnih answer in Upstart's place.
"""

from __future__ import annotations

import itertools
from typing import Any, Optional

from ...dbus import upstart, wire
from ...dbus.errors import (
    ERROR_FAILED,
    ERROR_INVALID_ARGS,
    ERROR_UNKNOWN_METHOD,
    BusError,
    ProtocolError,
)
from ...dbus.message import METHOD_CALL, NO_REPLY_EXPECTED, Message, error_reply, method_return
from . import instance_object, job_object, manager, properties
from .host_protocol import Host
from .peer import Peer
from .request import Handler, Pending, Request


class _Object:
    """One kind of object: its interface in the introspection data, its handlers by (interface, member)."""

    def __init__(self, interface: upstart.Interface, handlers: dict[tuple[str, str], Handler]) -> None:
        self.interface = interface
        self.handlers = {**handlers, **properties.HANDLERS}
        self.by_member = {member: handler for (_interface, member), handler in reversed(self.handlers.items())}


_MANAGER = _Object(upstart.MANAGER, manager.HANDLERS)
_JOB = _Object(upstart.JOB, job_object.HANDLERS)
_INSTANCE = _Object(upstart.INSTANCE, instance_object.HANDLERS)


class Service:
    """Answers the method calls of all peers."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._requests = itertools.count(1)

    def handle(self, peer: Peer, message: Message) -> None:
        """Answer one message. Raise ProtocolError when the connection is to end; nothing else."""
        if message.kind != METHOD_CALL:
            return
        found = self._object(message.path)
        if found is None:
            self._elsewhere(peer, message)
            return
        one, names = found
        if message.interface:
            handler = one.handlers.get((message.interface, message.member))
        else:
            handler = one.by_member.get(message.member)
        if handler is None:
            self._elsewhere(peer, message, one, names)
            return
        self._call(peer, message, handler, names)

    def _object(self, path: str) -> Optional[tuple[_Object, tuple[str, ...]]]:
        try:
            names = upstart.names_in(path)
        except ValueError:
            return None
        if not names:
            return _MANAGER, names
        job = self.host.engine.jobs.get(names[0])
        if job is None:
            return None
        if len(names) == 1:
            return _JOB, names
        return (_INSTANCE, names) if names[1] in job.instances else None

    def _call(self, peer: Peer, message: Message, handler: Handler, names: tuple[str, ...]) -> None:
        request = Request(self, peer, message, handler, names)
        if message.signature != handler.signature:
            request.fail(ERROR_INVALID_ARGS, f"Invalid arguments to {message.member} method")
            return
        arguments = message.arguments(simple_only=True)
        if handler.denied and not peer.privileged:
            request.fail(upstart.PERMISSION_DENIED, f"You do not have permission to {_fill(handler.denied, names)}")
            return
        try:
            values = handler.function(request, *arguments)
            if not isinstance(values, Pending):
                request.answer(values)
        except properties.NoSuchProperty:
            self._unknown_method(peer, message)
        except BusError as error:
            request.fail(error.name, error.message)
        except ProtocolError:
            raise
        except Exception as error:  # a mistake of ours costs this request, not the supervisor
            request.fail(
                ERROR_FAILED, f"{message.member} failed inside the supervisor: {type(error).__name__}: {error}"
            )

    # ---- what the D-Bus library does for every path ----

    def _elsewhere(
        self, peer: Peer, message: Message, one: Optional[_Object] = None, names: tuple[str, ...] = ()
    ) -> None:
        """Answer what no handler is there for: Peer, Introspect, and everything that does not exist."""
        interface, member = message.interface, message.member
        if interface == upstart.PEER_INTERFACE:
            self._peer_interface(peer, message)
        elif member == "Introspect" and interface in ("", upstart.INTROSPECTABLE_INTERFACE):
            self._reply(peer, message, "s", (self._introspection(message.path, one, names),))
        else:
            self._unknown_method(peer, message)  # also where there is no such object: Upstart's clients rely on it

    def _peer_interface(self, peer: Peer, message: Message) -> None:
        if message.member == "Ping":
            self._reply(peer, message, "", ())
        elif message.member == "GetMachineId":
            self._reply(peer, message, "s", (_machine_id(),))
        else:
            text = f"Unknown method invoked on {upstart.PEER_INTERFACE} interface"
            self._error(peer, message, ERROR_UNKNOWN_METHOD, text)

    def _unknown_method(self, peer: Peer, message: Message) -> None:
        text = (
            f'Method "{message.member}" with signature "{message.signature}" '
            f'on interface "{message.interface or "(null)"}" doesn\'t exist\n'
        )
        self._error(peer, message, ERROR_UNKNOWN_METHOD, text)

    def _introspection(self, path: str, one: Optional[_Object], names: tuple[str, ...]) -> str:
        jobs = self.host.engine.jobs
        if one is _MANAGER:
            return upstart.introspection(path, one.interface, ["jobs"] if jobs else [])
        if one is not None:
            instances = jobs[names[0]].instances if len(names) == 1 else ()
            return upstart.introspection(path, one.interface, [upstart.escape(name) for name in instances])
        if path == upstart.JOBS_PATH:
            return upstart.bare_introspection([upstart.escape(name) for name in jobs])
        above = path.rstrip("/") + "/"
        if upstart.MANAGER_PATH.startswith(above):
            return upstart.bare_introspection([upstart.MANAGER_PATH[len(above) :].split("/")[0]])
        return upstart.bare_introspection([])

    # ---- answers ----

    def _reply(self, peer: Peer, message: Message, signature: str, values: tuple[Any, ...]) -> None:
        if not message.flags & NO_REPLY_EXPECTED:
            self.send_return(peer, message.serial, signature, values)

    def _error(self, peer: Peer, message: Message, name: str, text: str) -> None:
        if not message.flags & NO_REPLY_EXPECTED:
            self.send_error(peer, message.serial, name, text)

    def send_return(self, peer: Peer, serial: int, signature: str, values: tuple[Any, ...]) -> None:
        """Send a reply to the call with the number ``serial``."""
        body = wire.encode(signature, values) if signature else b""
        peer.queue(method_return(peer.next_serial(), serial, signature, body))

    def send_error(self, peer: Peer, serial: int, name: str, text: str) -> None:
        """Send an error reply to the call with the number ``serial``."""
        peer.queue(error_reply(peer.next_serial(), serial, name, text))

    def next_request(self) -> int:
        """Return a number for the next request to the engine."""
        return next(self._requests)


def _fill(text: str, names: tuple[str, ...]) -> str:
    """Put the title of the object, ``job`` or ``job (instance)``, where ``text`` has %s."""
    if "%s" not in text:
        return text
    title = f"{names[0]} ({names[1]})" if len(names) > 1 and names[1] else names[0]
    return text.replace("%s", title)


def _machine_id() -> str:
    for path in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        try:
            with open(path, encoding="ascii") as file:
                return file.read(64).strip()
        except (OSError, ValueError):
            continue
    raise BusError(ERROR_FAILED, "This host has no machine id")
