# SPDX-License-Identifier: GPL-3.0-or-later
# pylint: disable=ansible-bad-function  # starting processes is what a supervisor is for
"""What each kind of ``expect`` looks at."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Optional, Protocol

from ...job.model import Expect
from ..loop import Loop, TimerHandle
from ..tracking import proc
from . import listening

_SETTLED = 0.25  # seconds without a fork after which `expect auto` believes what it sees
_TRUST = 5.0  # seconds after readiness in which a main process that exits 0 has only forked once more
_SOON, _LATE = 0.02, 0.5  # seconds between looks, growing


class Surroundings(Protocol):
    """What a watcher may ask and tell of its instance."""

    loop: Loop

    def members(self) -> list[proc.Stat]: ...
    def moved(self, pid: int) -> None: ...
    def ready(self, pid: int) -> None: ...
    def stopped(self, pid: int) -> bool: ...
    def warn(self, text: str) -> None: ...


class Watcher:
    """Wait for nothing in particular; the base of the others. ``pid`` is the main process, as far as known."""

    def __init__(self, around: Surroundings, expect: Expect, pid: int) -> None:
        self._around = around
        self._expect = expect
        self.pid = pid
        self.done = False
        self._timer: Optional[TimerHandle] = None

    def begin(self) -> None:
        """Start to look."""

    def follow(self, around: Surroundings) -> None:
        """The main process is another one now; ``around`` knows it."""
        self._around = around

    def child_changed(self) -> None:
        """Some child has stopped or ended."""

    def exited(self, code: Optional[int]) -> Optional[int]:
        """The main process has ended (and is still a zombie): return who has taken its place, None where nobody has."""
        return None

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        self.cancel()
        self._timer = self._around.loop.call_later(seconds, action)

    def _ready(self, pid: int) -> None:
        self.done = True
        self.pid = pid
        self.cancel()
        self._around.ready(pid)

    def _survivor(self) -> Optional[int]:
        """Return who is left of the family: whoever became our child by the end of the main process comes first."""
        others: list[proc.Stat] = []
        for _look in range(3):  # who forks and ends while we look is seen neither before nor after
            others = [member for member in self._around.members() if member.pid != self.pid]
            if others:
                break
        others.sort(key=lambda member: member.parent != os.getpid())
        return others[0].pid if others else None


class Follow(Watcher):
    """fork, daemon, exit, auto: follow the family as its first process makes children and leaves."""

    def begin(self) -> None:
        self._links = 0
        self._ready_at: Optional[float] = None
        self._wanted: Optional[int] = {"fork": 1, "daemon": 2, "exit": 1}.get(self._expect.kind)
        if self._expect.argument.isdigit():
            self._wanted = int(self._expect.argument)
        if self._wanted is None:
            self._later(_SETTLED, self._settled)

    def _settled(self) -> None:
        self._ready_at = self._around.loop.now()
        self._ready(self.pid)

    def exited(self, code: Optional[int]) -> Optional[int]:
        if code != 0 or (self._ready_at is not None and self._around.loop.now() - self._ready_at > _TRUST):
            return None
        successor = self._survivor()
        if successor is None:
            return None
        self._links += 1 + self._ended_between(successor)
        self.pid = successor
        if self.done:
            self._around.moved(successor)
            if self._wanted is not None:
                self._around.warn(
                    f"main process forked {self._links} times, not {self._wanted}: "
                    f"write `expect {'daemon' if self._links == 2 else 'auto'}`"
                )
        elif self._wanted is None:
            self._around.moved(successor)
            self._later(_SETTLED, self._settled)
        elif self._links >= self._wanted:
            self._settled()
        else:
            self._around.moved(successor)
        return successor

    def _ended_between(self, successor: int) -> int:
        """Count those between main and ``successor`` that have ended already: our zombies of that session."""
        last = proc.stat(successor)
        sessions = {self.pid, last.session if last is not None else 0}
        count = 0
        for pid in proc.children(os.getpid()):
            child = proc.stat(pid)
            if child is not None and child.state == "Z" and pid != self.pid and child.session in sessions:
                count += 1
        return count


class Stop(Watcher):
    """stop: the process stops itself with SIGSTOP when it is ready, and is continued."""

    def child_changed(self) -> None:
        if not self.done and self._around.stopped(self.pid):
            os.kill(self.pid, signal.SIGCONT)
            self._ready(self.pid)


class Look(Watcher):
    """pidfile and listen: look again and again, with growing pauses, for something outside of the process."""

    def begin(self) -> None:
        self._pause = _SOON
        self._again()

    def _again(self) -> None:
        if self.done:
            return
        found = self._look()
        if found is not None:
            self._ready(found)
            return
        self._later(self._pause, self._again)
        self._pause = min(self._pause * 1.5, _LATE)

    def _look(self) -> Optional[int]:
        members = [member.pid for member in self._around.members()]
        if self._expect.kind == "pidfile":
            words = (proc.read(self._expect.argument) or b"").split()
            pid = int(words[0]) if words and words[0].isdigit() else 0
            return pid if pid in members else None
        return listening.listener(members, self._expect.argument)

    def exited(self, code: Optional[int]) -> Optional[int]:
        successor = self._survivor() if code == 0 and not self.done else None
        if successor is not None:
            self.pid = successor
            self._around.moved(successor)
        return successor


class Check(Watcher):
    """check: run a command until it succeeds."""

    def begin(self) -> None:
        self._pause = 0.05
        self._checking = 0
        self._later(self._pause, self._run)

    def _run(self) -> None:
        self._checking = os.posix_spawn("/bin/sh", ["/bin/sh", "-c", self._expect.argument], os.environ, setsid=True)

    def check_ended(self, pid: int, code: Optional[int]) -> bool:
        """Take the end of a child that may be the command; return whether it was."""
        if not self._checking or pid != self._checking:
            return False
        self._checking = 0
        if code == 0 and not self.done:
            self._ready(self.pid)
        elif not self.done:
            self._pause = min(self._pause * 1.5, 2.0)
            self._later(self._pause, self._run)
        return True

    exited = Look.exited


class Signalled(Watcher):
    """notify and newline: the process says so on a descriptor (``fd``, which this closes)."""

    fd = -1

    def begin(self) -> None:
        from ..loop import READ

        if self.fd >= 0:
            self._around.loop.watch(self.fd, READ, lambda _events: self._said())

    def _said(self) -> None:
        try:
            data = os.read(self.fd, 4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if self._expect.kind == "notify":
            self._notified(data)
        elif b"\n" in data:
            self._close()
            self._ready(self.pid)
        elif not data:
            self._close()

    def _notified(self, data: bytes) -> None:
        told = dict(line.split(b"=", 1) for line in data.splitlines() if b"=" in line)
        main = told.get(b"MAINPID", b"")
        if main.isdigit() and int(main) in [member.pid for member in self._around.members()]:
            self.pid = int(main)
            if self.done:
                self._around.moved(self.pid)
        if told.get(b"READY") == b"1" and not self.done:
            self._ready(self.pid)

    def _close(self) -> None:
        if self.fd >= 0:
            self._around.loop.unwatch(self.fd)
            os.close(self.fd)
            self.fd = -1

    def cancel(self) -> None:
        super().cancel()
        if not self.done:
            self._close()

    exited = Look.exited


_KINDS: dict[str, type[Watcher]] = {
    "fork": Follow, "daemon": Follow, "exit": Follow, "auto": Follow, "dbus": Follow, "stop": Stop,
    "pidfile": Look, "listen": Look, "check": Check, "notify": Signalled, "newline": Signalled,
}  # fmt: skip


def watcher(around: Surroundings, expect: Expect, pid: int) -> Optional[Watcher]:
    """Return the watcher for ``expect``, None for `expect none`; ``begin`` has to be called."""
    kind = _KINDS.get(expect.kind)
    return kind(around, expect, pid) if kind is not None else None
