# SPDX-License-Identifier: GPL-3.0-or-later
"""One method call under way, and how a handler of such calls is described."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Union

from ...dbus.errors import ERROR_FAILED, ERROR_INVALID_ARGS, BusError
from ...dbus.message import NO_REPLY_EXPECTED, Message
from ...dbus.upstart import ERROR_PREFIX, Interface
from ...engine.messages import Input, Refuse, Reply

if TYPE_CHECKING:
    from .host_protocol import Host
    from .peer import Peer
    from .service import Service


class Pending:
    """Stands for an answer that comes later."""


PENDING = Pending()
_LOWEST_FILE = 64

# What a handler returns: the values to answer with, None for no values, or PENDING.
Answer = Union[None, tuple[Any, ...], Pending]


# Refusals of the engine that have a D-Bus error name of their own; all others are Upstart's.
_STANDARD_ERRORS = {"InvalidArgs": ERROR_INVALID_ARGS, "Failed": ERROR_FAILED}


class Handler(NamedTuple):
    """A method: its signatures, the function, and what needs permission.

    ``denied``: "do something", which completes "You do not have permission to"; None where reading is enough.
    """

    signature: str
    returns: str
    function: Callable[..., Answer]
    denied: Optional[str] = None


class Request:
    """A method call and the one who waits for its answer."""

    __slots__ = ("_files", "_flags", "_peer", "_returns", "_serial", "_service", "names")

    def __init__(
        self, service: Service, peer: Peer, message: Message, handler: Handler, names: tuple[str, ...]
    ) -> None:
        self._service = service
        self._peer = peer
        self._serial = message.serial
        self._flags = message.flags
        self._files = message.files
        self._returns = handler.returns
        self.names = names  # of the object: (), (job,) or (job, instance)

    @property
    def host(self) -> Host:
        return self._service.host

    @property
    def privileged(self) -> bool:
        """Tell whether the caller may change things."""
        return self._peer.privileged

    @property
    def job(self) -> Any:
        """Return the job class of the object that is called. Raise BusError if it has gone meanwhile."""
        return find_job(self.host.engine, self.names[0])

    @property
    def instance(self) -> Any:
        """Return the instance that is called. Raise BusError if it has gone meanwhile."""
        found = self.job.instances.get(self.names[1])
        if found is None:
            raise BusError(ERROR_PREFIX + "UnknownInstance", f"Unknown instance: {self.names[1]}")
        return found

    def answer(self, values: Optional[tuple[Any, ...]]) -> None:
        """Send the reply, if the caller wants one and is still there."""
        if not self._flags & NO_REPLY_EXPECTED and not self._peer.closed:
            self._service.send_return(self._peer, self._serial, self._returns, values or ())

    def fail(self, name: str, text: str) -> None:
        """Send an error reply, if the caller wants one and is still there."""
        if not self._flags & NO_REPLY_EXPECTED and not self._peer.closed:
            self._service.send_error(self._peer, self._serial, name, text)

    def take_file(self, index: int) -> int:
        """Return a copy of the descriptor that the argument ``index`` of type "h" stands for; the caller closes it.

        Its number is 64 or higher: out of the way of those that scripts and ``expect newline`` use. Raise BusError.
        """
        if index >= len(self._files):
            raise BusError(ERROR_INVALID_ARGS, f"Descriptor {index} did not come with the message")
        try:
            return fcntl.fcntl(self._files[index], fcntl.F_DUPFD_CLOEXEC, _LOWEST_FILE)
        except OSError as error:
            raise BusError(ERROR_FAILED, f"The descriptor cannot be kept: {error.strerror}") from None

    def number(self) -> int:
        """Return a number for a request to the engine."""
        return self._service.next_request()

    def submit(self, message: Input, answer: Optional[Callable[[Reply], tuple[Any, ...]]] = None) -> Pending:
        """Pass ``message`` to the engine; its Reply, made into values by ``answer``, or its Refuse is the answer."""

        def done(result: Union[Reply, Refuse]) -> None:
            if isinstance(result, Refuse):
                self.fail(_STANDARD_ERRORS.get(result.error, ERROR_PREFIX + result.error), result.message)
            else:
                self.answer(answer(result) if answer else None)

        self.host.submit(message, done)
        return PENDING


def find_job(engine: Any, name: str) -> Any:
    """Return the job class called ``name``. Raise BusError for one that is not known."""
    found = engine.jobs.get(name)
    if found is None:
        raise BusError(ERROR_PREFIX + "UnknownJob", f"Unknown job: {name}")
    return found


def check_env(env: Iterable[str]) -> None:
    """Raise BusError unless every entry is KEY=VALUE."""
    if not all("=" in entry for entry in env):
        raise BusError(ERROR_INVALID_ARGS, "Env must be KEY=VALUE pairs")


def handlers(
    interface: Interface, functions: dict[str, Callable[..., Answer]], denied: dict[str, str]
) -> dict[tuple[str, str], Handler]:
    """Return the handlers of ``interface``: each of its methods with its function, and what it needs permission for."""
    return {
        (interface.name, method.name): Handler(
            method.signature, method.returns, functions[method.name], denied.get(method.name)
        )
        for method in interface.methods
    }
