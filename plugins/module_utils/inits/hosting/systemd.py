# SPDX-License-Identifier: GPL-3.0-or-later
# pylint: disable=ansible-bad-function  # used by more than modules, so there is no run_command
"""The supervisor as a unit of systemd, the system's or a user's.

systemd is asked over its private socket, which needs no D-Bus daemon and is there in a minimal container. Jobs outlive
the supervisor: KillMode=process; and Delegate=yes is for the control groups below its own.
Source: systemd.service(5), systemd.resource-control(5); org.freedesktop.systemd1(5).
"""

from __future__ import annotations

import contextlib
import os
import pwd
import subprocess
from collections.abc import Sequence
from typing import Optional

from ...dbus.client import Connection
from ...dbus.errors import BusError, BusUnreachable
from ..errors import InitError, InitUnreachable
from . import running
from .interface import Change, HostingStatus
from .layout import Layout
from .pieces import MARK, File, Link, Pieces

UNIT = "fosterd.service"
PATH = "/org/freedesktop/systemd1"
MANAGER = "org.freedesktop.systemd1.Manager"
DESTINATION = "org.freedesktop.systemd1"
SYSTEM_SOCKET = "/run/systemd/private"
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


def socket_path(user: bool, runtime: Optional[str] = None) -> str:
    """Return the private socket of the system's systemd, or of the user's (below XDG_RUNTIME_DIR)."""
    if not user:
        return SYSTEM_SOCKET
    return os.path.join(runtime or os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}", "systemd/private")


class Systemd:
    """Host the supervisor as fosterd.service. ``folder``: where units are written (default: the usual one)."""

    name = "systemd"

    def __init__(self, layout: Layout, folder: Optional[str] = None, socket: Optional[str] = None) -> None:
        self.layout = layout
        config = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
        self.folder = folder or (os.path.join(config, "systemd/user") if layout.user else "/etc/systemd/system")
        self.address = f"unix:path={socket or socket_path(layout.user)}"
        unit = os.path.join(self.folder, UNIT)
        target = "default.target" if layout.user else "multi-user.target"
        self._unit = File(unit, unit_text(layout))
        self._wanted = Link(os.path.join(self.folder, f"{target}.wants", UNIT), unit)
        self._pieces = Pieces("systemd", (self._unit, self._wanted))

    # ---- what systemd knows ----

    def verify(self, removing: bool = False) -> None:
        """Raise InitError when the unit is somebody else's, masked, or cannot be written."""
        self._pieces.verify(removing)

    def prepare(self) -> None:
        """See to it that a user's manager outlives the last logout."""
        if self._lingering():
            self.linger()

    def pending(self) -> tuple[Change, ...]:
        """Return the unit and its link that are not as wanted, and lingering that is off."""
        return self._lingering() + self._pieces.pending()

    def install(self) -> None:
        """Write and enable the unit, and let systemd read it."""
        if self._pieces.put():
            self._reload()

    def traces(self) -> tuple[Change, ...]:
        """Return the unit and its link."""
        return self._pieces.traces()

    def remove(self) -> None:
        """Disable and remove the unit, and let systemd forget it."""
        if self._pieces.take():
            for folder in (os.path.dirname(self._wanted.path), self.folder) if self.layout.user else ():
                with contextlib.suppress(OSError):  # somebody else has units there
                    os.rmdir(folder)
            self._reload()

    def _lingering(self) -> tuple[Change, ...]:
        if not self.layout.user:
            return ()
        flag = f"/var/lib/systemd/linger/{pwd.getpwuid(os.geteuid()).pw_name}"
        return (
            () if os.path.exists(flag) else (Change("let the user's manager outlive the last logout", flag, None, ""),)
        )

    def linger(self) -> None:
        """Ask logind to keep the user's manager after the last logout; raise InitError when it does not."""
        name = pwd.getpwuid(os.geteuid()).pw_name
        if os.path.exists(f"/var/lib/systemd/linger/{name}"):
            return
        try:
            done = subprocess.run(
                ["loginctl", "enable-linger", name],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=20,
                check=False,
            )
            problem = done.stderr.decode("utf-8", "replace").strip() if done.returncode else ""
        except (OSError, subprocess.TimeoutExpired) as error:
            problem = str(error)
        if problem or not os.path.exists(f"/var/lib/systemd/linger/{name}"):
            raise InitError(
                f"systemd would end the supervisor with the last session of {name} ({problem or 'lingering is off'}): "
                f"run `loginctl enable-linger {name}` as root first"
            )

    # ---- running ----

    def start(self) -> None:
        """Start the unit and wait until the supervisor says that it is ready."""
        if self._properties("ActiveState")[0] == "active":
            return
        self._job("StartUnit")
        running.wait_until_up(self.layout, "systemd")

    def stop(self, keep_jobs: bool) -> None:
        """Stop the unit and wait until the supervisor has ended; systemd lets jobs that still run go on."""
        if self._properties("ActiveState")[0] in ("active", "activating", "reloading", "deactivating"):
            self._job("StopUnit")
        running.end(self.layout, keep_jobs, running.terminate)  # one that systemd does not know of

    def status(self) -> HostingStatus:
        """Return what systemd says about the unit."""
        state, pid = self._properties("ActiveState", "MainPID")
        up = state == "active"
        return HostingStatus(
            installed=self._unit.now() is not None,
            enabled=self._wanted.now() is not None,
            running=up,
            pid=int(str(pid)) or None if up and pid is not None else None,
        )

    # ---- the connection ----

    def _open(self) -> Connection:
        try:
            return Connection.open(self.address, TIMEOUT)
        except BusUnreachable as error:
            raise InitUnreachable(str(error)) from error

    def _reload(self) -> None:
        with self._open() as systemd:
            self._call(systemd, PATH, MANAGER, "Reload")

    def _call(
        self, systemd: Connection, path: str, interface: str, member: str, signature: str = "", *values: object
    ) -> Sequence[object]:
        try:
            return systemd.call(path, interface, member, signature, *values, destination=DESTINATION)
        except BusError as error:
            raise InitError(f"systemd refuses {member}: {error}") from error

    def _properties(self, *names: str) -> list[object]:
        """Return properties of the unit; None for each when systemd has not loaded it."""
        with self._open() as systemd:
            unit = self._call(systemd, PATH, MANAGER, "LoadUnit", "s", UNIT)[0]
            found: list[object] = []
            for name in names:
                interface = "org.freedesktop.systemd1.Service" if name == "MainPID" else "org.freedesktop.systemd1.Unit"
                value = self._call(systemd, str(unit), "org.freedesktop.DBus.Properties", "Get", "ss", interface, name)[
                    0
                ]
                found.append(value[1] if isinstance(value, tuple) else value)
            return found

    def _job(self, member: str) -> None:
        """Let systemd start, stop or restart the unit and wait until its job is done; raise InitError when it fails."""
        with self._open() as systemd:
            job = self._call(systemd, PATH, MANAGER, member, "ss", UNIT, "replace")[0]
            for signal in systemd.signals(TIMEOUT, member="JobRemoved"):
                if signal.arguments[1] == job:
                    result = signal.arguments[3]
                    if result != "done":
                        raise InitError(
                            f"systemd could not {member[: -len('Unit')].lower()} {UNIT} ({result}); "
                            f"see `journalctl {'--user ' if self.layout.user else ''}-u {UNIT}`"
                        )
                    return
        raise InitError(
            f"systemd did not finish {member} of {UNIT} within {TIMEOUT:g} s; see `systemctl status {UNIT}`"
        )
