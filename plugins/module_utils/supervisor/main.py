# SPDX-License-Identifier: GPL-3.0-or-later
# pylint: disable=ansible-bad-function  # a program of its own, with no module around it
"""fosterd: puts the supervisor together, runs it, and ends it or executes it anew."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import Any, Optional

from ..engine.engine import Engine
from ..engine.messages import Announce, Emit, StopAll
from . import command, container, environment, linux, lock, paths, reexec, session, settings, telling
from .console import Console
from .control.listener import Listener, ListenError
from .control.server import Control
from .errors import StartError
from .host import Host
from .jobfolder import JobFolder
from .kernel import LinuxKernel
from .ledger import Ledger
from .logs import Logs
from .loop import Loop
from .means import Means
from .options import USAGE, Options, UsageError
from .orders import MEANINGLESS, Orders
from .ownlog import OwnLog
from .recovery import Recovery
from .tracking.cgroup import Cgroups
from .tracking.family import Families


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
        self.in_container = container.is_first() or bool(options.command)
        self.debug = bool(given & {"--debug", "--verbose"})
        self.paths = self._paths()
        self.own_log = OwnLog(self.paths.logs)
        self.hosted = "INVOCATION_ID" in os.environ and os.getpid() != 1
        self.state: dict[str, Any] = reexec.inherited_state(options.state_fd)
        self.exit_status = 0
        self.ending = self.left = False
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
        if options.logdir and options.logdir != "-":
            found = found._replace(logs=os.path.abspath(options.logdir))
        return found

    # ---- beginning --------------------------------------------------------------------------------------------

    def run(self) -> int:
        """Run until the end; return the exit status."""
        folder = os.getcwd() if self.options.command else "/"
        null_fd = reexec.own_descriptors(reexec.kept_descriptors(self.state))
        self._folders()
        self._lock()
        if self.options.command:
            self._prepare_command(folder)
        if not self.user:
            os.chdir("/")
        os.umask(0o022)
        linux.name_process("fosterd")
        subreaper = os.getpid() == 1 or linux.become_subreaper()  # orphans go to process 1 anyway
        if not subreaper:
            self.warn("cannot become a subreaper: processes that leave their job are not followed")
        self.loop = Loop()
        self._signals()
        ledger = Ledger(self._ledger_path(), self.warn)
        saved = ledger.load()
        life = container.life()
        if saved.get("boot") != life:
            if saved:
                ledger.remove()
            saved = {}
        self.refused: list[str] = []
        self.cgroups = self._find_cgroups(saved)
        kernel = LinuxKernel(self.cgroups, self.user, null_fd)
        self.logs = Logs(self.loop, self.paths.logs, None if self.session else self._pipes(), self.warn)
        self._listen()
        self._make_host(kernel, ledger, null_fd)
        self.host.subreaper = subreaper
        ledger.put("boot", life)
        ledger.put("cgroups", None if self.cgroups is None else [self.cgroups.root, self.cgroups.unified])
        self._begin(saved)
        saved.clear()  # which would else be kept as long as the loop runs
        if self.state.get("terminals"):
            self.logs.take_over(self.state["terminals"])
        self.host.reap()
        kernel.give_back_memory()
        _notify("READY=1")
        self.loop.run()
        return self.exit_status

    def _folders(self) -> None:
        for folder, mode in ((self.paths.run, 0o755), (self.paths.logs, 0o755)):
            try:
                os.makedirs(folder, mode, exist_ok=True)
            except OSError as error:
                raise StartError(f"cannot make the folder {folder}: {error.strerror}") from None
        if os.stat(self.paths.run).st_uid != os.geteuid():
            raise StartError(f"the folder {self.paths.run} belongs to another user; remove it or choose --rundir")

    def _lock(self) -> None:
        """Be the only supervisor of the run folder."""
        if self.session:
            return
        if "lock" in self.state:
            self.lock = self.state["lock"]
            os.set_inheritable(self.lock, False)
        else:
            self.lock = lock.take(self.paths.run)

    def _prepare_command(self, folder: str) -> None:
        if not self.state:  # else the program before us has written it, in the folder that was meant
            event = self.options.startup_event
            command.write_job_file(self.paths.run, self.paths.jobs, event, self.options.command, folder)
        self.paths = self.paths._replace(jobs=(command.folder(self.paths.run), *self.paths.jobs))
        if container.is_first():
            container.leave_terminal()

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
        self._open = not self.session and self._readers() == "everyone"
        inherited = self.state.get("listeners")
        if inherited:
            self.listeners = [
                Listener.inherit(fd, address, path, lock, self._open) for fd, address, path, lock in inherited
            ]
        elif self.session:
            self.listeners.append(Listener.abstract(session.abstract_name(os.geteuid(), os.getpid())))
        elif self.paths.socket is not None:
            self.listeners.append(Listener.at_path(self.paths.socket, self._open))

    def _readers(self) -> Optional[str]:
        return self.options.readers or settings.read(self.paths.jobs[-1], self.warn).readers

    def _make_host(self, kernel: LinuxKernel, ledger: Ledger, null_fd: int) -> None:
        address = self.listeners[0].address
        if self.session:
            marker = ("UPSTART_SESSION", address)
        else:
            marker = ("FOSTER_SUPERVISOR", self.paths.run)
        engine = Engine(self._environment(), (f"{marker[0]}={marker[1]}",), os.environ)
        families = Families(
            self.cgroups, marker, lambda: self.host.processes.known, ledger.put, lambda: self.loop.turns
        )
        families.refused = self.refused
        console = Console(self.in_container, self.options.logdir != "-", command.NAME if self.options.command else None)
        means = Means(
            engine, self.loop, kernel, ledger, self.logs, families, self.warn, null_fd, self.paths.run, console
        )
        self.host = Host(means, self.paths.run)
        self.host.marker = marker
        if self.debug:
            self.host.log_priority = "debug"
        self.host.addresses = [each.address for each in self.listeners]
        self.host.on_reexec = self._plan_reexec
        self.host.on_shutdown = self.shutdown
        self.controls = [Control(self.host, self.loop, listener, self._open) for listener in self.listeners]
        self.host.announce = [control.announce for control in self.controls]
        if self.in_container or self.debug:
            self.host.announce.append(self._tell)
        if self.options.command:
            self.host.announce.append(self._watch_command)
        self.session_file = session.SessionFile(os.environ) if self.session else None
        if self.session_file is not None:
            self.session_file.write(address)

    def _environment(self) -> tuple[str, ...]:
        if self.session:
            return environment.of_session(os.environ)
        if self.in_container:
            return environment.of_container(os.environ)
        return environment.of_user(os.environ) if self.user else environment.of_system()

    def _begin(self, saved: dict[str, Any]) -> None:
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

    def _signals(self) -> None:
        """Note signals from now on; they are dealt with in the loop, when there is a host."""
        on_signal = self.loop.on_signal
        orders = Orders(self.warn, self._job_of_child, container.is_first())
        for number in MEANINGLESS:
            on_signal(number, orders.never(number))
        on_signal(signal.SIGCHLD, lambda _sender: self.host.reap())
        on_signal(signal.SIGHUP, lambda _sender: self.host.reload())
        on_signal(signal.SIGUSR2, lambda _sender: self.reexec())
        on_signal(signal.SIGTERM, orders.unless_from_a_job(signal.SIGTERM, self._terminated))
        on_signal(signal.SIGINT, orders.unless_from_a_job(signal.SIGINT, self.shutdown))
        if container.is_first():
            for end in container.ENDING:
                on_signal(end, lambda _sender: self.shutdown())
            on_signal(signal.SIGPWR, lambda _sender: self.host.submit(Emit(None, "power-status-changed", (), False)))

    def _job_of_child(self, pid: int) -> Optional[str]:
        return self.host.processes.job_of_child(pid)

    def warn(self, text: str) -> None:
        """Write one line to the supervisor's own log."""
        self.own_log.write(text)

    # ---- ending -----------------------------------------------------------------------------------------------

    def _terminated(self) -> None:
        if not self.session and (self.hosted or os.path.exists(self._keep_file())):
            self._leave(keep=True)  # systemd restarts us; the jobs go on (KillMode=process)
        else:
            self.shutdown()

    def shutdown(self) -> None:
        """Stop every job, then end. Asked a second time, wait for nothing that an event has started or holds.

        First comes the event `shutdown` (session mode: Upstart's `session-end`, while everything is being stopped), so
        that jobs that want to be stopped in an order, or to run once more, say so with it.
        """
        again, self.ending = self.ending, True
        if self.session and not again:
            self.host.submit(StopAll(0, "session-end", ("TYPE=shutdown",)), self._all_stopped)
        elif again:
            self._stop_all()
        else:
            self.host.submit(Emit(0, "shutdown", (), True), lambda _reply: self._stop_all())

    def _stop_all(self) -> None:
        self.host.submit(StopAll(0), self._all_stopped)

    def _all_stopped(self, _reply: object) -> None:
        if not self.left:
            self._leave(keep=False)

    def _watch_command(self, effect: Announce) -> None:
        """End when the command has ended, and with its exit status."""
        if effect.what == "StateChanged" and effect.key == (command.NAME, "") and effect.arguments == ("waiting",):
            past = self.host.past
            self.exit_status = command.exit_status(past.of(command.NAME), past.failures.get(command.NAME))
            if not self.ending:
                self.shutdown()

    def _tell(self, effect: Announce) -> None:
        line = telling.changed(effect)
        if line is not None:
            self.warn(line)

    def _leave(self, keep: bool) -> None:
        """End; ``keep``: the jobs go on, and the next supervisor takes them over."""
        self.left = True
        host = self.host
        host.ledger.flush()
        for control in self.controls:
            control.close()
        self.logs.close(keep)
        if self.session_file is not None:
            self.session_file.remove()
        if not keep:
            host.ledger.end()
            if self.options.command:
                with contextlib.suppress(OSError):
                    command.remove_job_file(self.paths.run)
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
        problem = reexec.problem()
        if problem is not None:
            raise StartError(problem)
        self.loop.call_later(0.0, self.reexec)

    def reexec(self) -> None:
        """Execute the program anew in the same process: the jobs stay our children, connections end."""
        problem = reexec.problem()
        if problem is not None:
            self.warn(f"goes on as it is, and is not executed anew: {problem}")
            return
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
        host.ledger.close()
        if self.cgroups is not None:
            self.cgroups.leave()
        host.kernel.restore_limits()
        _notify("RELOADING=1")
        reexec.execute_anew(state, keep)


def _notify(state: str) -> None:
    """Tell systemd (sd_notify(3)), if it hosts us."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    import socket

    where = "\0" + address[1:] if address[0] == "@" else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
        sock.sendto(f"{state}\nMAINPID={os.getpid()}".encode(), where)
