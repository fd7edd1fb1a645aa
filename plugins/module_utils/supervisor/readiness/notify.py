# SPDX-License-Identifier: GPL-3.0-or-later
"""``expect notify``: the process says by itself how it is (sd_notify(3)).

The socket has the same address for as long as the instance lives, so that what it says is heard by the supervisor that
follows on a crashed one. Only processes of the job are believed: the kernel tells who has sent each datagram
(SCM_CREDENTIALS). Descriptors that come along are closed at once, which is also what a barrier waits for.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
from typing import Optional

from ...job.model import Job
from ..loop import READ, TimerHandle
from ..spawn import Plan
from .choose import CERTAIN, Choice
from .notify_message import LIMIT, Message, parse
from .watcher import Watcher

_CREDENTIALS = struct.Struct("iII")  # pid, uid, gid: unix(7)
_MOST_DESCRIPTORS = 253  # SCM_MAX_FD
_ANCILLARY = socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(_MOST_DESCRIPTORS * 4)
_IN_ONE_GO = 32  # datagrams; then others have their turn
_MSG_CMSG_CLOEXEC = 0x40000000
_LONGEST_PATH = 107  # bytes, sun_path
_HANG_GRACE = 10.0  # seconds between SIGABRT and SIGKILL for a process that the watchdog has given up


class Notify(Watcher):
    """Listen to what the processes of the job say. ``address``: where; a path, or a name that begins with @."""

    def __init__(self, job: Job, address: str) -> None:
        super().__init__(job)
        self.address = address
        self._socket: Optional[socket.socket] = None
        self._watchdog = self.job.watchdog or 0.0
        self._watch_timer: Optional[TimerHandle] = None
        self._nonsense = 0

    def waits_for(self) -> str:
        status = self.says.get("status")
        return f"its main process to say READY=1 (`expect notify`){f'; it says: {status}' if status else ''}"

    # ---- the socket ---------------------------------------------------------------------------------------------

    def equip(self, what: Plan) -> Plan:
        self._open()
        env = {**what.env, "NOTIFY_SOCKET": self.address}
        if self._watchdog:
            env["WATCHDOG_USEC"] = str(int(self._watchdog * 1e6))
        return what._replace(env=env)

    def _open(self) -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            if self.address.startswith("@"):
                sock.bind("\0" + self.address[1:])
            else:
                os.makedirs(os.path.dirname(self.address), 0o755, exist_ok=True)
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.address)
                sock.bind(self.address)
                os.chmod(self.address, 0o666)  # the job may run as anybody; who speaks is checked
        except OSError:
            sock.close()
            raise
        self._socket = sock

    def begin(self) -> None:
        if self._socket is None:  # of a former supervisor
            try:
                self._open()
            except OSError as error:
                self._around.warn(f"cannot listen to what it says at {self.address}: {error.strerror}")
                return
        if self._socket is not None:
            self._around.loop.watch(self._socket.fileno(), READ, lambda _events: self._read())
        self._feed_watchdog()

    def _read(self) -> None:
        for _datagram in range(_IN_ONE_GO):
            if self._socket is None:
                return
            try:
                data, ancillary, flags, _sender = self._socket.recvmsg(LIMIT, _ANCILLARY, _MSG_CMSG_CLOEXEC)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                return
            sender = _credentials(ancillary)
            if sender is None or not self._around.belongs(sender):
                self._ignored(f"process {sender or '?'}, which is none of its own or has gone, said something: ignored")
            elif flags & socket.MSG_TRUNC:
                self._ignored(f"process {sender} said more than {LIMIT} bytes at once; not listened to")
            else:
                self._heard(parse(data))

    def _ignored(self, text: str) -> None:
        self._nonsense += 1
        if self._nonsense in (1, 100, 10000):  # anybody may write here, but not fill the log
            self._around.warn(text)

    # ---- what is said -------------------------------------------------------------------------------------------

    def _heard(self, message: Message) -> None:
        if message.status is not None:
            self.says["status"] = message.status
        if message.error:
            self.says["error"] = message.error
        for phase, told in (("reloading", message.reloading), ("stopping", message.stopping)):
            if told:
                self.says["phase"] = phase
        if message.ready:
            self.says.pop("phase", None)
        if message.extend is not None:
            self._around.extend(message.extend)
        if message.watchdog_time is not None:
            self._watchdog = message.watchdog_time
        self._main_pid(message)
        if message.ready and not self.done:
            self._ready()
        if message.watchdog == "trigger":
            self._hung()
        elif message.watchdog or message.watchdog_time is not None or message.ready:
            self._feed_watchdog()

    def _main_pid(self, message: Message) -> None:
        pid = message.main_pid
        if pid is None or pid == self.pid:
            return
        if pid not in [member.pid for member in self._around.members()]:
            self._ignored(f"it said MAINPID={pid}, which is none of its processes: ignored")
            return
        self.pid, self.choice = pid, Choice(pid, CERTAIN, "it has said so itself (MAINPID)")
        self._around.moved(self.choice)

    # ---- the watchdog -------------------------------------------------------------------------------------------

    def _feed_watchdog(self) -> None:
        if self._watch_timer is not None:
            self._watch_timer.cancel()
            self._watch_timer = None
        if self._watchdog and self.done:
            self._watch_timer = self._around.loop.call_later(self._watchdog, self._hung)

    def _hung(self) -> None:
        self._around.warn(f"said nothing for {self._watchdog:g} seconds (watchdog): process {self.pid} is ended")
        self.says["error"] = "ended by the watchdog"
        pid = self.pid
        self._around.signal(pid, signal.SIGABRT)
        self._around.signal(pid, signal.SIGCONT)  # a stopped one would not hear it
        self._watch_timer = self._around.loop.call_later(
            _HANG_GRACE, lambda: self._around.signal(pid, signal.SIGKILL) if pid == self.pid else None
        )

    def cancel(self) -> None:
        super().cancel()
        if self._watch_timer is not None:
            self._watch_timer.cancel()
        if self._socket is not None:
            if hasattr(self, "_around"):
                self._around.loop.unwatch(self._socket.fileno())
            self._socket.close()
            self._socket = None
            if not self.address.startswith("@"):
                with contextlib.suppress(OSError):
                    os.unlink(self.address)


def address(run_folder: Optional[str], mark: int, chroot: bool) -> str:
    """Return where an instance with ``mark`` speaks to us: in the run folder, unless it could not be reached there."""
    path = f"{run_folder}/notify/{mark:x}"
    if run_folder is None or chroot or len(os.fsencode(path)) > _LONGEST_PATH:
        return f"@foster/notify/{mark:x}"
    return path


def _credentials(ancillary: list[tuple[int, int, bytes]]) -> Optional[int]:
    """Return the pid of the sender, and close every descriptor that came along."""
    pid = None
    for level, kind, data in ancillary:
        if level != socket.SOL_SOCKET:
            continue
        if kind == socket.SCM_RIGHTS:
            for (fd,) in struct.iter_unpack("i", data[: len(data) - len(data) % 4]):
                os.close(fd)
        elif kind == socket.SCM_CREDENTIALS and len(data) >= _CREDENTIALS.size:
            pid = _CREDENTIALS.unpack_from(data)[0]
    return pid
