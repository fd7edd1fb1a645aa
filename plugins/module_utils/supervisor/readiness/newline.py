# SPDX-License-Identifier: GPL-3.0-or-later
"""``expect newline FD``: the process writes a line to a descriptor when it is ready (s6's and dinit's way)."""

from __future__ import annotations

import os

from ..loop import READ
from ..spawn import Plan
from .watcher import Watcher

_DEFAULT = 3


class Newline(Watcher):
    """Read the other end of a pipe until a newline, or until nobody holds it any more."""

    _fd = -1

    def waits_for(self) -> str:
        return f"a newline on descriptor {self._number()} (`expect newline`)"

    def _number(self) -> int:
        return int(self.expect.argument) if self.expect.argument.isdigit() else _DEFAULT

    def equip(self, what: Plan) -> Plan:
        self._fd, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(writer, True)
        return what._replace(extra=((writer, self._number()),))

    def begin(self) -> None:
        if self.done:
            self._close()
        elif self._fd >= 0:
            self._around.loop.watch(self._fd, READ, lambda _events: self._said())
        else:
            self._around.never("the pipe for its newline was lost with the supervisor that had started it")

    def _said(self) -> None:
        try:
            data = os.read(self._fd, 4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if b"\n" in data:
            self._close()
            self._ready()
        elif not data:
            self._close()
            self._around.never(f"descriptor {self._number()} was closed without a newline")

    def _close(self) -> None:
        if self._fd >= 0:
            self._around.loop.unwatch(self._fd)
            os.close(self._fd)
            self._fd = -1

    def cancel(self) -> None:
        super().cancel()
        if self._fd >= 0:
            if hasattr(self, "_around"):
                self._close()
            else:
                os.close(self._fd)
                self._fd = -1
