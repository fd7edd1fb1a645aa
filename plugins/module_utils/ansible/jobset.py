# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a whole set of jobs to what a task wants: one connection, one question, one load, and starts side by side."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Optional

from ..dbus.errors import BusError
from ..inits.errors import InitError
from ..inits.jobfolder import JobFolder
from ..job.errors import ExpandError, JobError
from ..job.names import is_name
from .converge import Convergence
from .converge import Request as JobRequest
from .difference import Difference
from .errors import NoSupervisor, TaskError
from .plan import Step
from .supervisor import Call, Supervisor

_MARK = "# foster.init.jobs: "
_WRONG = (TaskError, JobError, ExpandError, BusError, InitError, OSError)  # what concerns one job and not the others


@dataclass(frozen=True)
class Member:
    """One job of the set. ``instances``: the variables of each that is meant; empty for the one of ``job.env``."""

    job: JobRequest
    instances: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True)
class Request:
    """The set. ``owner``: whose it is, "" for nobody's; ``purge``: remove what the owner does not bring any more.

    ``at_once``: how many starts run side by side. ``go_on``: the failure of a job does not keep the others back.
    """

    members: tuple[Member, ...]
    folder: str
    owner: str = ""
    purge: bool = False
    at_once: int = 64
    go_on: bool = True
    stay_up: float = 0.5
    wait_timeout: float = 60.0
    check: bool = False
    user: bool = False


@dataclass
class Result:
    """What was done. ``failures``: name, msg and what else is known of it for each job that failed."""

    difference: Difference = field(default_factory=Difference)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass
class _Work:
    """What has to be done for one job, or one instance of it."""

    name: str
    convergence: Convergence
    steps: list[Step]
    absent: bool


class JobSet:
    """One task on a set of jobs. ``connect`` raises NoSupervisor."""

    def __init__(self, request: Request, connect: Callable[[], Supervisor]) -> None:
        self._request = request
        self._connect = connect
        self._supervisor: Optional[Supervisor] = None
        self._failed: set[str] = set()
        self.result = Result()

    def run(self) -> Result:
        """Do it, or in check mode say what would be done. Raises TaskError where nothing can be done at all."""
        request, result = self._request, self.result
        members = [*request.members, *self._superfluous()]
        self._connected(members)
        before = self._supervisor.describe() if self._supervisor else None
        work = [each for member in members for each in self._look(member, before)]
        for each in work:
            for step in each.steps:
                each.convergence.note(step)
            result.warnings += [w for w in each.convergence.warnings if w not in result.warnings]
            if each.convergence.difference.changed:
                result.difference.extend(each.convergence.difference)
                into = result.removed if each.absent else result.changed
                into += [each.name] if each.name not in into else []
        if result.failures and not request.go_on:  # nothing is done at all
            self.result = Result(failures=result.failures, warnings=result.warnings)
            return self.result
        if request.check or not any(each.steps for each in work):
            return result
        self._act(work)
        self._judge(work, before or {})
        return result

    # ---- looking ----

    def _connected(self, members: Sequence[Member]) -> None:
        try:
            self._supervisor = self._connect()
        except NoSupervisor:
            if not self._request.check and any(m.job.state not in ("present", "absent") for m in members):
                raise

    def _superfluous(self) -> Iterable[Member]:
        """Return what the owner has brought earlier and does not bring now, to be removed."""
        request = self._request
        if not request.purge:
            return
        wanted = {member.job.name for member in request.members}
        for name in _jobs_in(request.folder):
            if name not in wanted and self._owner_of(name) == request.owner:
                yield Member(JobRequest(name, request.folder, "absent", check=request.check, user=request.user))

    def _owner_of(self, name: str) -> Optional[str]:
        try:
            text = JobFolder(self._request.folder).read(name).text
        except InitError:
            return None  # whatever it is, it is not ours
        first = (text or "").partition("\n")[0]
        return first[len(_MARK) :] if first.startswith(_MARK) else None

    def _look(self, member: Member, descriptions: Optional[Mapping[str, dict[str, Any]]]) -> list[_Work]:
        """Return the work on one job; a step that two instances have in common is in it once."""
        name = member.job.name
        found: list[_Work] = []
        known: set[Step] = set()
        try:
            job = self._owned(member.job)
            for env in member.instances or (job.env,):
                convergence = Convergence(replace(job, env=env), self._shared)
                steps = [step for step in convergence.look(descriptions) if step not in known]
                known.update(steps)
                found.append(_Work(name, convergence, steps, job.state == "absent"))
        except _WRONG as error:
            self._fail(name, error)
            return []
        return found

    def _shared(self) -> Supervisor:
        return self._supervisor if self._supervisor is not None else self._connect()

    def _owned(self, job: JobRequest) -> JobRequest:
        """Return the request with the owner's mark on top of its text. Raise TaskError for somebody else's job."""
        owner = self._request.owner
        if job.text is None or not owner:
            return job
        other = self._owner_of(job.name)
        if other is not None and other != owner:
            raise TaskError(
                f"{job.name}: belongs to {other}; give this job another name, or let {other} no longer bring it first."
            )
        return replace(job, text=f"{_MARK}{owner}\n{job.text}")

    # ---- acting ----

    def _act(self, work: Sequence[_Work]) -> None:
        """Stop what goes, write, load once, stop what makes room for another definition, and start."""
        self._call([(each, s) for each in work if each.absent for s in each.steps if s.verb == "stop"])
        load = False
        for each in work:
            for step in each.steps:
                load = load or step.verb == "load"
                if (step.path or step.verb in ("enable", "disable")) and each.name not in self._failed:
                    self._do(each, step)
        if load and self._supervisor is not None:
            self._supervisor.load()
        self._call([(each, s) for each in work if not each.absent for s in each.steps if s.verb == "stop"])
        self._call(
            [(each, s) for each in work for s in each.steps if s.verb in ("start", "restart", "reload")], starts=True
        )

    def _do(self, each: _Work, step: Step) -> None:
        try:
            each.convergence.do(step)
        except _WRONG as error:
            self._fail(each.name, error)

    def _call(self, steps: Sequence[tuple[_Work, Step]], starts: bool = False) -> None:
        """Ask for these steps, so many at once; without ``go_on`` no more after those that a failure was among."""
        request, supervisor = self._request, self._supervisor
        if supervisor is None:
            return
        for begin in range(0, len(steps), request.at_once):
            if self._failed and not request.go_on:
                return
            some = [(w, s) for w, s in steps[begin : begin + request.at_once] if w.name not in self._failed]
            calls = [Call(s.verb, w.name, s.instance or "", w.convergence.environment(s)) for w, s in some]
            for (each, step), error in zip(some, supervisor.at_once(calls, request.wait_timeout)):
                if error is None:
                    continue
                try:
                    if not starts:
                        raise error
                    each.convergence.not_started(step, supervisor, error)
                except _WRONG as wrong:
                    self._fail(each.name, wrong)

    # ---- telling ----

    def _judge(self, work: Sequence[_Work], before: Mapping[str, dict[str, Any]]) -> None:
        """Look at what was started: it has to stay up, and not to hang on the login session."""
        supervisor = self._supervisor
        started = [
            each
            for each in work
            if each.name not in self._failed and any(step.verb in ("start", "restart") for step in each.steps)
        ]
        if supervisor is None or not started:
            return
        if any(each.convergence.says_nothing for each in started) and self._request.stay_up > 0:
            time.sleep(self._request.stay_up)
        now = supervisor.describe()
        for each in started:
            try:
                job = each.convergence.job
                if job is not None and not job.task:
                    self._stayed(each, before.get(each.name), now.get(each.name))
                each.convergence.outcome(now)
            except _WRONG as error:
                self._fail(each.name, error)

    def _stayed(self, each: _Work, before: Optional[Mapping[str, Any]], now: Optional[Mapping[str, Any]]) -> None:
        failure = (now or {}).get("last_failure")
        if failure and failure != (before or {}).get("last_failure"):
            raise each.convergence.died(failure)

    def _fail(self, name: str, error: Exception) -> None:
        if name in self._failed:
            return
        self._failed.add(name)
        details = error.details if isinstance(error, TaskError) else {}
        message = error.message if isinstance(error, BusError) else str(error)
        message = message if message.startswith(f"{name}:") else f"{name}: {message}"
        self.result.failures.append({**details, "name": name, "msg": message})


def _jobs_in(folder: str) -> list[str]:
    """Return the names of the jobs in the folder and below."""
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        below = os.path.relpath(place, folder)
        for file in files:
            if file.endswith(".conf") and not file.startswith("."):
                name = file[: -len(".conf")] if below == "." else f"{below}/{file[: -len('.conf')]}"
                found += [name] if is_name(name) else []
    return sorted(found)
