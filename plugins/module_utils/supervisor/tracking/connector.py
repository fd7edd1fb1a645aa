# SPDX-License-Identifier: GPL-3.0-or-later
"""One subscription to the exits of processes, whoever their parent is: the kernel's process connector.

The kernel serves it in the initial process and user namespaces only and says nothing elsewhere; where it is heard all
the same (another listener has made the kernel speak), pids are of another namespace than ours. So it is believed when
the kernel has answered, and the end of a child of our own was heard through the very filter that is used later.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
from collections.abc import Collection
from typing import NamedTuple, Optional

from .. import linux
from . import process_events as events

_BUFFER = 4 << 20  # bytes; used only while we are too busy to read
_SO_RCVBUFFORCE = 33
_LARGEST = 512  # bytes of a datagram; they have less than 100
_HEARING = 2.0  # seconds that the end of our own child may take
_TRIAL = 3  # exit status of that child
_WHY = {
    errno.EPERM: "it needs CAP_NET_ADMIN, or Linux 6.6",
    errno.ECONNREFUSED: "the kernel serves it in the initial network namespace only",
    errno.EPROTONOSUPPORT: "the kernel was built without it",
}


class Unavailable(Exception):
    """There is no process connector for us. ``str()`` says why."""


class Heard(NamedTuple):
    """``exits``: the oldest first. ``lost``: there were more before them, or among them, than the kernel could keep."""

    exits: list[events.ThreadExit]
    lost: bool


class Connector:
    """Hears the exits that it is asked for until ``close``."""

    def __init__(self) -> None:
        """Subscribe to nothing yet, and prove that it works; raise Unavailable."""
        try:
            self._socket = socket.socket(
                socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, events.PROTOCOL
            )
        except OSError as error:
            raise _unavailable(error) from None
        try:
            self._subscribe()
            self._try()
        except OSError as error:
            self.close()
            raise _unavailable(error) from None
        except Unavailable:
            self.close()
            raise

    def _subscribe(self) -> None:
        self.choose(None)
        with contextlib.suppress(OSError):  # of an ordinary user
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        self._socket.bind((0, events.GROUP))
        number = int.from_bytes(os.urandom(4), "big") | 1
        self._socket.send(events.listen(number))
        for answer in self._read()[0]:  # it has come before send() returns (Linux 2.6.39)
            if isinstance(answer, events.Answer) and answer.number == number:
                if answer.error:
                    raise OSError(answer.error, os.strerror(answer.error))
                return
        raise Unavailable("the kernel does not answer: it serves the initial process and user namespaces only")

    def _try(self) -> None:
        """Hear the end of a child, which waits for the filter that is to let it through."""
        hold, release = os.pipe()
        try:
            child = os.fork()
            if not child:
                os.close(release)
                os.read(hold, 1)
                os._exit(_TRIAL)
        except OSError:
            os.close(release)
            raise
        finally:
            os.close(hold)
        try:
            self.choose((child,))
        finally:
            os.close(release)
            os.waitpid(child, 0)
        told = events.ThreadExit(child, child, _TRIAL << 8)
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        while poll.poll(_HEARING * 1000):
            if told in self.read().exits:
                return
        raise Unavailable("the kernel does not tell of the end of our own child")

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when there is something to ``read``."""
        return self._socket.fileno()

    def choose(self, processes: Optional[Collection[int]]) -> None:
        """Hear of ``processes`` only, from now on; None: of all. What was heard before is still to be read."""
        linux.filter_socket(self._socket, events.choose(processes))

    def read(self) -> Heard:
        """Return what there is, without waiting."""
        found, lost = self._read()
        return Heard([each for each in found if isinstance(each, events.ThreadExit)], lost)

    def _read(self) -> tuple[list[object], bool]:
        found: list[object] = []
        lost = False
        while True:
            try:
                datagram, sender = self._socket.recvfrom(_LARGEST)
            except BlockingIOError:
                return found, lost
            except OSError as error:
                lost = True
                if error.errno != errno.ENOBUFS:
                    return found, lost
                continue
            found.append(events.read(datagram, sender[0]))

    def close(self) -> None:
        self._socket.close()


def _unavailable(error: OSError) -> Unavailable:
    return Unavailable(_WHY.get(error.errno or 0) or f"the kernel refuses it ({error.strerror})")
