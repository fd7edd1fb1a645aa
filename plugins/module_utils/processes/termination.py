# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out a schedule of signals on processes that are held by a pidfd, so that no pid can go to a stranger meanwhile.

Each signal goes to those that are found then. The first goes to the topmost of a family only: a master ends its workers
in order, and who is still there when the next is due gets that. A zombie has ended; nobody waits until it is reaped.
Source: pidfd_open(2), Linux 5.3; on older kernels the identity is compared before each signal, which leaves a gap of
microseconds.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import time
from collections.abc import Callable
from typing import NamedTuple, Optional

from .candidate import Candidate
from .identity import Identity, is_alive, open_pidfd, read_stat
from .matching import topmost
from .schedule import Schedule, Send, Wait

_LOOK_AGAIN = 0.02  # seconds; only where the kernel has no pidfds
_OLD_KERNEL = (errno.ENOSYS, errno.EPERM, errno.EINVAL)


class Refused(Exception):
    """A process could not be signalled; one sentence."""


class Outcome(NamedTuple):
    """``sent``: (name of the signal, pid) in order. ``left``: who was there at the end."""

    sent: tuple[tuple[str, int], ...]
    left: list[Candidate]


class Held:
    """One process, held so that its pid cannot mean another one. Use as a context manager."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.descriptor: Optional[int] = None
        try:
            self.descriptor = open_pidfd(identity)
            self.ended = self.descriptor is None
        except OSError as error:
            if error.errno not in _OLD_KERNEL:
                raise
            self.ended = not is_alive(identity)

    def __enter__(self) -> Held:
        return self

    def __exit__(self, *_error: object) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def send(self, number: int) -> bool:
        """Send a signal; return whether the process was there to get it. Raise Refused without permission."""
        try:
            if self.descriptor is not None:
                signal.pidfd_send_signal(self.descriptor, number)
            elif self.ended or not is_alive(self.identity):
                return False
            else:
                os.kill(self.identity.pid, number)
        except ProcessLookupError:
            return False
        except PermissionError as error:
            raise Refused(
                f"process {self.identity.pid} cannot be sent {name_of(number)}: it belongs to another user; use become"
            ) from error
        return True

    def wait(self, deadline: float) -> bool:
        """Return whether it has ended by then (seconds, monotonic)."""
        while self.descriptor is None:
            if self.ended or not is_alive(self.identity):
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(min(_LOOK_AGAIN, max(0.0, deadline - time.monotonic())))
        poller = select.poll()
        poller.register(self.descriptor, select.POLLIN)
        while True:
            left = deadline - time.monotonic()
            if poller.poll(max(0.0, min(left, 1e6)) * 1000):
                return True
            if left <= 0:
                return False


def signal_all(processes: list[Candidate], boot_id: str, number: int) -> tuple[tuple[str, int], ...]:
    """Send one signal to each of them, once. Return who got it."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(Held(_identity(each, boot_id))) for each in processes]
        return tuple((name_of(number), each.identity.pid) for each in held if each.send(number))


def carry_out(schedule: Schedule, look: Callable[[], list[Candidate]], boot_id: str) -> Outcome:
    """Send the signals of ``schedule`` until ``look`` finds nobody any more, or it is over. Raise Refused."""
    sent: list[tuple[str, int]] = []
    found = look()
    first = True
    for step in schedule:
        if not found:
            break
        if isinstance(step, Wait):
            found = _wait(found, look, boot_id, time.monotonic() + step.seconds)
            continue
        sent += _send(step, topmost(found) if first else found, boot_id)
        first = False
    return Outcome(tuple(sent), found)


def _send(step: Send, processes: list[Candidate], boot_id: str) -> list[tuple[str, int]]:
    got = list(signal_all(processes, boot_id, step.number))
    if step.number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        # One that was stopped by SIGSTOP gets nothing before it goes on.
        asleep = [each for each in processes if (stat := read_stat(each.pid)) is not None and stat.state == "T"]
        signal_all(asleep, boot_id, signal.SIGCONT)
    return got


def _wait(
    found: list[Candidate], look: Callable[[], list[Candidate]], boot_id: str, deadline: float
) -> list[Candidate]:
    """Wait until nobody is found any more; who was not there at first, a child that goes on, counts as well."""
    while found:
        with contextlib.ExitStack() as stack:
            held = [stack.enter_context(Held(_identity(each, boot_id))) for each in found]
            ended = [each.wait(deadline) for each in held]
        found = look()
        if not all(ended):
            break
        if time.monotonic() >= deadline:
            break
    return found


def _identity(process: Candidate, boot_id: str) -> Identity:
    return Identity(process.pid, process.start_time, boot_id)


def name_of(number: int) -> str:
    """Return the name of a signal, without SIG in front."""
    try:
        return signal.Signals(number).name[3:]
    except ValueError:
        return f"RTMIN+{number - signal.SIGRTMIN}" if number >= signal.SIGRTMIN else str(number)
