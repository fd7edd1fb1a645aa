# SPDX-License-Identifier: GPL-3.0-or-later
"""Which init a task hands its jobs over to: the one that ``use`` names, or the one that is here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Callable, NamedTuple

from ..inits import detect, jobfile
from ..inits.hosting.layout import Layout
from ..inits.interface import JobInit
from ..inits.jobfolder import JobFolder
from ..inits.upstart.place import SYSTEM_JOBS
from ..job.exporters.source import extract
from ..job.exporters.unit_names import unit_name
from .difference import Difference
from .errors import NoSupervisor, TaskError
from .supervisor import Supervisor

_ROLE = "apply the role foster.init.supervisor to this host, or the module foster.init.supervisor with state: started"


class Chosen(NamedTuple):
    """An init: its name, the sentence that says why it, and what connects to it."""

    name: str
    reason: str
    open: Callable[[], JobInit]


def choose(use: str, layout: Layout, environ: Mapping[str, str], runtime: bool = False) -> Chosen:
    """Return the init for ``use`` and the scope of ``layout``. ``runtime``: what is written is gone with the next boot.

    auto: a supervisor that answers or is installed, else a systemd that answers, else an Upstart that does. Where there
    is none, ``open`` raises NoSupervisor.
    """
    if runtime and use != "systemd":
        raise TaskError(f"transient: a job that nothing is kept of needs use: systemd, not {use}.")
    reason = f"the task says use: {use}"
    name = use
    if use == "auto":
        name, reason = _found(layout, environ)
    return Chosen(name, reason, _openers(layout, environ, runtime)[name])


def _openers(layout: Layout, environ: Mapping[str, str], runtime: bool) -> dict[str, Callable[[], JobInit]]:
    def foster() -> JobInit:
        return Supervisor.open(f"unix:path={layout.socket}", layout.jobs)

    def systemd() -> JobInit:
        from ..inits.systemd.init import Systemd

        return Systemd.open(environ, layout.user, _home(environ), runtime)

    def upstart() -> JobInit:
        from ..inits.upstart.init import Upstart

        return Upstart.open(environ, layout.user)

    def nobody() -> JobInit:
        raise NoSupervisor(f"{_found(layout, environ)[1]}; {_ROLE}.")

    return {"foster": foster, "systemd": systemd, "upstart": upstart, "": nobody}


def _found(layout: Layout, environ: Mapping[str, str]) -> tuple[str, str]:
    scope = "user" if layout.user else "system"
    detected = detect.describe(environ)
    answers = {answer.name: answer for answer in reversed(detected.answers) if answer.scope == scope}
    if "foster" in answers and not answers["foster"].problem:
        return "foster", f"a supervisor (pid {answers['foster'].pid}) answers"
    if os.path.lexists(layout.fosterd):
        return "foster", f"the supervisor is installed ({layout.fosterd}), though it does not answer"
    if "systemd" in answers and not answers["systemd"].problem:
        whose = "of this user" if layout.user else "that is PID 1"
        return "systemd", f"no supervisor is here, and the systemd {whose} answers (pid {answers['systemd'].pid})"
    if "upstart" in answers and not answers["upstart"].problem:
        whose = "of this session" if layout.user else "that is PID 1"
        return "upstart", f"no supervisor is here, and the Upstart {whose} answers (pid {answers['upstart'].pid})"
    return "", f"No supervisor answers, and there is no systemd or Upstart to hand jobs over to ({detected.reason})"


class Elsewhere:
    """The jobs that other inits than the ``chosen`` one have. Two would run two copies of one job."""

    def __init__(self, chosen: str, layout: Layout, environ: Mapping[str, str]) -> None:
        self._folders = [JobFolder(layout.jobs)] if chosen != "foster" else []
        if chosen != "upstart" and not layout.user and detect.upstart():
            self._folders.append(JobFolder(SYSTEM_JOBS))
        self._units: tuple[str, ...] = ()
        if chosen != "systemd":
            config = environ.get("XDG_CONFIG_HOME") or os.path.join(_home(environ), ".config")
            self._units = (f"{config}/systemd/user",) if layout.user else ("/etc/systemd/system", "/run/systemd/system")

    def place(self, name: str) -> str:
        """Return where another init has the job, "" where none has."""
        for path in (folder.paths(name)[0] for folder in self._folders):
            if os.path.isfile(path):
                return path
        for path in (os.path.join(folder, unit_name(name, each)) for folder in self._units for each in (False, True)):
            source = extract(jobfile.read(path) or "") if os.path.isfile(path) and not os.path.islink(path) else None
            if source is not None and source.name == name:
                return f"the unit {path}"
        return ""


def linger(wanted: bool, check: bool, difference: Difference) -> None:
    """See to it that the user's systemd outlives the last logout where that is ``wanted``, or fail if it does not."""
    from ..inits.systemd import lingering

    if lingering.lingers():
        return
    name = lingering.user_name()
    if not wanted:
        raise TaskError(
            f"systemd ends the jobs of {name} with the last session of {name}, because lingering is off; give linger: "
            f"true, or run `loginctl enable-linger {name}` as root."
        )
    difference.note(f"enable lingering of {name}", f"lingering of {name}", "no\n", "yes\n")
    if not check:
        lingering.enable()


def _home(environ: Mapping[str, str]) -> str:
    return environ.get("HOME") or os.path.expanduser("~")
