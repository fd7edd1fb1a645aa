# SPDX-License-Identifier: GPL-3.0-or-later
"""What logind does with processes when their user logs out: its settings from the bus or its files, and the verdict.

Source: logind.conf(5), org.freedesktop.login1(5), loginctl(1) for lingering.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

from ..dbus.client import Connection
from ..dbus.errors import BusError, BusUnreachable

SYSTEM_BUS = "unix:path=/run/dbus/system_bus_socket"
_BUS = "org.freedesktop.DBus"
_LOGIN = "org.freedesktop.login1"
_FOLDERS = ("/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd", "/lib/systemd")  # first wins
_ROOT = ("root",)  # excluded where nobody else is, which logind does not show
_TIMEOUT = 2.0  # seconds
_SESSION = re.compile(r"(?:^|/)session-([^/]+)\.scope(?:/|$)")
_MANAGER = re.compile(r"(?:^|/)user@(\d+)\.service(?:/|$)")


class Settings(NamedTuple):
    """``kill``: KillUserProcesses, None where nobody says. ``only``, ``exclude``: users. ``source``: who says so."""

    kill: Optional[bool] = None
    only: tuple[str, ...] = ()
    exclude: tuple[str, ...] = _ROOT
    source: str = "nobody"

    def kills(self, user: str) -> Optional[bool]:
        """Return whether the sessions of ``user`` are ended with all that runs in them."""
        if self.kill is None:
            return None
        return self.kill and user not in self.exclude and (not self.only or user in self.only)


class Standing(NamedTuple):
    """Where a process stands for logind: ids of its session and of the user whose manager it is below, "" for none."""

    session: str = ""
    manager: str = ""


class Logout(NamedTuple):
    """What a logout does to a process that is left in the background: ``ends`` None when that cannot be known."""

    ends: Optional[bool]
    reason: str


def standing(groups: Sequence[str]) -> Standing:
    """Return where a process with these control groups stands."""
    session = next((found.group(1) for path in groups if (found := _SESSION.search(path))), "")
    manager = next((found.group(1) for path in groups if (found := _MANAGER.search(path))), "")
    return Standing(session, manager)


def logout(where: Standing, user: str, settings: Settings, lingers: bool, terminal: str) -> Logout:
    """Return what a logout of ``user`` does. ``terminal``: the controlling terminal, "" for none."""
    hangup = f" Its terminal {terminal} hangs up, which sends SIGHUP to the foreground." if terminal else ""
    if where.session:
        kills = settings.kills(user)
        if kills is None:
            return Logout(
                None, f"It is in session {where.session}, and logind does not tell KillUserProcesses.{hangup}"
            )
        if kills:
            return Logout(
                True,
                f"logind ends session {where.session} and all in it: KillUserProcesses=yes ({settings.source}).",
            )
        why = f"{user} is excluded" if settings.kill else "KillUserProcesses=no"
        return Logout(False, f"logind leaves what runs in session {where.session}: {why} ({settings.source}).{hangup}")
    if where.manager:
        if lingers:
            return Logout(
                False, f"The systemd of user {where.manager} stays after the last logout: {user} lingers.{hangup}"
            )
        return Logout(
            True,
            f"It runs below the systemd of user {where.manager}, which ends with the last session: {user} does not "
            "linger.",
        )
    return Logout(False, f"It is in no login session and below no user's systemd.{hangup}")


def lingers(user: str, root: str = "") -> bool:
    """Return whether the manager of ``user`` stays when nobody is logged in."""
    return bool(user) and "/" not in user and os.path.exists(f"{root}/var/lib/systemd/linger/{user}")


def settings(root: str = "") -> Settings:
    """Return the settings that are in force: logind's own word where it answers, else what its files say."""
    return (ask() if not root else None) or read(root)


def ask() -> Optional[Settings]:
    """Ask logind on the system bus; None where it does not answer. It is not started for that."""
    try:
        with Connection.open(SYSTEM_BUS, _TIMEOUT) as bus:
            bus.call("/org/freedesktop/DBus", _BUS, "Hello", destination=_BUS)
            if not bus.call("/org/freedesktop/DBus", _BUS, "NameHasOwner", "s", _LOGIN, destination=_BUS)[0]:
                return None
            kill, only, exclude = (
                _property(bus, name) for name in ("KillUserProcesses", "KillOnlyUsers", "KillExcludeUsers")
            )
    except (BusError, BusUnreachable):
        return None
    return Settings(bool(kill), tuple(only), tuple(exclude) or _ROOT, "logind says so")


def _property(bus: Connection, name: str) -> Any:
    return bus.call(
        "/org/freedesktop/login1", f"{_BUS}.Properties", "Get", "ss", f"{_LOGIN}.Manager", name, destination=_LOGIN
    )[0][1]


def read(root: str = "") -> Settings:
    """Read logind.conf and its drop-ins. The main file tells the built-in default in a comment, ``#Key=value``."""
    main = next((path for folder in _FOLDERS if os.path.isfile(path := f"{root}{folder}/logind.conf")), None)
    drop_ins: dict[str, str] = {}
    for folder in _FOLDERS:
        try:
            names = os.listdir(f"{root}{folder}/logind.conf.d")
        except OSError:
            continue
        for name in names:
            if name.endswith(".conf"):
                drop_ins.setdefault(name, f"{root}{folder}/logind.conf.d/{name}")
    values: dict[str, tuple[str, str]] = {}
    for path in [*([main] if main else []), *(drop_ins[name] for name in sorted(drop_ins))]:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                text = file.read(1 << 16)
        except OSError:
            continue
        shown = path[len(root) :]
        if path == main:
            for key, value in parse(text, comments=True).items():
                values[key] = (value, f"the default that {shown} tells of")
        values.update({key: (value, shown) for key, value in parse(text).items()})
    kill, source = values.get("KillUserProcesses", ("", ""))
    said = _boolean(kill)
    return Settings(
        kill=said,
        only=tuple(values.get("KillOnlyUsers", ("", ""))[0].split()),
        exclude=tuple(values.get("KillExcludeUsers", ("", ""))[0].split()) or _ROOT,
        source=source if said is not None else "nobody",
    )


def parse(text: str, comments: bool = False) -> dict[str, str]:
    """Return the assignments of the section [Login]; ``comments``: those that are commented out, instead."""
    found: dict[str, str] = {}
    section = ""
    for line in text.splitlines():
        bare = line.strip()
        if bare.startswith("[") and bare.endswith("]"):
            section = bare[1:-1]
        hidden = bare.startswith(("#", ";"))
        key, equals, value = bare.lstrip("#;").partition("=")
        if section == "Login" and equals and hidden == comments and re.fullmatch(r"\w+", key.strip()):
            found[key.strip()] = value.strip()
    return found


def _boolean(text: str) -> Optional[bool]:
    """Read a boolean as systemd does; None for what is none."""
    word = text.lower()
    return (
        True
        if word in ("1", "yes", "y", "true", "t", "on")
        else False
        if word in ("0", "no", "n", "false", "f", "off")
        else None
    )
