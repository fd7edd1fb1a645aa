# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a package's own service as a job: find it, read its unit or script, and bring the job to what a task wants."""

from __future__ import annotations

import os
import platform
import pwd
import resource
import shutil
import socket
import subprocess
from dataclasses import dataclass, field
from dataclasses import replace as changed
from typing import Any, Callable, Optional

from ..inits.interface import JobInit, instances
from ..inits.jobfolder import JobFolder
from ..job.errors import nearest
from ..job.importers.imported import BEHAVIOUR, PROTECTION, Around, Check, Imported, Lost
from ..job.importers.systemd import import_unit
from ..job.importers.sysv import import_script
from ..job.writer import write_job
from .converge import Convergence, Outcome
from .converge import Request as JobRequest
from .difference import Difference
from .errors import NoSupervisor, TaskError
from .packaged import Packaged, Packages

_MARK = "# foster.init.service: read from "
_SYS_RESOURCE = 24  # CAP_SYS_RESOURCE, capabilities(7)
_LIMITS = ("cpu", "fsize", "data", "stack", "core", "nproc", "nofile", "memlock", "as", "sigpending", "msgqueue",
           "nice", "rtprio")  # fmt: skip  # those of them that resource has
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMCTL_SKIP_REDIRECT": "1"}
_SCRIPT_TIMEOUT = 60.0  # seconds for a script that only tells a status, or stops what it has started


@dataclass(frozen=True)
class Request:
    """What the task says; ``state`` and ``enabled`` None: leave as it is. Times are seconds."""

    name: str
    folder: str
    state: Optional[str] = None
    enabled: Optional[bool] = None
    arguments: str = ""
    wait_timeout: float = 300.0
    check: bool = False


@dataclass
class Served:
    """What was done, how the service is now, and what of its unit could not be carried over."""

    name: str
    source: str
    difference: Difference
    job: dict[str, Any]
    escape: list[dict[str, Any]]
    lost: tuple[Lost, ...]
    warnings: list[str] = field(default_factory=list)


class Service:
    """One task on one service. ``connect`` raises NoSupervisor."""

    def __init__(self, request: Request, connect: Callable[[], JobInit], packages: Packages) -> None:
        self._request = request
        self._packages = packages
        self._connect = connect
        self._init: Optional[JobInit] = None
        self._difference = Difference()
        self._warnings: list[str] = []
        self._visited: set[str] = set()

    def run(self) -> Served:
        """Do it, or in check mode say what would be done. Raise TaskError, JobError, BusError or InitError."""
        request = self._request
        try:
            self._init = self._connect()
        except NoSupervisor:
            if request.state is not None and not request.check:
                raise
        found = self._packages.find(request.name)
        name = found.name if found else request.name
        text = JobFolder(request.folder).read(name).text
        own = text is not None and not text.startswith(_MARK)
        if found is None and text is None:
            raise TaskError(self._unknown())
        if found is None or own:
            return self._served(name, "", self._converge(name, self._state(None), enabled=request.enabled), ())
        return self._imported(found, defined=text is not None)

    def _unknown(self) -> str:
        request = self._request
        folder = [name[: -len(".conf")] for name in _files(request.folder) if name.endswith(".conf")]
        near = nearest(request.name, [*self._packages.names(), *folder])
        return (
            f"{request.name}: there is no such service on this host, neither a unit of systemd nor a script in "
            f"/etc/init.d nor a job in {request.folder}{near or '; install its package first.'}"
        )

    # ---- a service that a package brings ----

    def _imported(self, found: Packaged, defined: bool) -> Served:
        request = self._request
        self._visited.add(found.name)
        imported = self._read(found)
        text = f"{_MARK}{found.path}\n{write_job(imported.job)}"
        if "setpriv " in text and shutil.which("setpriv") is None:
            raise TaskError(f"{found.name}: {found.path} needs setpriv to change its rights; install util-linux.")
        running = self._running(found.name)
        state = self._state(imported, running, found.kind)
        if state in ("started", "restarted", "reloaded") and not running and not self._may_start(found, imported):
            state = "present"
        elif state in ("started", "restarted") and not running:
            self._start_needed(imported)
        if not running and request.state is not None:
            self._stop_stray(found)
        reload_job = imported.reload if state == "reloaded" and running else None
        if state == "stopped" and not defined and request.enabled is None:  # nothing of it runs, nothing to define
            outcome = self._converge(found.name, "absent")
            return self._served(found.name, found.path, outcome, imported.lost)
        before = len(self._difference.actions)
        self._write_reload(found, imported)
        outcome = self._converge(
            found.name, "present" if reload_job else state, text, self._enabled(found, imported, defined)
        )
        written = any(action.startswith("write ") for action in self._difference.actions[before:])
        if reload_job is not None:
            self._reload(found.name, f"{_MARK}{found.path}\n{write_job(reload_job)}")
        if written and not defined:
            self._warnings += _summary(found.name, imported.lost)
        return self._served(found.name, found.path, outcome, imported.lost)

    def _read(self, found: Packaged) -> Imported:
        around = around_of(self._init.pid if self._init else os.getpid())
        if found.kind == "script":
            return import_script(found.name, found.path, found.texts[0][1], self._request.arguments)
        if self._request.arguments:
            self._warnings.append("arguments: is for SysV scripts; the unit of this service says what it is given.")
        return import_unit(found.name, found.texts, around, found.tmpfiles)

    def _state(self, imported: Optional[Imported], running: bool = True, kind: str = "") -> str:
        """Return what the job is to be brought to."""
        state = self._request.state or "present"
        if state != "reloaded":
            return state
        if not running:
            return "started"  # as ansible.builtin.service has it
        if imported is None or imported.reloads:
            return state
        if kind == "script":
            return "restarted"  # what force-reload is
        raise TaskError(f"{imported.job.name}: its unit says no way to reload it (ExecReload); use state: restarted.")

    def _enabled(self, found: Packaged, imported: Imported, defined: bool) -> Optional[bool]:
        """Return what to say about boot: what the task says, or at first what the host was told by the package."""
        enabled = self._request.enabled
        if enabled and not imported.wanted:
            self._warnings.append(
                f"{found.name}: {found.path} does not say when to start it ([Install]), so it cannot be enabled."
            )
            return None
        if enabled is None and not defined:
            return found.enabled if imported.wanted else None
        return enabled

    def _may_start(self, found: Packaged, imported: Imported) -> bool:
        """Say whether the conditions of a start hold, as systemd does: an unmet condition is no error."""
        unmet = next((check for check in imported.checks if not _holds(check)), None)
        if unmet is None:
            return True
        if unmet.fails:
            raise TaskError(f"{found.name}: is not started, because {unmet.shown} does not hold.")
        self._warnings.append(f"{found.name}: is not started, because {unmet.shown} does not hold.")
        return False

    def _start_needed(self, imported: Imported) -> None:
        """Start the services that this one requires, where they are there and do not run."""
        for name in imported.needs:
            if name in self._visited or self._running(name):
                continue
            self._visited.add(name)
            try:
                found = self._packages.find(name)
            except TaskError:
                continue
            if found is None:
                continue
            request = changed(self._request, name=name, state="started", enabled=None, arguments="")
            needed = Service(request, lambda: self._init or self._connect(), self._packages)
            needed._visited = self._visited
            served = needed.run()
            self._difference.extend(served.difference)
            self._warnings += served.warnings

    def _stop_stray(self, found: Packaged) -> None:
        """Stop a copy that runs outside of the supervisor, as a package's installation leaves one where no init is."""
        script = self._packages.local(found.script)
        if not found.script or not _quiet([script, "status"]):
            return
        what = f"{found.name} outside of the supervisor"
        self._difference.note(f"stop {what}", what, "running\n", "stopped\n")
        if not self._request.check:
            _quiet([script, "stop"])
            if _quiet([script, "status"]):
                raise TaskError(
                    f"{found.name}: a copy of it runs outside of the supervisor, and `{found.script} stop` does not "
                    "stop it; stop it by hand."
                )

    def _write_reload(self, found: Packaged, imported: Imported) -> None:
        name = f"{found.name}/reload"
        if imported.reload is not None:
            self._converge(name, "present", f"{_MARK}{found.path}\n{write_job(imported.reload)}")
        elif (JobFolder(self._request.folder).read(name).text or "").startswith(_MARK):
            self._converge(name, "absent")

    def _reload(self, name: str, text: str) -> None:
        self._converge(f"{name}/reload", "started", text, note=False)
        what = f"state of {name}"
        self._difference.note(f"reload {name}", what, "start/running\n", "start/running (reloaded)\n")

    # ---- jobs ----

    def _converge(
        self, name: str, state: str, text: Optional[str] = None, enabled: Optional[bool] = None, note: bool = True
    ) -> Outcome:
        request = self._request
        job = JobRequest(
            name=name,
            folder=request.folder,
            state=state,
            text=text,
            enabled=enabled,
            on_change="none",
            wait_timeout=request.wait_timeout,
            check=request.check,
        )
        outcome = Convergence(job, self._connected).run()
        if note:
            self._difference.extend(outcome.difference)
        self._warnings += outcome.warnings
        return outcome

    def _connected(self) -> JobInit:
        return self._init if self._init is not None else self._connect()

    def _running(self, name: str) -> bool:
        if self._init is None:
            return False
        found = instances(self._init.describe(name).get(name))
        return any(each["goal"] == "start" for each in found.values())

    def _served(self, name: str, source: str, outcome: Outcome, lost: tuple[Lost, ...]) -> Served:
        warnings = list(dict.fromkeys(self._warnings))
        return Served(name, source, self._difference, outcome.job, outcome.escape, lost, warnings)


def around_of(pid: int) -> Around:
    """Return what this host is, and what the process ``pid``, the supervisor, may do."""
    capabilities = (1 << 64) - 1
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            capabilities = next(int(line.split()[1], 16) for line in file if line.startswith("CapEff:"))
    except (OSError, StopIteration, ValueError, IndexError):
        pass
    ceilings: dict[str, Optional[int]] = {}
    if not capabilities >> _SYS_RESOURCE & 1:
        for name in _LIMITS:
            number = getattr(resource, f"RLIMIT_{name.upper()}", None)
            if number is not None:
                hard = resource.prlimit(pid, number)[1]
                ceilings[name] = None if hard == resource.RLIM_INFINITY else hard
    system = platform.uname()
    return Around(
        hostname=socket.gethostname(),
        machine_id=_line("/etc/machine-id"),
        boot_id=_line("/proc/sys/kernel/random/boot_id").replace("-", ""),
        release=system.release,
        architecture=system.machine,
        home=_home,
        ceilings=ceilings,
        capabilities=capabilities,
    )


def _home(user: str) -> Optional[str]:
    try:
        return (pwd.getpwuid(int(user)) if user.isdigit() else pwd.getpwnam(user)).pw_dir
    except (KeyError, OverflowError):
        return None


def _line(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readline().strip()
    except OSError:
        return ""


def _files(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _holds(check: Check) -> bool:
    return _quiet(["/bin/sh", "-c", check.test])


def _quiet(argv: list[str]) -> bool:
    """Run a short command apart from the task's terminal and output; return whether it succeeded."""
    try:
        # Not the module's run_command: what the script starts must not hold a pipe of the task open.
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={
                "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "SYSTEMCTL_SKIP_REDIRECT": "1",
            },
            timeout=_SCRIPT_TIMEOUT,
            check=False,
            start_new_session=True,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _summary(name: str, lost: tuple[Lost, ...]) -> list[str]:
    """Return at most one sentence that says what an admin has to know."""
    parts = []
    for kind, what in ((PROTECTION, "protections"), (BEHAVIOUR, "settings")):
        directives = list(dict.fromkeys(each.directive for each in lost if each.kind == kind and each.matters))
        if directives:
            shown = ", ".join(directives[:4]) + (f" and {len(directives) - 4} more" if len(directives) > 4 else "")
            parts.append(f"{what} that are not in force here: {shown}")
    return [f"{name}: its unit has {'; '.join(parts)}. The result's lost says why."] if parts else []
