# SPDX-License-Identifier: GPL-3.0-or-later
"""The D-Bus server of the supervisor: accepts clients, passes their calls to the service, sends them the signals."""

from __future__ import annotations

import errno
import os
import select
import socket
import struct

from ...dbus.message import HeaderReader, Message
from ...engine.messages import Announce
from .host_protocol import Host, Loop
from .listener import Listener
from .peer import Peer
from .service import Service
from .signals import announcement, restarted

MAX_PEERS = 512
MAX_STRANGERS = 384  # peers who may only read: there is always room for the admin
MAX_PER_STRANGER = 32  # peers of one uid who may only read
_ACCEPT_AT_ONCE = 32
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PAUSE = 1.0  # seconds without accepting when descriptors have run out

_CREDENTIALS = struct.Struct("iII")  # pid, uid, gid: struct ucred, unix(7)


class Control:
    """Serves the D-Bus objects of ``host`` on ``listener``. ``reads_open``: every local user may read."""

    def __init__(self, host: Host, loop: Loop, listener: Listener, reads_open: bool = False) -> None:
        self.peers: dict[int, Peer] = {}
        self._host = host
        self._loop = loop
        self._listener = listener
        self._reads_open = reads_open
        self._own_uid = os.geteuid()
        self._guid = os.urandom(16).hex()
        self._reader = HeaderReader()
        self._service = Service(host)
        self._of_jobs: set[Peer] = set()  # what jobs have connected, Upstart's bridges for one
        self._waiting: dict[Peer, None] = {}  # those with something to send, in order
        self._flush_planned = False
        loop.watch(listener.socket.fileno(), select.EPOLLIN, self._accept)

    @property
    def address(self) -> str:
        """Return the D-Bus address that clients connect to."""
        return self._listener.address

    def announce(self, effect: Announce) -> None:
        """Send an announcement of the engine to every client, with the end of this turn of the loop."""
        if not self.peers:
            return
        try:
            data = announcement(effect)
        except (KeyError, TypeError, ValueError) as error:
            self._host.warn(f"The signal {effect.what} could not be sent: {error}")
            return
        self._broadcast(data)

    def announce_restarted(self) -> None:
        """Tell every client that the supervisor has been executed anew."""
        self._broadcast(restarted())

    def flush(self) -> None:
        """Send everything that waits, to jobs first.

        A bridge does its part when it hears of something, and who hears of it outside is likely to count on that.
        """
        self._flush_planned = False
        waiting, self._waiting = self._waiting, {}
        for peer in sorted(waiting, key=lambda each: each not in self._of_jobs):
            peer.flush()

    def close(self, remove_socket: bool = True) -> None:
        """End every connection, after a last attempt to send what waits, and stop listening."""
        self.flush()
        for peer in list(self.peers.values()):
            peer.close()
        self._loop.unwatch(self._listener.socket.fileno())
        self._listener.close(remove_socket)

    def _broadcast(self, data: bytes) -> None:
        head, tail = data[:8], data[12:]  # between them is the serial number, the only thing that differs
        for peer in list(self.peers.values()):
            if peer.authenticated:
                peer.queue(head + peer.next_serial().to_bytes(4, "little") + tail)

    def _plan_flush(self, peer: Peer) -> None:
        self._waiting[peer] = None
        if not self._flush_planned:
            self._flush_planned = True
            self._loop.call_later(0.0, self.flush)

    def _handle(self, peer: Peer, message: Message) -> None:
        self._service.handle(peer, message)

    def _accept(self, _events: int) -> None:
        for _unused in range(_ACCEPT_AT_ONCE):
            try:
                sock, _address = self._listener.socket.accept()
            except OSError as error:
                if error.errno in _NO_DESCRIPTORS:
                    self._pause()
                return
            self._admit(sock)

    def _pause(self) -> None:
        """Leave waiting clients alone for a moment: without descriptors the loop would spin on the listener."""
        fd = self._listener.socket.fileno()
        self._loop.unwatch(fd)
        self._loop.call_later(_PAUSE, self._resume)

    def _resume(self) -> None:
        fd = self._listener.socket.fileno()
        if fd >= 0:
            self._loop.watch(fd, select.EPOLLIN, self._accept)

    def _admit(self, sock: socket.socket) -> None:
        try:
            raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            pid, uid, _gid = _CREDENTIALS.unpack(raw)
            if self._may_connect(uid):
                privileged = uid in (0, self._own_uid)
                of_a_job = self._host.is_of_a_job(pid)
                peer = Peer(
                    sock, uid, privileged, self._guid, self._loop, self._reader,
                    self._handle, self._plan_flush, self._peer_closed,
                )  # fmt: skip
                self.peers[peer.fd] = peer
                if of_a_job:
                    self._of_jobs.add(peer)
                return
        except OSError:
            pass  # gone already
        sock.close()

    def _may_connect(self, uid: int) -> bool:
        if len(self.peers) >= MAX_PEERS:
            return False
        if uid in (0, self._own_uid):
            return True
        if not self._reads_open:
            return False
        strangers = [peer.uid for peer in self.peers.values() if not peer.privileged]
        return len(strangers) < MAX_STRANGERS and strangers.count(uid) < MAX_PER_STRANGER

    def _peer_closed(self, peer: Peer) -> None:
        self.peers.pop(peer.fd, None)
        self._of_jobs.discard(peer)
