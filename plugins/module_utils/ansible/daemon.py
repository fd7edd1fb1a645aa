# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a daemon to a state: look who runs, decide, and act, all under one lock, so that two tasks never start two."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Optional

from ..dbus.sockets import SYSTEM_SOCKET, user_socket
from ..inits.launch import Launch
from ..processes import escape, pidfile, record, termination
from ..processes.ancestry import chain
from ..processes.candidate import Candidate, Processes
from ..processes.find import Search, find, identity_of
from ..processes.identity import Identity, read_stat
from ..processes.matching import judge, same_command, topmost
from ..processes.pidfile import PidFile, PidFileError
from .daemon_options import Request
from .daemon_start import Choice, Runner, choose
from .difference import Difference
from .errors import TaskError

_LOCK_MARGIN = 60.0  # seconds that another task on the same daemon gets beyond the time of its start
_END_TIMEOUT = 30.0  # seconds that what is left of a daemon gets to end
_PIDFILE_TIMEOUT = 5.0  # seconds that a daemon gets to write its own pidfile once it is in the background


@dataclass(frozen=True)
class Seen:
    """Who runs. ``twin``: nobody is named by the pidfile, but this process runs the very command of the task."""

    search: Search
    file: Optional[PidFile]
    recorded: Optional[Identity]
    twin: Optional[Candidate] = None

    @property
    def running(self) -> bool:
        """Say whether the daemon runs."""
        return bool(self.search.found) or self.twin is not None


def plan(request: Request, seen: Seen) -> list[str]:
    """Return what has to be done, in order: stop, start, reload, write pidfile, remove pidfile. Pure."""
    runs, pid = seen.running, _main(seen)
    if request.state == "reloaded":
        return ["reload"] if seen.search.found else []
    if request.state == "stopped":
        steps = ["stop"] if seen.search.found else []
        gone = seen.file is not None and seen.file.exists
        return steps + (["remove pidfile"] if request.remove_pidfile and gone and seen.twin is None else [])
    if request.state == "restarted" or (runs and request.on_outdated == "restart" and seen.search.outdated):
        return (["stop"] if runs else []) + ["start"]
    if not runs:
        return ["start"]
    stale = seen.file is not None and seen.file.pid != pid
    return ["write pidfile"] if request.make_pidfile and stale else []


class Daemon:
    """One task on one daemon."""

    def __init__(
        self, request: Request, folder: Optional[str] = None, choose_runner: Callable[[str], Choice] = choose
    ) -> None:
        """``folder``: where it is recorded what was started, and the locks are."""
        self._request = request
        self._processes = Processes()
        base = os.path.dirname(user_socket(os.environ, os.geteuid()) if os.geteuid() else SYSTEM_SOCKET)
        self._folder = folder or os.path.join(base, "daemons")
        self._choose_runner = choose_runner
        self.difference = Difference()
        self.warnings: list[str] = []
        self._sent: list[str] = []
        self._started_by: Optional[Runner] = None

    def run(self) -> dict[str, Any]:
        """Do it, or in check mode say what would be done; return how the daemon is. Raise TaskError, InitError."""
        request = self._request
        try:
            if request.check:
                return self._converge()
            wait = _LOCK_MARGIN + (request.launch.timeout if request.launch else 0.0)
            with record.lock(self._folder, request.program_key, wait):
                return self._converge()
        except (record.Locked, termination.Refused, PidFileError) as error:
            raise TaskError(f"{error}.") from error

    def _converge(self) -> dict[str, Any]:
        request, seen = self._request, self._look()
        steps = plan(request, seen)
        if "stop" in steps and not seen.search.found and seen.twin is not None:
            raise TaskError(
                f"{request.label} runs as pid {seen.twin.pid}, but the pidfile {request.pidfile} does not name it, so "
                f"it is not ended on a guess: write {seen.twin.pid} into the pidfile, or give pid: {seen.twin.pid}."
            )
        self._tell(seen)
        choice = self._choose(seen) if "start" in steps else None
        for step in steps:
            self._note(step, seen)
            if not request.check:
                self._do(step, seen, choice)
        return self._now(seen if request.check else self._look(), bool(choice))

    # ---- looking ----

    def _look(self) -> Seen:
        request = self._request
        file = pidfile.read(request.pidfile, request.only_pidfile) if request.pidfile else None
        pattern = request.pattern
        if file is not None:
            pattern = pattern._replace(named=file.pid, vouched=file.owner, written=file.written)
        entry = record.read(self._folder, request.key) if pattern.pid is None else None
        recorded = entry.identity if entry else None
        search = find(pattern, self._processes, recorded)
        twin = self._twin() if file is not None and not search.found else None
        return Seen(search, file, recorded, twin)

    def _twin(self) -> Optional[Candidate]:
        """Return a process that runs the very command of this task, as its user, and is nobody else's.

        A pidfile may get lost while its daemon runs, or never have been written.
        """
        request = self._request
        if request.launch is None:
            return None
        uid = next((uid for uid in (request.runs_as, request.pattern.uid) if uid is not None), os.geteuid())
        # A daemon that was started with another pidfile is another daemon, whatever its command says.
        entries = record.all_of(self._folder).values()
        taken = {entry.identity for entry in entries if entry.pidfile not in ("", request.pidfile)}
        pattern = request.pattern._replace(by_pidfile=False, weak=False, uid=uid)
        same = [
            process
            for process in find(pattern, self._processes).processes
            if same_command(request.launch.command, process) and identity_of(process, self._processes) not in taken
        ]
        return next(iter(topmost(same)), None)

    def _tell(self, seen: Seen) -> None:
        """Warn of what is not as it should be, and does not keep the task from its end."""
        request = self._request
        file = seen.file
        if file is not None and file.problem and not seen.search.found:
            self.warnings.append(f"The pidfile {file.path} {file.problem}; it names nobody.")
        if seen.search.refused is not None:
            process, reason = seen.search.refused
            self.warnings.append(f"Process {process.pid} ({process.name}) is not the daemon: {reason}.")
        if seen.twin is not None:
            what = "so no second copy is started" if request.state == "started" else "and is left alone"
            self.warnings.append(
                f"{request.label} runs as pid {seen.twin.pid} although the pidfile {request.pidfile} does not name it, "
                f"{what}."
            )

    def _choose(self, seen: Seen) -> Choice:
        request = self._request
        if request.program is not None and request.program.file is None:
            raise TaskError(f"{request.label} cannot be started: there is no such program.")
        choice = self._choose_runner(request.use)
        if choice.runner is None:
            if not request.check:
                raise TaskError(choice.problem)
            self.warnings.append(f"{choice.problem} Check mode goes on as if an earlier task had done so.")
        return choice

    # ---- acting ----

    def _note(self, step: str, seen: Seen) -> None:
        request = self._request
        if "pidfile" in step:
            before = None if seen.file is None or not seen.file.exists else f"{seen.file.pid or seen.file.problem}\n"
            self.difference.note(
                f"{step} {request.pidfile}",
                str(request.pidfile),
                before,
                f"{_main(seen)}\n" if step.startswith("write") else None,
            )
            return
        was = "started\n" if seen.running else "stopped\n"
        became = {"stop": "stopped\n", "reload": "started (reloaded)\n"}.get(step, "started\n")
        if step == "start" and seen.running:
            was, became = "stopped\n", "started (replaced)\n"
        self.difference.note(f"{step} {request.label}", f"state of {request.label}", was, became)

    def _do(self, step: str, seen: Seen, choice: Optional[Choice]) -> None:
        request = self._request
        if step == "stop":
            self._stop(seen)
        elif step == "start" and choice is not None and choice.runner is not None:
            self._start(choice.runner)
        elif step == "reload":
            sent = termination.signal_all(topmost(seen.search.processes), self._processes.boot_id, request.number)
            self._sent += [f"{name} to {pid}" for name, pid in sent]
        elif step == "write pidfile":
            pidfile.write(str(request.pidfile), _main(seen) or 0)
        elif step == "remove pidfile":
            pidfile.remove(str(request.pidfile))

    def _stop(self, seen: Seen) -> None:
        request = self._request
        outcome = termination.carry_out(
            request.schedule, lambda: self._look().search.processes, self._processes.boot_id
        )
        self._sent += [f"{name} to {pid}" for name, pid in outcome.sent]
        if outcome.left:
            who = ", ".join(f"{process.pid} ({process.name})" for process in outcome.left)
            raise TaskError(f"{request.label} still runs after the whole schedule: {who}.", sent=self._sent)
        self._end_units({identity_of(process, self._processes) for process in seen.search.processes})
        if request.remove_pidfile and request.pidfile and request.state == "stopped":
            return  # the plan has a step of its own
        if request.make_pidfile and request.pidfile:
            pidfile.remove(request.pidfile)

    def _end_units(self, ended: set[Identity]) -> None:
        """Let who started these processes end what they have left, and forget them."""
        for key, entry in record.all_of(self._folder).items():
            if entry.identity in ended:
                runner = self._choose_runner(entry.init).runner
                if runner is not None:
                    runner.stop(entry.unit, _END_TIMEOUT)
                record.forget(self._folder, key)

    def _start(self, runner: Runner) -> None:
        request = self._request
        if request.launch is None:
            return
        unit = request.launch.unit
        runner.stop(unit, _END_TIMEOUT)  # what is left of an earlier one, whose main process has ended
        since = self._now_in_ticks()
        started = runner.start(request.launch)
        self._started_by = runner
        try:
            process = self._started(runner, request.launch, started.pid, since)
        except TaskError:
            runner.stop(unit, _END_TIMEOUT)
            raise
        entry = record.Entry(identity_of(process, self._processes), runner.name, unit, request.pidfile or "")
        record.write(self._folder, request.key, entry)
        if request.make_pidfile and request.pidfile:
            pidfile.write(request.pidfile, process.pid)

    def _started(self, runner: Runner, launch: Launch, first: int, since: int) -> Candidate:
        """Return the daemon that ``first`` has become; raise TaskError where it has ended, or hangs on the login."""
        request, pid = self._request, first
        if launch.forking:
            pid = self._settled(launch)
            if self._living(pid) is None:
                pid = runner.main_pid(launch.unit) or first
        if request.pidfile and not request.make_pidfile:
            pid = self._from_pidfile(pid, launch.unit, since) or pid
        process = self._living(pid)
        if process is None and launch.forking:
            process = self._appeared(since)
        if process is None:
            raise TaskError(f"{request.label} was started and has ended again; see what it wrote.")
        proof = self._proof(process.pid, runner)
        if not proof.escaped:
            raise TaskError(f"{request.label} is not left running: {proof.reason}.", escape=proof._asdict())
        return process

    def _appeared(self, since: int) -> Optional[Candidate]:
        """Return the daemon where its init cannot tell which process it is: what fits and began after ``since``."""
        pattern = self._request.pattern._replace(by_pidfile=False, weak=False)
        new = [process for process in find(pattern, self._processes).processes if process.start_time >= since]
        return next(iter(topmost(new)), None)

    def _living(self, pid: Optional[int]) -> Optional[Candidate]:
        process = self._processes.read(pid) if pid else None
        return None if process is None or process.ended else process

    def _now_in_ticks(self) -> int:
        """Return a start time that no process before now has a later one than: a child's, which ends at once."""
        child = os.fork()
        if child == 0:
            os._exit(0)
        stat = read_stat(child)
        os.waitpid(child, 0)
        return stat.start_time if stat else 0

    def _settled(self, launch: Launch) -> int:
        """Return the topmost process of the unit when that has stayed the same for a while, 0 when there is none."""
        last, since = 0, time.monotonic()
        deadline = since + launch.timeout
        while True:
            family = topmost(self._processes.in_cgroup(launch.unit))
            top = min(family, key=lambda each: (each.start_time, each.pid), default=None)
            now = time.monotonic()
            if last != (top.pid if top else 0):
                last, since = top.pid if top else 0, now
            if now - since > max(launch.stay_up, 0.1) or now > deadline:
                return last
            time.sleep(0.02)

    def _from_pidfile(self, main: int, unit: str, since: int) -> int:
        """Return the pid that the daemon writes within a few seconds, 0 for none, which is worth a warning.

        It is the main process, one that it has started, or one of its unit; or else the program of this task, started
        not before this task has started it (``since``, in clock ticks).
        """
        request = self._request
        deadline = time.monotonic() + _PIDFILE_TIMEOUT
        while True:
            file = pidfile.read(str(request.pidfile))
            process = self._living(file.pid)
            if process is not None:
                if unit in process.cgroup or main in {stat.pid for stat in chain(process.pid)}:
                    return process.pid
                pattern = request.pattern._replace(named=process.pid, weak=False)
                if process.start_time >= since and judge(pattern, process).matches:
                    return process.pid
            if time.monotonic() > deadline:
                self.warnings.append(
                    f"The pidfile {request.pidfile} does not name the daemon within {_PIDFILE_TIMEOUT:g} s of its "
                    "start; with make_pidfile: true this task writes it."
                )
                return 0
            time.sleep(0.02)

    def _proof(self, pid: int, runner: Runner) -> escape.Proof:
        return escape.proof(pid, supervisor=runner.pid, user=runner.user)

    # ---- telling ----

    def _now(self, seen: Seen, starts: bool) -> dict[str, Any]:
        request = self._request
        processes = seen.search.processes or ([seen.twin] if seen.twin else [])
        pid = _main(seen)
        main = next((process for process in processes if process.pid == pid), None)
        told: dict[str, Any] = {
            "running": bool(processes),
            "pid": pid,
            "pids": [process.pid for process in processes],
            "outdated": seen.search.outdated,
            "reason": seen.search.found[0][1].reason if seen.search.found else "",
            "identity": identity_of(main, self._processes)._asdict() if main else None,
            "pidfile": {"path": seen.file.path, "pid": seen.file.pid, "problem": seen.file.problem}
            if seen.file
            else None,
            "started_by": self._started_by.name if self._started_by else None,
            "unit": request.launch.unit if request.launch and self._started_by else None,
        }
        result: dict[str, Any] = {"daemon": told, "signals": self._sent}
        if pid is not None and request.state != "stopped":
            proof = escape.proof(
                pid, supervisor=self._started_by.pid if self._started_by else None, user=os.geteuid() != 0
            )
            result["escape"] = proof._asdict()
            if not proof.escaped and not starts:
                self.warnings.append(f"{request.label} (pid {pid}) runs, but may not outlive a logout: {proof.reason}.")
        return result


def _main(seen: Seen) -> Optional[int]:
    """Return the process that stands for the daemon: the one that was started, else the first of the topmost."""
    pids = [process.pid for process in seen.search.processes]
    if seen.recorded is not None and seen.recorded.pid in pids:
        return seen.recorded.pid
    top = topmost(seen.search.processes)
    return top[0].pid if top else seen.twin.pid if seen.twin else None
