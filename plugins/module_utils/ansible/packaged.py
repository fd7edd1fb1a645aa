# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host's packages bring to run services with: systemd units with their drop-ins, and SysV scripts."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Sequence
from typing import NamedTuple, Optional

from .errors import TaskError

UNITS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
SCRIPTS = "/etc/init.d"
_TMPFILES = ("/etc/tmpfiles.d", "/run/tmpfiles.d", "/usr/lib/tmpfiles.d")
_PACKAGE_LISTS = "/var/lib/dpkg/info"
_SUFFIX = ".service"
_OTHER_UNITS = (".socket", ".timer", ".path", ".target", ".mount", ".automount", ".swap", ".slice", ".scope", ".device")
_STAND_IN = re.compile(r"^ExecStart=\s*(?:/usr)?/bin/true\s*$", re.MULTILINE)
_MAX_BYTES = 1 << 20
_MAX_LINKS = 8

Text = tuple[str, str]


class Packaged(NamedTuple):
    """A service: ``kind`` is unit or script. ``texts``: path and text of its file, then of its drop-ins in order.

    ``tmpfiles``: of the tmpfiles.d files that belong to it. ``enabled``: whether the host is told to start it at boot.
    ``script``: the path of its SysV script, "" where it has none.
    """

    name: str
    kind: str
    texts: tuple[Text, ...]
    tmpfiles: tuple[Text, ...]
    enabled: bool
    script: str

    @property
    def path(self) -> str:
        """Return the path of its file."""
        return self.texts[0][0]


class Packages:
    """The services below ``root``, which is the host's own root folder."""

    def __init__(self, root: str = "") -> None:
        self._root = root.rstrip("/")

    def find(self, asked: str) -> Optional[Packaged]:
        """Return the service that is called ``asked``, also by an alias; None where there is none.

        Raises TaskError for a unit that is masked, and for a name of another kind of unit.
        """
        suffix = next((suffix for suffix in _OTHER_UNITS if asked.endswith(suffix)), "")
        if suffix:
            raise TaskError(f"{asked}: is a unit of systemd, but no service; on this host only services are run.")
        name = asked[: -len(_SUFFIX)] if asked.endswith(_SUFFIX) else asked
        if not name or "/" in name or name in (".", ".."):
            raise TaskError(f"{asked}: is not the name of a service; a name has no slash in it.")
        unit = self._unit(name) or self._unit(self._aliased(name))
        if unit and unit[0] != name:  # by its own name, so that an alias leads to the same path
            unit = self._unit(unit[0]) or unit
        script = self._script(name) or (self._script(unit[0]) if unit else "")
        if unit and not (script and _STAND_IN.search(unit[1][1]) and "Type=oneshot" in unit[1][1]):
            canonical, file = unit
            texts = (file, *self._drop_ins(canonical, name))
            return Packaged(
                canonical, "unit", texts, self._tmpfiles(canonical, file[0]), self._unit_enabled(canonical), script
            )
        script = script or self._script(self._providing(name))
        if not script:
            return None
        name = os.path.basename(script)
        text = self._read(script)
        if text is None:
            raise TaskError(f"{script}: cannot be read as a script.")
        enabled = self._script_enabled(name) or (unit is not None and self._unit_enabled(unit[0]))
        return Packaged(name, "script", ((script, text),), self._tmpfiles(name, script), enabled, script)

    def names(self) -> list[str]:
        """Return the names of all services, for who has mistyped one."""
        found = {name[: -len(_SUFFIX)] for folder in UNITS for name in self._list(folder) if name.endswith(_SUFFIX)}
        return sorted({*found, *(name for name in self._list(SCRIPTS) if self._script(name))})

    def local(self, path: str) -> str:
        """Return where a file that was found lies for a program of this host."""
        return self._root + path

    # ---- units ----

    def _unit(self, name: str) -> Optional[tuple[str, Text]]:
        """Return the canonical name and the file of the unit called ``name``."""
        if not name:
            return None
        template, at, instance = name.partition("@")
        for candidate in [name, *([f"{template}@"] if at and instance else [])]:
            for folder in UNITS:
                found = self._followed(os.path.join(folder, candidate + _SUFFIX))
                if found is None:
                    continue
                path, text = found
                canonical = os.path.basename(path)[: -len(_SUFFIX)]
                if canonical.endswith("@") and instance:
                    canonical += instance
                return canonical, (path, text)
        return None

    def _followed(self, path: str) -> Optional[Text]:
        """Return the unit file at ``path`` under the name that its links lead to; raise TaskError for a masked one."""
        asked = path
        for _step in range(_MAX_LINKS):
            try:
                status = os.lstat(self._root + path)
            except OSError:
                return None
            if not stat.S_ISLNK(status.st_mode):
                break
            target = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(self._root + path)))
            if target == "/dev/null":
                name = os.path.basename(asked)
                raise TaskError(f"{name}: is masked by {path}; remove that link (`systemctl unmask {name}`) to run it.")
            if not target.endswith(_SUFFIX):
                return None
            path = target
        text = self._read(path)
        if text is not None and not text.strip() and path.startswith(("/etc/", "/run/")):
            raise TaskError(f"{os.path.basename(asked)}: is masked by the empty file {path}; remove it to run it.")
        return None if text is None else (path, text)

    def _aliased(self, name: str) -> str:
        """Return the unit that calls itself ``name`` in its [Install], "" where none does."""
        wanted = re.compile(rf"^Alias=.*(?<![\w@.-]){re.escape(name)}{re.escape(_SUFFIX)}(?!\S)", re.MULTILINE)
        for folder in UNITS:
            for file in self._list(folder):
                if file.endswith(_SUFFIX) and wanted.search(self._read(os.path.join(folder, file)) or ""):
                    return file[: -len(_SUFFIX)]
        return ""

    def _drop_ins(self, canonical: str, asked: str) -> list[Text]:
        """Return the drop-ins in the order in which they count (systemd.unit(5)): by the names of their files."""
        template, at, instance = canonical.partition("@")
        folders = ["service.d"]
        parts = template.split("-")
        folders += [f"{'-'.join(parts[:count])}-{_SUFFIX}.d" for count in range(1, len(parts))]
        folders += [f"{template}@{_SUFFIX}.d"] if at and instance else []
        folders += [f"{name}{_SUFFIX}.d" for name in dict.fromkeys([asked, canonical])]
        files: dict[str, str] = {}
        for unit_folder in reversed(UNITS):
            for folder in folders:
                place = os.path.join(unit_folder, folder)
                files.update((name, os.path.join(place, name)) for name in self._list(place) if name.endswith(".conf"))
        found = [(files[name], self._read(files[name])) for name in sorted(files)]
        return [(path, text) for path, text in found if text]  # a link to /dev/null masks one

    def _unit_enabled(self, name: str) -> bool:
        """Say whether a link lets the unit start at boot."""
        for folder in UNITS:
            for entry in self._list(folder):
                if entry.endswith((".wants", ".requires")) and self._is_there(
                    os.path.join(folder, entry, name + _SUFFIX)
                ):
                    return True
        return False

    # ---- scripts ----

    def _script(self, name: str) -> str:
        """Return the path of the SysV script ``name``, "" where there is none that can be run."""
        path = os.path.join(SCRIPTS, name)
        if not name or "/" in name or name.startswith(".") or name in ("README", "skeleton", "rc", "rcS"):
            return ""
        return path if os.path.isfile(self._root + path) and os.access(self._root + path, os.X_OK) else ""

    def _providing(self, name: str) -> str:
        wanted = re.compile(rf"^# Provides:.*(?<!\S){re.escape(name)}(?!\S)", re.MULTILINE)
        return next((s for s in self._list(SCRIPTS) if wanted.search(self._read(os.path.join(SCRIPTS, s)) or "")), "")

    def _script_enabled(self, name: str) -> bool:
        return any(
            re.fullmatch(rf"S\d\d{re.escape(name)}", link)
            for level in "2345"
            for link in self._list(f"/etc/rc{level}.d")
        )

    # ---- files that belong to it ----

    def _tmpfiles(self, name: str, path: str) -> tuple[Text, ...]:
        """Return the tmpfiles.d files of the package that brings ``path``, or those that are named like the service."""
        names = {f"{name.partition('@')[0]}.conf"}
        for line in self._package_files(path):
            if os.path.dirname(line) == "/usr/lib/tmpfiles.d":
                names.add(os.path.basename(line))
        found = []
        for each in sorted(names):
            folder = next((folder for folder in _TMPFILES if self._is_there(os.path.join(folder, each))), None)
            text = self._read(os.path.join(folder, each)) if folder else None
            if folder and text:
                found.append((os.path.join(folder, each), text))
        return tuple(found)

    def _package_files(self, path: str) -> Sequence[str]:
        """Return the files of the Debian package that ``path`` belongs to; /usr may be merged since it was built."""
        wanted = (path[len("/usr") :] if path.startswith("/usr/") else path).encode()
        for name in self._list(_PACKAGE_LISTS):
            if not name.endswith(".list"):
                continue
            with contextlib.suppress(OSError), open(f"{self._root}{_PACKAGE_LISTS}/{name}", "rb") as file:
                data = b"\n" + file.read()
                if b"\n" + wanted + b"\n" in data or b"\n/usr" + wanted + b"\n" in data:
                    return data.decode("utf-8", "replace").split("\n")
        return ()

    def _list(self, folder: str) -> list[str]:
        try:
            return sorted(os.listdir(self._root + folder))
        except OSError:
            return []

    def _is_there(self, path: str) -> bool:
        return os.path.lexists(self._root + path)

    def _read(self, path: str) -> Optional[str]:
        """Return the text of a regular file, a character that is no UTF-8 replaced; None where there is none."""
        try:
            descriptor = os.open(self._root + path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            return file.read(_MAX_BYTES).decode("utf-8", "replace")
