# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor as a unit of systemd, the system's or a user's.

systemd is asked over its private socket, which needs no D-Bus daemon and is there in a minimal container. Jobs outlive
the supervisor: KillMode=process; and Delegate=yes is for the control groups below its own.
Source: systemd.service(5), systemd.resource-control(5); org.freedesktop.systemd1(5).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any, Optional

from ...dbus.errors import BusError
from ..errors import InitError
from ..systemd import lingering
from ..systemd.manager import Manager
from . import running
from .by_pieces import ByPieces
from .interface import Change, HostingStatus
from .layout import Layout
from .pieces import MARK, File, Link

UNIT = "fosterd.service"
TIMEOUT = 90.0  # seconds for one job of systemd; a stop may have to wait for every job of ours

_UNIT_TEXT = """# {mark}; changes are lost with the next run.
[Unit]
Description=foster, the supervisor of this {whose} jobs
Documentation=https://github.com/foster-init/foster.init
{after}
[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=100ms
# The jobs are not the supervisor: they run on while it is away, and it picks them up again.
KillMode=process
Delegate=yes
TasksMax=infinity
LimitNOFILE=524288
{oom}
[Install]
WantedBy={target}
"""


def unit_text(layout: Layout) -> str:
    """Return the text of the unit for that layout."""
    return _UNIT_TEXT.format(
        mark=MARK,
        whose="user's" if layout.user else "host's",
        after="" if layout.user else "After=local-fs.target\nStartLimitIntervalSec=0\n",
        command=" ".join(_quoted(word) for word in layout.command),
        oom="" if layout.user else "OOMScoreAdjust=-900\n",
        target="default.target" if layout.user else "multi-user.target",
    )


def _quoted(word: str) -> str:
    """Return ``word`` for a command line in a unit: no specifiers, no variables, one word."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if any(character in escaped for character in " \t'\"\\;") else escaped


class Systemd(ByPieces):
    """Host the supervisor as fosterd.service. ``folder``: where units are written (default: the usual one)."""

    name = "systemd"

    def __init__(self, layout: Layout, folder: Optional[str] = None) -> None:
        config = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
        self.folder = folder or (os.path.join(config, "systemd/user") if layout.user else "/etc/systemd/system")
        unit = os.path.join(self.folder, UNIT)
        target = "default.target" if layout.user else "multi-user.target"
        self._unit = File(unit, unit_text(layout))
        self._wanted = Link(os.path.join(self.folder, f"{target}.wants", UNIT), unit)
        super().__init__(layout, (self._unit, self._wanted))

    # ---- what systemd knows ----

    def prepare(self) -> None:
        """See to it that a user's manager outlives the last logout."""
        if self._lingering():
            lingering.enable()

    def pending(self) -> tuple[Change, ...]:
        """Return the unit and its link that are not as wanted, and lingering that is off."""
        return self._lingering() + super().pending()

    def install(self) -> None:
        """Write and enable the unit, and let systemd read it; the supervisor's output goes to the journal."""
        if self._pieces.put():
            self._changed()

    def remove(self) -> None:
        """Disable and remove the unit, and let systemd forget it."""
        if self._pieces.take():
            for folder in (os.path.dirname(self._wanted.path), self.folder) if self.layout.user else ():
                with contextlib.suppress(OSError):  # somebody else has units there
                    os.rmdir(folder)
            self._changed()

    def _lingering(self) -> tuple[Change, ...]:
        if not self.layout.user or lingering.lingers():
            return ()
        return (Change("let the user's manager outlive the last logout", lingering.flag(), None, ""),)

    def _changed(self) -> None:
        with self._asked("reload") as systemd:
            systemd.reload()

    # ---- running ----

    def start(self) -> None:
        """Start the unit and wait until the supervisor says that it is ready."""
        if self._look()["ActiveState"] == "active":
            return
        self._run("start")
        running.wait_until_up(self.layout, "systemd")

    def stop(self, keep_jobs: bool) -> None:
        """Stop the unit and wait until the supervisor has ended; systemd lets jobs that still run go on."""
        if self._look()["ActiveState"] in ("active", "activating", "reloading", "deactivating"):
            self._run("stop")
        running.end(self.layout, keep_jobs, running.terminate)  # one that systemd does not know of

    def status(self) -> HostingStatus:
        """Return what systemd says about the unit."""
        found = self._look()
        up = found["ActiveState"] == "active"
        return HostingStatus(
            installed=self._unit.now() is not None,
            enabled=self._wanted.now() is not None,
            running=up,
            pid=int(found["MainPID"]) or None if up else None,
        )

    def _look(self) -> dict[str, Any]:
        with self._asked("look at") as systemd:
            return systemd.unit(UNIT, ["ActiveState"], ["MainPID"])

    def _run(self, verb: str) -> None:
        """Let systemd ``start`` or ``stop`` the unit and wait until that is done; raise InitError when it fails."""
        with self._asked(verb) as systemd:
            result = systemd.run(f"{verb.capitalize()}Unit", UNIT, TIMEOUT)
        if result != "done":
            user = "--user " if self.layout.user else ""
            raise InitError(f"systemd could not {verb} {UNIT} ({result}); see `journalctl {user}-u {UNIT}`")

    @contextlib.contextmanager
    def _asked(self, verb: str) -> Iterator[Manager]:
        """Yield systemd, and say what it was asked for when it refuses."""
        with contextlib.closing(Manager.open(os.environ, self.layout.user)) as systemd:
            try:
                yield systemd
            except BusError as error:
                raise InitError(f"systemd could not {verb} {UNIT}: {error}") from error
