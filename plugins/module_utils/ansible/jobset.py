# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a whole set of jobs to what a task wants: one connection, one question, one load, and starts side by side."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Optional

from ..dbus.errors import BusError
from ..inits.errors import InitError
from ..inits.interface import Call, Definitions, JobInit, instances
from ..inits.jobfolder import JobFolder
from ..job.errors import ExpandError, JobError
from .converge import Convergence
from .converge import Request as JobRequest
from .difference import Difference
from .errors import NoSupervisor, TaskError
from .plan import Step
from .proofs import Proofs

_MARK = "# foster.init.jobs: "
_TICKS = os.sysconf("SC_CLK_TCK")  # of a start time in /proc/PID/stat, for a second
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
    """One task on a set of jobs. ``connect`` raises NoSupervisor; ``difference``: what was changed already."""

    def __init__(
        self, request: Request, connect: Callable[[], JobInit], difference: Optional[Difference] = None
    ) -> None:
        self._request = request
        self._connect = connect
        self._init: Optional[JobInit] = None
        self._definitions: Definitions = JobFolder(request.folder)
        self._proofs = Proofs(request.user)
        self._failed: set[str] = set()
        self._asked: list[tuple[_Work, Step]] = []
        self.result = Result(Difference() if difference is None else difference)

    def run(self) -> Result:
        """Do it, or in check mode say what would be done. Raises TaskError where nothing can be done at all."""
        request, result = self._request, self.result
        self._connected()
        members = [*request.members, *self._superfluous()]
        before = self._init.describe(*(member.job.name for member in members)) if self._init else None
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
        self._judge(before or {})
        return result

    # ---- looking ----

    def _connected(self) -> None:
        try:
            self._init = self._connect()
            self._definitions = self._init.definitions
        except NoSupervisor:
            states = {member.job.state for member in self._request.members}
            if not self._request.check and states - {"present", "absent"}:
                raise

    def _superfluous(self) -> Iterable[Member]:
        """Return what the owner has brought earlier and does not bring now, to be removed."""
        request = self._request
        if not request.purge:
            return
        wanted = {member.job.name for member in request.members}
        for name in self._definitions.names():
            if name not in wanted and self._owner_of(name) == request.owner:
                yield Member(JobRequest(name, request.folder, "absent", check=request.check, user=request.user))

    def _owner_of(self, name: str) -> Optional[str]:
        try:
            text = self._definitions.read(name).text
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
                convergence = Convergence(replace(job, env=env), self._shared, proofs=self._proofs)
                steps = [step for step in convergence.look(descriptions) if step not in known]
                known.update(steps)
                found.append(_Work(name, convergence, steps, job.state == "absent"))
        except _WRONG as error:
            self._fail(name, error)
            return []
        return found

    def _shared(self) -> JobInit:
        return self._init if self._init is not None else self._connect()

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
        self._enable(work, "disable")  # while the definitions are there that say how
        for each, step in self._steps(work):
            if step.path:
                self._do(each, step)
        if self._init is not None and any(step.verb == "load" for _each, step in self._steps(work)):
            self._load(self._init, work)
        self._enable(work, "enable")
        self._call([(each, s) for each in work if not each.absent for s in each.steps if s.verb == "stop"])
        self._call(
            [(each, s) for each in work for s in each.steps if s.verb in ("start", "restart", "reload")], starts=True
        )

    def _steps(self, work: Sequence[_Work]) -> Iterator[tuple[_Work, Step]]:
        """Yield the steps of what has not failed so far."""
        for each in work:
            for step in each.steps:
                if each.name not in self._failed:
                    yield each, step

    def _load(self, init: JobInit, work: Sequence[_Work]) -> None:
        """Let the init take in what was written; where it refuses, nothing of it is started."""
        try:
            init.load()
        except _WRONG as error:
            for each, step in self._steps(work):
                if step.verb == "load":
                    self._fail(each.name, error)

    def _enable(self, work: Sequence[_Work], verb: str) -> None:
        names = list(dict.fromkeys(each.name for each, step in self._steps(work) if step.verb == verb))
        if self._init is not None and names:
            self._init.enable(names, verb == "enable")

    def _do(self, each: _Work, step: Step) -> None:
        try:
            each.convergence.do(step)
        except _WRONG as error:
            self._fail(each.name, error)

    def _call(self, steps: Sequence[tuple[_Work, Step]], starts: bool = False) -> None:
        """Ask for these steps, so many at once; without ``go_on`` no more after those that a failure was among."""
        request, init = self._request, self._init
        if init is None:
            return
        for begin in range(0, len(steps), request.at_once):
            if self._failed and not request.go_on:
                return
            some = [(w, s) for w, s in steps[begin : begin + request.at_once] if w.name not in self._failed]
            self._asked += some
            calls = [Call(s.verb, w.name, s.instance or "", w.convergence.environment(s)) for w, s in some]
            for (each, step), error in zip(some, init.at_once(calls, request.wait_timeout)):
                if error is None:
                    continue
                try:
                    if not starts or not isinstance(error, BusError):
                        raise error
                    each.convergence.not_started(step, init, error)
                except _WRONG as wrong:
                    self._fail(each.name, wrong)

    # ---- telling ----

    def _judge(self, before: Mapping[str, dict[str, Any]]) -> None:
        """Look at what was started: it has to stay up, and not to hang on the login session."""
        init = self._init
        started = [
            (each, step)
            for each, step in self._asked
            if step.verb in ("start", "restart") and each.name not in self._failed
        ]
        if init is None or not started:
            return
        since = None
        if any(each.convergence.says_nothing for each, _step in started) and self._request.stay_up > 0:
            since = time.clock_gettime(time.CLOCK_BOOTTIME)
            time.sleep(self._request.stay_up)
        now = init.describe(*dict.fromkeys(each.name for each, _step in started))
        for each, step in started:
            try:
                job = each.convergence.job
                if job is not None and not job.task:
                    failure = (now.get(each.name) or {}).get("last_failure")
                    if failure and failure != (before.get(each.name) or {}).get("last_failure"):
                        raise each.convergence.died(failure)
                    if since is not None and each.convergence.says_nothing:
                        self._stayed(init, each, step, now, since)
                each.convergence.outcome(now)
            except _WRONG as error:
                self._fail(each.name, error)

    def _stayed(self, init: JobInit, each: _Work, step: Step, now: Mapping[str, Any], since: float) -> None:
        """Raise TaskError where the main process of the instance is younger than ``since``, or is not there."""
        instance = instances(now.get(each.name)).get(step.instance or "")
        if _older(instance, since):
            return
        job = each.convergence.job
        if job is not None and job.stop_on and (instance is None or instance["goal"] == "stop"):
            return  # another job of the set may have stopped it, and that is no failure
        end = init.last_end(each.name, step.instance or "") or {"process": "main"}
        raise each.convergence.died(end, step)

    def _fail(self, name: str, error: Exception) -> None:
        if name in self._failed:
            return
        self._failed.add(name)
        details = error.details if isinstance(error, TaskError) else {}
        message = error.message if isinstance(error, BusError) else str(error)
        message = message if message.startswith(f"{name}:") else f"{name}: {message}"
        self.result.failures.append({**details, "name": name, "msg": message})


def _older(instance: Optional[Mapping[str, Any]], since: float) -> bool:
    """Say whether the instance has a main process that was there at the time ``since`` (seconds, CLOCK_BOOTTIME)."""
    main = next((each for each in (instance or {}).get("processes", ()) if each["kind"] == "main"), None)
    return main is not None and bool(main["start_time"] <= since * _TICKS)
