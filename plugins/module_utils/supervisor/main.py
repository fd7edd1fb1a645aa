# SPDX-License-Identifier: GPL-3.0-or-later
# pylint: disable=ansible-bad-function  # a program of its own, with no module around it
"""fosterd: puts the supervisor together, runs it, and ends it or executes it anew."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import signal
import sys
import time
from typing import Any, Optional

from ..engine.engine import Engine
from ..engine.messages import Emit, StopAll
from . import linux, paths, session
from .control.listener import Listener, ListenError
from .control.server import Control
from .host import Host
from .jobfolder import JobFolder
from .kernel import LinuxKernel
from .ledger import Ledger
from .logs import Logs
from .loop import Loop
from .means import Means
from .options import USAGE, Options, UsageError
from .recovery import Recovery
from .spawn import SCRIPT_FD
from .tracking import proc
from .tracking.cgroup import Cgroups
from .tracking.family import Families

_LOCK_PATIENCE = 10.0  # seconds for the last children of a killed supervisor to execute their programs
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# PWD and the like say where the shell was that started us; jobs are not there.
_SESSION_LEFT_OUT = frozenset(("UPSTART_SESSION", "PWD", "OLDPWD", "SHLVL", "_"))
_USER_VARIABLES = (
    "HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG", "LANGUAGE", "TZ", "TERM", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME",
    "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME",
)  # fmt: skip  # not the login session's own: what is started from here outlives it


class StartError(Exception):
    """The supervisor cannot start: one sentence that says why and what to do."""


def main(argv: list[str]) -> int:
    """Run the supervisor; return the exit status."""
    try:
        options = Options(argv[1:])
        if "--help" in options.given:
            print(USAGE, end="")
            return 0
        if "--version" in options.given:
            print("init (upstart 1.13.2)\nfosterd of the collection foster.init")
            return 0
        return Supervisor(options).run()
    except UsageError as error:
        print(f"fosterd: {error}", file=sys.stderr)
        return 2
    except (StartError, ListenError) as error:
        print(f"fosterd: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"fosterd: cannot start: {error}", file=sys.stderr)
        return 1


class Supervisor:
    """One run of fosterd."""

    def __init__(self, options: Options) -> None:
        self.options = options
        given = options.given
        user = "--user" in given or ("--system" not in given and os.geteuid() != 0)
        self.session = "--session" in given or (user and bool(options.confdirs) and not options.rundir)
        self.user = user or self.session
        self.debug = bool(given & {"--debug", "--verbose"})
        self.paths = self._paths()
        self.hosted = "INVOCATION_ID" in os.environ and os.getpid() != 1
        self.state: dict[str, Any] = _inherited_state(options.state_fd)
        self.exit_status = 0
        self.ending = False
        self.lock = -1
        self.host: Host

    def _paths(self) -> paths.Paths:
        options = self.options
        found = paths.user(os.environ, os.geteuid()) if self.user else paths.system()
        if self.session:
            found = paths.Paths(
                found.jobs, os.path.join(os.path.dirname(found.run), "foster-sessions"), found.logs, None
            )
        if options.rundir:
            found = paths.with_run(found, os.path.abspath(options.rundir))
        if options.confdirs:
            found = found._replace(jobs=tuple(os.path.abspath(folder) for folder in options.confdirs))
        if options.logdir:
            found = found._replace(logs=os.path.abspath(options.logdir))
        return found

    # ---- beginning --------------------------------------------------------------------------------------------

    def run(self) -> int:
        """Run until the end; return the exit status."""
        null_fd = _own_descriptors(self._kept())
        self._folders()
        self._lock()
        if not self.user:
            os.chdir("/")
        os.umask(0o022)
        linux.name_process("fosterd")
        subreaper = os.getpid() == 1 or linux.become_subreaper()
        if not subreaper:
            self.warn("cannot become a subreaper: processes that leave their job are not followed")
        self.loop = Loop()
        # a lambda, because there is no host yet
        self.loop.on_signal(signal.SIGCHLD, lambda: self.host.reap())  # noqa: PLW0108  # pylint: disable=unnecessary-lambda
        ledger = Ledger(self._ledger_path())
        saved = ledger.load()
        boot = proc.boot_id()
        if saved.get("boot") != boot:
            if saved:
                ledger.remove()
            saved = {}
        self.refused: list[str] = []
        self.cgroups = self._find_cgroups(saved)
        kernel = LinuxKernel(self.cgroups, self.user, null_fd)
        self.logs = Logs(self.loop, self.paths.logs, None if self.session else self._pipes(), self.warn)
        self._listen()
        self._make_host(kernel, ledger, null_fd)
        ledger.put("boot", boot)
        ledger.put("cgroups", None if self.cgroups is None else [self.cgroups.root, self.cgroups.unified])
        self._begin(saved, null_fd)
        self._signals()
        if self.state.get("terminals"):
            self.logs.take_over(self.state["terminals"])
        self.host.reap()
        kernel.give_back_memory()
        _notify("READY=1")
        self.loop.run()
        return self.exit_status

    def _kept(self) -> set[int]:
        """Return the descriptors that the program before us has left for us."""
        kept = {fd for each in self.state.get("listeners", ()) for fd in (each[0], each[3]) if fd is not None}
        kept.update(fd for _key, fd in self.state.get("terminals", ()))
        if "lock" in self.state:
            kept.add(self.state["lock"])
        return kept

    def _folders(self) -> None:
        for folder, mode in ((self.paths.run, 0o755), (self.paths.logs, 0o755)):
            try:
                os.makedirs(folder, mode, exist_ok=True)
            except OSError as error:
                raise StartError(f"cannot make the folder {folder}: {error.strerror}") from None
        if os.stat(self.paths.run).st_uid != os.geteuid():
            raise StartError(f"the folder {self.paths.run} belongs to another user; remove it or choose --rundir")

    def _lock(self) -> None:
        """Be the only supervisor of the run folder.

        Children of a killed supervisor share its lock until they have executed their program; so whoever has the lock
        knows that
        every one of them can be told by its marker.
        """
        if self.session:
            return
        if "lock" in self.state:
            self.lock = self.state["lock"]
            os.set_inheritable(self.lock, False)
            return
        path = os.path.join(self.paths.run, "lock")
        self.lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        deadline = time.monotonic() + _LOCK_PATIENCE
        while True:
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EAGAIN):
                    raise
            holder = (os.pread(self.lock, 64, 0) or b"0").split()
            alive = int(holder[0]) if holder and holder[0].isdigit() else 0
            stat = proc.stat(alive) if alive else None
            if stat is not None and stat.state not in "ZX" and str(stat.start_time).encode() == holder[-1]:
                raise StartError(f"another supervisor (pid {alive}) runs with {self.paths.run}; stop it first")
            if time.monotonic() > deadline:
                raise StartError(
                    f"{path} is held by a process of an earlier supervisor that does not end; see fuser {path}"
                )
            time.sleep(0.002)
        os.ftruncate(self.lock, 0)
        os.pwrite(self.lock, f"{os.getpid()} {proc.start_time(os.getpid())}\n".encode(), 0)

    def _ledger_path(self) -> str:
        return os.path.join(self.paths.run, f"ledger-{os.getpid()}" if self.session else "ledger")

    def _pipes(self) -> str:
        folder = os.path.join(self.paths.run, "log")
        os.makedirs(folder, 0o700, exist_ok=True)
        return folder

    def _find_cgroups(self, saved: dict[str, Any]) -> Optional[Cgroups]:
        former = saved.get("cgroups")
        if former:
            again = Cgroups.again(*former)
            if again is not None:
                return again
        if saved.get("engine/environment") is None and any(key.startswith("process/") for key in saved) and not former:
            return None  # the jobs that run were started without
        if self.session:
            return None
        unique = "" if self.paths.run == paths.system().run else f"-{os.stat(self.paths.run).st_ino:x}"
        return Cgroups.find(f"foster{unique}", self.refused)

    def _listen(self) -> None:
        self.listeners: list[Listener] = []
        inherited = self.state.get("listeners")
        if inherited:
            self.listeners = [Listener.inherit(*each) for each in inherited]
        elif self.session:
            self.listeners.append(Listener.abstract(session.abstract_name(os.geteuid(), os.getpid())))
        elif self.paths.socket is not None:
            self.listeners.append(Listener.at_path(self.paths.socket, "--open" in self.options.given))

    def _make_host(self, kernel: LinuxKernel, ledger: Ledger, null_fd: int) -> None:
        address = self.listeners[0].address
        if self.session:
            marker = ("UPSTART_SESSION", address)
        else:
            marker = ("FOSTER_SUPERVISOR", self.paths.run)
        engine = Engine(self._environment(), (f"{marker[0]}={marker[1]}",), os.environ)
        families = Families(self.cgroups, marker, lambda: self.host.processes.known, ledger.put)
        families.refused = self.refused
        means = Means(engine, self.loop, kernel, ledger, self.logs, families, self.warn, null_fd, self.paths.run)
        self.host = Host(means, self.paths.run)
        self.host.marker = marker
        if self.debug:
            self.host.log_priority = "debug"
        self.host.addresses = [each.address for each in self.listeners]
        self.host.on_reexec = self._plan_reexec
        self.host.on_shutdown = self.shutdown
        self.controls = [
            Control(self.host, self.loop, listener, "--open" in self.options.given) for listener in self.listeners
        ]
        self.host.announce = [control.announce for control in self.controls]
        self.session_file = session.SessionFile(os.environ) if self.session else None
        if self.session_file is not None:
            self.session_file.write(address)

    def _environment(self) -> tuple[str, ...]:
        """Return the table that jobs' processes start from."""
        if self.session:
            first = [key for key in ("PATH", "TERM") if key in os.environ]  # as Upstart does
            kept = {key: os.environ[key] for key in (*first, *os.environ) if key not in _SESSION_LEFT_OUT}
            return tuple(f"{key}={value}" for key, value in kept.items())
        if self.user:
            kept = {key: value for key, value in os.environ.items() if key in _USER_VARIABLES or key.startswith("LC_")}
            kept.setdefault("PATH", _SYSTEM_PATH)
            return tuple(f"{key}={value}" for key, value in kept.items())
        container = {"PATH": os.environ["PATH"]} if os.getpid() == 1 and os.environ.get("PATH") else {}
        kept = {"PATH": _SYSTEM_PATH, "TERM": "linux", **container}
        if os.getpid() == 1:  # a container's own variables are meant for what runs in it
            kept = {**os.environ, **kept}
        return tuple(f"{key}={value}" for key, value in kept.items())

    def _begin(self, saved: dict[str, Any], null_fd: int) -> None:
        host = self.host
        with contextlib.suppress(OSError):
            os.unlink(self._keep_file())
        folder = host.folder = JobFolder(
            self.loop, list(self.paths.jobs), host.defined, host.gone, self.warn, host.vanishing, host.again
        )
        folder.watch()
        if any(key.startswith(("engine/", "process/")) for key in saved):
            jobs = folder.load()
            kept = Recovery(host, saved).run(jobs)
            self.logs.adopt([each.key for job in host.engine.jobs.values() for each in job.instances.values()])
            self.warn(f"went on with {kept} processes of an earlier supervisor")
            for control in self.controls:
                control.announce_restarted()
        else:
            folder.reload()
            self.logs.adopt([])
            if "--no-startup-event" not in self.options.given and self.options.startup_event:
                host.submit(Emit(None, self.options.startup_event, (), False))
        self.host.ledger.flush()

    def _keep_file(self) -> str:
        """Return the file by which an init's script says that SIGTERM is meant for the supervisor alone."""
        return os.path.join(self.paths.run, "keep")

    def _child_changed(self) -> None:
        self.host.reap()

    def _signals(self) -> None:
        self.loop.on_signal(signal.SIGTERM, self._terminated)
        self.loop.on_signal(signal.SIGINT, self._interrupted)
        self.loop.on_signal(signal.SIGHUP, self.host.reload)
        self.loop.on_signal(signal.SIGUSR2, self.reexec)
        if os.getpid() == 1:
            self.loop.on_signal(signal.SIGPWR, lambda: self.host.submit(Emit(None, "power-status-changed", (), False)))

    def warn(self, text: str) -> None:
        """Write one line to the supervisor's own log."""
        with contextlib.suppress(OSError):
            os.write(2, f"fosterd: {text}\n".encode(errors="replace"))

    # ---- ending -----------------------------------------------------------------------------------------------

    def _terminated(self) -> None:
        if not self.session and (self.hosted or os.path.exists(self._keep_file())):
            self._leave(keep=True)  # systemd restarts us; the jobs go on (KillMode=process)
        else:
            self.shutdown()

    def _interrupted(self) -> None:
        if os.getpid() == 1:
            self.host.submit(Emit(None, "control-alt-delete", (), False))
        else:
            self.shutdown()

    def shutdown(self) -> None:
        """Stop every job, then end; asked a second time, wait for nothing that an event has started."""
        event = ("session-end", ("TYPE=shutdown",)) if self.session and not self.ending else ("", ())
        self.ending = True
        self.host.submit(StopAll(0, event[0], event[1]), lambda _reply: self._leave(keep=False))

    def _leave(self, keep: bool) -> None:
        """End; ``keep``: the jobs go on, and the next supervisor takes them over."""
        host = self.host
        host.ledger.flush()
        for control in self.controls:
            control.close()
        self.logs.close(keep)
        if self.session_file is not None:
            self.session_file.remove()
        if not keep:
            host.ledger.remove()
            self._remove_run()
            if self.cgroups is not None:
                self.cgroups.close()
        _notify("STOPPING=1")
        self.loop.stop()

    def _remove_run(self) -> None:
        if not self.session:
            for name in ("log", "control.lock", "lock"):
                path = os.path.join(self.paths.run, name)
                with contextlib.suppress(OSError):
                    os.rmdir(path) if name == "log" else os.unlink(path)
        with contextlib.suppress(OSError):
            os.rmdir(self.paths.run)

    def _plan_reexec(self) -> None:
        self.loop.call_later(0.0, self.reexec)

    def reexec(self) -> None:
        """Execute the program anew in the same process: the jobs stay our children, connections end."""
        host = self.host
        host.pump()
        for control in self.controls:
            for peer in list(control.peers.values()):
                peer.close()
        keep: list[int] = []
        listeners = []
        for listener in self.listeners:
            fd = listener.socket.fileno()
            keep.append(fd)
            if listener.lock is not None:
                keep.append(listener.lock)
            listeners.append([fd, listener.address, listener.path, listener.lock])
        state: dict[str, Any] = {"listeners": listeners}
        if self.lock >= 0:
            keep.append(self.lock)
            state["lock"] = self.lock
        if self.session:
            state["terminals"] = self.logs.hand_over()
            keep.extend(fd for _key, fd in state["terminals"])
        else:
            self.logs.close(keep=True)
        state_fd = os.memfd_create("state", 0)
        os.write(state_fd, json.dumps(state).encode())
        os.lseek(state_fd, 0, os.SEEK_SET)
        for fd in keep:
            os.set_inheritable(fd, True)
        host.ledger.close()
        if self.cgroups is not None:
            self.cgroups.leave()
        arguments = [os.fsdecode(word) for word in proc.command_line(os.getpid()).split(b"\0")[:-1]]
        while "--state-fd" in arguments:
            at = arguments.index("--state-fd")
            del arguments[at : at + 2]
        host.kernel.restore_limits()
        _notify("RELOADING=1")
        os.execv(sys.executable, [*arguments, "--state-fd", str(state_fd)])


def _own_descriptors(kept: set[int]) -> int:
    """Close what the caller has left open, but not ``kept``; have 0, 1 and 2 open, and /dev/null at the number that
    scripts get.

    Returns that number.
    """
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in kept:
            try:
                os.close(int(name))
            except OSError:
                continue  # the one that listed the folder
    null = os.open("/dev/null", os.O_RDWR)
    while null < 3:
        null = os.open("/dev/null", os.O_RDWR)
    if null != SCRIPT_FD:
        os.dup2(null, SCRIPT_FD, inheritable=False)
        os.close(null)
    os.set_inheritable(SCRIPT_FD, False)
    return SCRIPT_FD


def _inherited_state(fd: int) -> dict[str, Any]:
    if fd < 0:
        return {}
    with open(fd, "rb") as file:
        found: dict[str, Any] = json.loads(file.read())
    return found


def _notify(state: str) -> None:
    """Tell systemd (sd_notify(3)), if it hosts us."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    import socket

    where = "\0" + address[1:] if address[0] == "@" else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
        sock.sendto(f"{state}\nMAINPID={os.getpid()}".encode(), where)
