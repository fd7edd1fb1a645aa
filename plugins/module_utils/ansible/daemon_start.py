# SPDX-License-Identifier: GPL-3.0-or-later
"""Who starts a daemon: a running supervisor of ours as a transient job, else a live systemd as a unit, else an Upstart.

Never this process: what it starts is in the login session that the task came in through, and ends with it.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shlex
from typing import Any, Callable, NamedTuple, Optional, Protocol

from ..dbus.sockets import SYSTEM_SOCKET, user_socket
from ..inits import detect
from ..inits.errors import InitUnreachable
from ..inits.interface import JobInit, main_pid
from ..inits.launch import Launch, Started
from ..inits.probes import SYSTEMD_SOCKET
from ..inits.systemd import lingering
from ..inits.systemd.manager import runtime_folder
from ..inits.transient import Transient
from ..job.options import job_from_options
from ..job.writer import write_job
from ..processes.termination import name_of
from .converge import Convergence, Outcome, Request
from .errors import TaskError
from .supervisor import Supervisor

# Runs in front of a program for what no stanza of a job says: scheduling policy and input/output priority, by number.
_SCHEDULER = (
    "import ctypes,os,sys;p,q,c,d=map(int,sys.argv[1:5]);"
    "p<0 or os.sched_setscheduler(0,p,os.sched_param(q));"
    "n={'x86_64':251,'i686':289,'ppc64le':273,'s390x':282,'armv7l':314}.get(os.uname().machine,30);"
    "c<0 or ctypes.CDLL(None).syscall(n,1,0,c<<13|d)==0 or sys.exit('the input/output priority cannot be set');"
    "os.execv(sys.argv[5],sys.argv[5:])"
)


class Runner(Protocol):
    """Somebody who runs programs for us. ``pid`` is who will be above them."""

    name: str
    pid: int
    user: bool

    def start(self, launch: Launch) -> Started: ...

    def stop(self, name: str, timeout: float) -> bool: ...

    def main_pid(self, name: str) -> int: ...


class Choice(NamedTuple):
    """``runner`` None: nobody can be asked, and ``problem`` is the sentence that says so."""

    runner: Optional[Runner]
    problem: str = ""


def choose(use: str) -> Choice:
    """Return who starts daemons here for this user; ``use`` insists on foster, systemd or upstart."""
    user = os.geteuid() != 0
    if use in ("auto", "foster"):
        path = user_socket(os.environ, os.geteuid()) if user else SYSTEM_SOCKET
        pid = detect.listener(path)
        if pid is not None:
            return Choice(foster_runner(path, pid, user))
    if use in ("auto", "systemd"):
        found = _systemd(user)
        if found is not None:
            return found
    if use in ("auto", "upstart"):
        found = _upstart(use, user)
        if found is not None:
            return found
    seen = detect.describe(os.environ)
    wanted = {"foster": "No supervisor of ours", "systemd": "No systemd"}.get(use, "Nobody")
    return Choice(
        None,
        f"{wanted} answers here that could start a daemon outside of this login session ({seen.reason}). Apply the "
        "role foster.init.supervisor to this host" + (", with scope: user." if user else "."),
    )


def _systemd(user: bool) -> Optional[Choice]:
    pid = detect.systemd(user)
    if pid is None:
        return None
    if not user:
        return Choice(Transient(f"unix:path={SYSTEMD_SOCKET}", pid))
    if not lingering.lingers():
        name = lingering.user_name()
        return Choice(
            None,
            f"The systemd of user {name} ends with the last session of {name}, and a daemon with it: run "
            f"`loginctl enable-linger {name}` first, or apply the role foster.init.supervisor with scope: user.",
        )
    return Choice(Transient(f"unix:path={runtime_folder(os.environ)}/systemd/private", pid, user=True))


def _upstart(use: str, user: bool) -> Optional[Choice]:
    from ..inits.upstart.init import Upstart

    if use == "auto" and not (os.environ.get("UPSTART_SESSION") if user else detect.upstart()):
        return None

    def connect() -> JobInit:
        return Upstart.open(os.environ, user)

    try:
        pid = connect().pid
    except InitUnreachable as error:
        return Choice(None, str(error))
    return Choice(JobRunner("upstart", pid, user, connect, upstart_options))


def foster_runner(path: str, pid: int, user: bool) -> JobRunner:
    """Return the supervisor that listens at ``path``, for jobs in a folder that is gone after the next boot."""
    folder = os.path.join(os.path.dirname(path), "jobs")
    return JobRunner("foster", pid, user, lambda: Supervisor.open(f"unix:path={path}", folder), job_options)


class JobRunner:
    """Jobs of an init, each for one daemon. ``connect`` opens it, and ``options`` makes a job of a launch."""

    def __init__(
        self, name: str, pid: int, user: bool, connect: Callable[[], JobInit],
        options: Callable[[Launch], dict[str, Any]],
    ) -> None:  # fmt: skip
        self.name = name
        self.pid = pid
        self.user = user
        self._connect = connect
        self._options = options

    def start(self, launch: Launch) -> Started:
        """Define and start the job; return its main process. Raise TaskError with how it has failed."""
        options = self._options(launch)
        _prepare_output(launch)
        try:
            outcome = self._converge("started", launch.unit, launch, write_job(job_from_options(launch.unit, options)))
        except TaskError:
            with contextlib.suppress(TaskError):
                self._converge("absent", launch.unit, launch)
            raise
        pid = next((main_pid(each) for each in outcome.job["instances"]), None)
        if options.get("task"):  # it has ended, and has put the daemon into the background
            self._converge("absent", launch.unit, launch)
        return Started(pid or 0, self.name, launch.unit)

    def stop(self, name: str, timeout: float) -> bool:
        """End what is left of the job and forget it; return whether there was one."""
        if self._connect().definitions.read(name).text is None:
            return False
        return self._converge("absent", name, Launch(name, (), timeout=timeout)).difference.changed

    def main_pid(self, name: str) -> int:
        """Return the main process of the job, 0 where there is none."""
        instances = (self._connect().describe(name).get(name) or {}).get("instances", ())
        return next((main_pid(each) for each in instances), None) or 0

    def _converge(self, state: str, name: str, launch: Launch, text: Optional[str] = None) -> Outcome:
        request = Request(
            name=name,
            folder="",
            state=state,
            text=text,
            wait_timeout=launch.timeout + launch.stop[1],
            stay_up=launch.stay_up,
            user=self.user,
        )
        return Convergence(request, self._connect).run()


def job_options(launch: Launch) -> dict[str, Any]:
    """Return the launch as a job in YAML."""
    command = list(launch.command)
    if launch.policy or launch.io:
        policy, io = launch.policy or (-1, 0), launch.io or (-1, 0)
        command = ["python3", "-IS", "-c", _SCHEDULER, *map(str, (*policy, *io)), *command]
    text = " ".join(shlex.quote(word) for word in command)
    if launch.output:
        text = f"{text} >>{shlex.quote(launch.output)} 2>&1"
    options: dict[str, Any] = {
        "description": f"{launch.command[0]}, started by foster.init.daemon",
        **_started_by(text),
        "expect": "notify" if launch.notify else "auto" if launch.forking else None,
        "start_timeout": int(launch.timeout) or 1,
        "kill_signal": name_of(launch.stop[0]),
        "kill_timeout": int(launch.stop[1]),
        "chdir": launch.folder,
        "chroot": launch.root or None,
        "setuid": launch.user or None,
        "setgid": launch.group or None,
        "nice": launch.nice,
        "umask": None if launch.umask is None else f"{launch.umask:03o}",
        "env": list(launch.environment) or None,
    }
    return {name: value for name, value in options.items() if value is not None}


def _started_by(command: str) -> dict[str, str]:
    """Return the stanza that executes ``command``: in a line of a job file a line break would become a space."""
    if "\n" not in command:
        return {"exec": command}
    if any(line.strip() == "end script" for line in command.split("\n")):
        raise TaskError("args: a line of an argument cannot be `end script`, which ends the script of a job.")
    return {"script": f"exec {command}"}


def upstart_options(launch: Launch) -> dict[str, Any]:
    """Return the launch as a job that Upstart takes. Raise TaskError for what it cannot do.

    Nobody knows how often a daemon forks that goes into the background by itself, and Upstart has to be told. So its
    start is a task, as of an init script: it has ended when the daemon is in the background, which Upstart adopts.
    """
    if launch.notify:
        raise TaskError(
            "notify_await: Upstart does not wait for sd_notify; leave it out, or let the supervisor start the daemon "
            "(role foster.init.supervisor)."
        )
    options = {name: value for name, value in job_options(launch).items() if name not in ("expect", "start_timeout")}
    return {**options, "task": True} if launch.forking else options


def _prepare_output(launch: Launch) -> None:
    """Make the file that the output is appended to, for the user that writes it. A link is not followed."""
    if not launch.output:
        return
    path = launch.root.rstrip("/") + launch.output
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o644)
    except FileExistsError:
        return
    except OSError as error:
        raise TaskError(f"output: {path}: {error.strerror}.") from error
    try:
        if launch.user and os.geteuid() == 0:
            user = pwd.getpwuid(int(launch.user)) if launch.user.isdigit() else pwd.getpwnam(launch.user)
            os.fchown(descriptor, user.pw_uid, -1)
    finally:
        os.close(descriptor)
