# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring the supervisor itself to what a task wants: its bundle, the init's knowledge of it, and whether it runs."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import sys
import time
from dataclasses import dataclass
from typing import Any, Optional

from ..inits import detect
from ..inits.errors import InitError
from ..inits.hosting import choose, files
from ..inits.hosting.interface import Hosting
from ..inits.hosting.layout import SYSTEM, Layout, user_layout
from ..supervisor import settings
from .difference import Difference
from .errors import NoSupervisor, TaskError
from .supervisor import Supervisor

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ANSWER_TIMEOUT = 60.0  # seconds for a supervisor that executes itself again and takes up its jobs


class NeedsBundle(Exception):
    """The bundle has to be transferred before this can be done."""


@dataclass(frozen=True)
class Request:
    """What the task says. ``digest``: name of the wanted bundle's contents; ``bundle``: its path, once transferred.

    ``readers``: see supervisor.settings; None: as it is.
    """

    state: str
    digest: str
    bundle: Optional[str] = None
    purge: bool = False
    keep_jobs: bool = False
    readers: Optional[str] = None
    check: bool = False


def layout_of(scope: str) -> Layout:
    """Return where everything lies for ``scope``, system or user."""
    if scope == "system":
        return SYSTEM
    uid = os.geteuid()
    home = os.environ.get("HOME") or pwd.getpwuid(uid).pw_dir
    return user_layout(os.environ, home, uid)


class Installation:
    """One task on the supervisor with the files of ``layout``, hosted the way that is called ``hosting``, or auto."""

    def __init__(self, request: Request, layout: Layout, hosting: str = "auto") -> None:
        if not layout.user and os.geteuid() != 0:
            raise TaskError("The host's supervisor can be changed by root only; use become, or scope: user.")
        self._request = request
        self._layout = layout
        self._hosting: Hosting = choose.choose(layout, hosting)
        self.difference = Difference()

    def run(self) -> dict[str, Any]:
        """Do it, or in check mode say what would be done; return how the supervisor is. Raise TaskError, InitError."""
        request = self._request
        # Before anything is changed: an init that cannot be told leaves the host as it was.
        self._hosting.verify(removing=request.state in ("stopped", "absent"))
        if request.state == "absent":
            self._absent()
        elif request.state == "stopped":
            self._stop()
        else:
            self._present()
        return self._now()

    # ---- present ----

    def _present(self) -> None:
        request, layout = self._request, self._layout
        before = files.installed(layout.library)
        outdated = before != request.digest or not self._linked()
        running = self._pid() is not None
        if outdated and not request.check and request.bundle is None:
            raise NeedsBundle
        changes = self._hosting.pending()
        if not request.check:
            self._hosting.prepare()
        if outdated:
            self.difference.note(
                f"install {layout.library}", layout.library, f"{before}\n" if before else None, f"{request.digest}\n"
            )
            if not request.check:
                self._install_bundle()
        changed = self._set()
        for change in changes:
            self.difference.note(*change)
        if not request.check:
            self._hosting.install()
        if request.state == "present":
            return
        if not running:
            self.difference.note("start the supervisor", "state of the supervisor", "stopped\n", "started\n")
            if not request.check:
                self._hosting.start()
                self._answering()
        elif outdated or changed or request.state == "restarted":
            self.difference.note(
                "let the supervisor execute itself again", "state of the supervisor", "started\n", "started again\n"
            )
            if not request.check:
                self._answering().reexec()
                self._answering()

    def _linked(self) -> bool:
        layout = self._layout
        links = [(os.path.join(layout.programs, name), os.path.join(layout.library, name)) for name in files.PROGRAMS]
        return all(
            os.path.islink(link) and os.readlink(link) == target and os.path.isfile(target) for link, target in links
        )

    def _install_bundle(self) -> None:
        with open(str(self._request.bundle), "rb") as file:
            data = file.read()
        try:
            files.install(data, self._layout.library, self._layout.programs, _interpreter())
            os.makedirs(self._layout.jobs, mode=0o755, exist_ok=True)
        except ValueError as error:
            raise TaskError(f"The bundle that was transferred cannot be installed: {error}.") from error

    def _set(self) -> bool:
        """Write the supervisor's settings; return whether they are others than before."""
        path = settings.path_in(self._layout.jobs)
        before = settings.read(self._layout.jobs)
        wanted = before._replace(readers=self._request.readers) if self._request.readers else before
        if wanted == before:
            return False
        self.difference.note(f"write {path}", path, settings.text_of(before) or None, settings.text_of(wanted))
        if not self._request.check:
            files.write(path, settings.text_of(wanted).encode())
        return True

    # ---- not running, not there ----

    def _stop(self) -> None:
        if self._pid() is None:
            return
        self.difference.note("stop the supervisor", "state of the supervisor", "started\n", "stopped\n")
        if not self._request.check:
            if not self._request.keep_jobs:
                self._stop_jobs()
            self._hosting.stop(self._request.keep_jobs)

    def _absent(self) -> None:
        request, layout = self._request, self._layout
        traces = [os.path.dirname(layout.socket)]
        if request.purge:
            traces += [os.path.dirname(layout.log), layout.jobs]
        # Looked for before the supervisor ends, which removes some of them itself: so check mode says the same.
        traces = [folder for folder in traces if os.path.isdir(folder) and not os.path.islink(folder)]
        self._stop()
        for change in self._hosting.traces():
            self.difference.note(*change)
        if not request.check:
            self._hosting.remove()
        found = files.installed(layout.library)
        if found or os.path.isdir(layout.library):
            self.difference.note(f"remove {layout.library}", layout.library, f"{found}\n", None)
            if not request.check:
                files.remove(layout.library, layout.programs)
        self._unset()
        for folder in traces:
            self.difference.note(f"remove {folder}", folder, "there\n", None)
            if not request.check and os.path.isdir(folder):
                shutil.rmtree(folder)
        if not request.check:
            for folder in (layout.jobs, layout.library, *traces):
                _remove_empty(folder, layout.user)
            if layout.user:  # the system's belongs to the system, empty or not
                _remove_empty(layout.programs, layout.user)

    def _unset(self) -> None:
        path = settings.path_in(self._layout.jobs)
        if os.path.lexists(path):
            self.difference.note(f"remove {path}", path, settings.text_of(settings.read(self._layout.jobs)), None)
            if not self._request.check:
                os.unlink(path)

    def _stop_jobs(self) -> None:
        """Stop every instance; more than once, because the end of one job may start another."""
        try:
            supervisor = Supervisor.open(f"unix:path={self._layout.socket}")
        except NoSupervisor:
            return
        for _round in range(3):
            left = [
                (name, each["name"]) for name, job in supervisor.describe().items() for each in job.get("instances", ())
            ]
            for name, instance in left:
                supervisor.stop_instance(name, instance, ANSWER_TIMEOUT)
            if not left:
                break
        supervisor.close()

    # ---- looking ----

    def _pid(self) -> Optional[int]:
        return detect.listener(self._layout.socket)

    def _answering(self) -> Supervisor:
        """Return a connection to the supervisor, when it answers; raise TaskError when it does not in time."""
        deadline = time.monotonic() + ANSWER_TIMEOUT
        while True:
            try:
                supervisor = Supervisor.open(f"unix:path={self._layout.socket}")
                supervisor.capabilities()
                return supervisor
            except Exception as error:
                if time.monotonic() > deadline:
                    raise TaskError(
                        f"The supervisor does not answer at {self._layout.socket} within {ANSWER_TIMEOUT:g} s; see "
                        f"{self._layout.log}."
                    ) from error
                time.sleep(0.05)

    def _now(self) -> dict[str, Any]:
        pid = self._pid()
        return {
            "pid": pid,
            "running": pid is not None,
            "hosting": self._hosting.name,
            "enabled": self._hosting.status().enabled,
            "bundle": files.installed(self._layout.library),
            "fosterctl": os.path.join(self._layout.programs, "fosterctl"),
            "address": f"unix:path={self._layout.socket}",
            "jobs": self._layout.jobs,
        }


def _interpreter() -> Optional[str]:
    """Return the Python to run the supervisor with, None where the host's own python3 is new enough.

    The one that runs this module may be in a virtual environment, which is not to be depended on.
    """
    found = shutil.which("python3", path=SYSTEM_PATH)
    version = re.search(r"python3\.(\d+)$", os.path.realpath(found)) if found else None
    if found and (version is None or int(version.group(1)) >= 9):
        return found
    return os.path.realpath(sys.executable)


def _remove_empty(folder: str, user: bool) -> None:
    """Remove a folder that is empty, and for a user the empty ones above it, up to the home folder."""
    home = os.path.expanduser("~")
    while folder not in ("/", home):
        try:
            os.rmdir(folder)
        except FileNotFoundError:
            pass
        except OSError:
            return
        folder = os.path.dirname(folder)
        if not user or not folder.startswith(home + "/"):
            return


__all__ = ["InitError", "Installation", "NeedsBundle", "Request", "layout_of"]
