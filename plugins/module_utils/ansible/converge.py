# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring one job to what a task wants: look, plan, and carry the plan out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from ..dbus.errors import BusError
from ..inits import jobfile
from ..inits.interface import Definition, JobInit, instances
from ..inits.jobfolder import JobFolder
from ..job.errors import JobError, UnknownParameter
from ..job.expand import expand
from ..job.model import Job
from ..job.names import check_name
from ..job.parser import parse_job
from .difference import Difference
from .errors import NoSupervisor, TaskError
from .failure import how, last_lines
from .plan import Seen, SeenInstance, Step, Wanted, plan
from .proofs import Proofs

STATES_WITHOUT_SUPERVISOR = ("present", "absent")


@dataclass(frozen=True)
class Request:
    """What the task says. ``text``, ``override``, ``enabled`` None: leave as it is. Times are seconds.

    ``folder``: where the jobs are defined while no supervisor runs. ``elsewhere``: where another init has the job, ""
    for nowhere.
    """

    name: str
    folder: str
    state: str
    text: Optional[str] = None
    override: Optional[str] = None
    enabled: Optional[bool] = None
    env: Optional[Mapping[str, str]] = None
    on_change: str = "restart"
    wait_timeout: float = 60.0
    stay_up: float = 0.5
    check: bool = False
    user: bool = False
    elsewhere: str = ""


@dataclass
class Outcome:
    """What was done and how the job is now."""

    difference: Difference
    job: dict[str, Any]
    escape: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Convergence:
    """One task on one job. ``connect`` raises NoSupervisor; it is called once."""

    def __init__(
        self,
        request: Request,
        connect: Callable[[], JobInit],
        difference: Optional[Difference] = None,
        proofs: Optional[Proofs] = None,
    ) -> None:
        check_name(request.name)
        self._request = request
        self._proofs = Proofs(request.user) if proofs is None else proofs
        self.difference = Difference() if difference is None else difference
        self.warnings: list[str] = []
        self._connect = connect

    def run(self) -> Outcome:
        """Do it, or in check mode say what would be done. Raise TaskError, JobError, InitError or BusError."""
        for step in self.look():
            self.note(step)
            if not self._request.check:
                self.do(step)
        return self.outcome()

    def look(self, descriptions: Optional[Mapping[str, dict[str, Any]]] = None) -> list[Step]:
        """Return what has to be done, in order; ``descriptions`` are what the init has said of its jobs already.

        Raise what ``run`` does. After it come ``note`` and ``do`` of the steps, then ``outcome``.
        """
        request = self._request
        if request.elsewhere and request.state not in ("absent", "stopped"):
            raise TaskError(
                f"{request.name}: another init has this job as {request.elsewhere}, and two would run it twice; "
                "remove it there first (the same `use` as then, and state: absent)."
            )
        init = self._init = self._connected()
        definitions = self._definitions = init.definitions if init else JobFolder(request.folder)
        self._path, self._override_path = definitions.paths(request.name)
        current = definitions.read(request.name)
        definition = self._wanted(current)
        if init is not None and descriptions is None:
            descriptions = init.describe(request.name)
        known = (descriptions or {}).get(request.name)
        job = self.job = self._parsed(definition)
        if job is None and known is None and request.state != "absent":
            self._missing()
        before = job if definition == current else self._parsed_or_none(current)
        files: dict[str, Optional[str]] = {}
        if request.state == "absent" or definition != current or request.text is not None:
            files = definitions.files(request.name, definition, job)
        self._aim = Wanted(
            request.state,
            files,
            self._instance_name(job),
            request.on_change,
            enabled=bool(job.start_on) if job is not None and files else None,
        )
        self._seen = Seen(
            {path: jobfile.read(path) for path in files},
            loaded=known is not None and not known.get("unread"),
            redefined=request.state != "absent" and current.text is not None and job is not None and job != before,
            instances=_seen_instances(known),
            enabled=self._enabled(init, job, before),
            renamed=job is not None and before is not None and job.instance != before.instance,
        )
        steps = plan(self._aim, self._seen)
        if init and any(step.verb in ("start", "restart") for step in steps):
            self._check_escaped(init)
        self._others = self._environments(init, steps, self._aim)
        self._replaced = {step.instance for step in steps if step.verb == "stop"} & {
            step.instance for step in steps if step.verb == "start"
        }
        return steps

    # ---- looking ----

    def _connected(self) -> Optional[JobInit]:
        request = self._request
        try:
            return self._connect()
        except NoSupervisor as error:
            if request.state in STATES_WITHOUT_SUPERVISOR:
                return None
            if not request.check:
                raise
            self.warnings.append(f"{error} Check mode goes on as if no job was running.")
            return None

    def _enabled(self, init: Optional[JobInit], job: Optional[Job], before: Optional[Job]) -> Optional[bool]:
        """Return whether the job comes up with the host; what is there for another ``start on`` does not count."""
        found = init.enabled(self._request.name) if init else None
        if found and job is not None and job.start_on and before is not None and before.start_on != job.start_on:
            return False
        return found

    def _missing(self) -> None:
        request = self._request
        sentence = (
            f"{request.name}: there is no such job in {request.folder}; give definition, content or src to define it."
        )
        if not request.check:
            raise TaskError(sentence)
        self.warnings.append(f"{sentence} Check mode goes on as if an earlier task had defined it.")

    def _wanted(self, current: Definition) -> Definition:
        """Return what is to be written down: what the task gives, and for the rest what is there."""
        request = self._request
        if request.state == "absent":
            return Definition(None, None)
        text = request.text if request.text is not None else current.text
        override = current.override if request.override is None else request.override or None
        if request.enabled is None:
            return Definition(text, override)
        lines = [line for line in (override or "").splitlines() if line.split("#")[0].strip() != "manual"]
        if not request.enabled:
            lines.append("manual")
        kept = "\n".join(lines).strip("\n")
        wanted = f"{kept}\n" if kept.strip() else None
        untouched = request.override is None and (wanted or "").strip() == (override or "").strip()
        return Definition(text, override if untouched else wanted)

    def _parsed(self, definition: Definition) -> Optional[Job]:
        if definition.text is None:
            return None
        return parse_job(
            definition.text,
            self._request.name,
            self._path,
            override=definition.override or None,
            override_path=self._override_path,
        )

    def _parsed_or_none(self, definition: Definition) -> Optional[Job]:
        try:
            return self._parsed(definition)
        except JobError:
            return None

    def _instance_name(self, job: Optional[Job]) -> Optional[str]:
        """Return the instance that ``env`` selects, None for all of them."""
        request = self._request
        if job is None or not job.instance:
            return ""
        if request.env is None and request.state not in ("started",):
            return None
        env = {"JOB": job.name}
        env.update(each.partition("=")[::2] for each in job.env if "=" in each)
        env.update(request.env or {})
        try:
            return expand(job.instance, env)
        except UnknownParameter as error:
            if request.state in ("present", "absent"):
                return None
            raise TaskError(
                f"{request.name}: env lacks {error.name}, which the job's stanza instance {job.instance} needs to tell "
                "its instances apart."
            ) from error

    def _check_escaped(self, init: JobInit) -> None:
        """Refuse to start under a supervisor that hangs on a login session itself."""
        request = self._request
        pid = init.pid
        proof = self._proofs.starter(pid)
        if not proof.escaped:
            raise TaskError(
                f"{request.name}: is not started, because the supervisor (pid {pid}) runs under a login session: "
                f"{proof.reason}. Let the module foster.init.supervisor start it.",
                escape=proof._asdict(),
            )

    def _environments(self, init: Optional[JobInit], steps: list[Step], wanted: Wanted) -> dict[str, Mapping[str, str]]:
        """Return the variables of the instances that are stopped and started again, as they were started with."""
        stopped = {step.instance for step in steps if step.verb == "stop"}
        again = [str(s.instance) for s in steps if s.verb == "start" and s.instance in stopped and s.instance]
        if init is None or self._request.check:
            return {}
        return {name: init.environment(self._request.name, name) for name in again if name != wanted.instance}

    # ---- acting ----

    def note(self, step: Step) -> None:
        """Take the step down in the difference."""
        wanted, seen, replaced = self._aim, self._seen, self._replaced
        name = self._request.name
        if step.path:
            self.difference.note(
                f"{step.verb} {step.path}", step.path, seen.files.get(step.path), wanted.files[step.path]
            )
            return
        if step.verb in ("enable", "disable"):
            at_boot = ("not at boot\n", "at boot\n")
            self.difference.note(
                f"{step.verb} {name}",
                f"start of {name}",
                at_boot[step.verb == "disable"],
                at_boot[step.verb == "enable"],
            )
        if step.instance is None:
            return
        what = f"{name} ({step.instance})" if step.instance else name
        current = seen.instances.get(step.instance)
        before = f"{current.goal}/{current.state}\n" if current else "stop/waiting\n"
        if step.instance in replaced:
            after = "start/running (replaced)\n" if step.verb == "start" else before
        else:
            after = {"stop": "stop/waiting\n"}.get(step.verb, "start/running\n")
        if step.verb in ("restart", "reload"):
            after = f"{after[:-1]} ({step.verb}ed)\n"
        self.difference.note(f"{step.verb} {what}", f"state of {what}", before, after)

    def do(self, step: Step) -> None:
        """Carry the step out. Raise what ``run`` does."""
        request, init = self._request, self._init
        if step.path:
            self._definitions.write(request.name, step.path, self._aim.files[step.path])
        elif init is None:
            return
        elif step.verb == "load":
            init.load()
        elif step.verb in ("enable", "disable"):
            init.enable([request.name], step.verb == "enable")
        elif step.verb == "reload":
            init.reload_instance(request.name, step.instance or "")
        elif step.verb == "stop":
            init.stop_instance(request.name, step.instance or "", request.wait_timeout)
        else:
            self._start(step, init)
            if self.says_nothing and request.stay_up > 0:
                self._watch(step, init)

    @property
    def says_nothing(self) -> bool:
        """Say whether the main process says in no way that it is ready: then it has to stay up for a while."""
        job = self.job
        return job is not None and not job.task and job.expect.kind == "none" and job.exec_main is not None

    def environment(self, step: Step) -> Mapping[str, str]:
        """Return the variables that the instance of a start is started with."""
        return self._others.get(step.instance or "", self._request.env or {})

    def _start(self, step: Step, init: JobInit) -> None:
        request = self._request
        try:
            act = init.restart if step.verb == "restart" else init.start
            act(request.name, step.instance or "", self.environment(step), request.wait_timeout)
        except BusError as error:
            self.not_started(step, init, error)

    def not_started(self, step: Step, init: JobInit, error: BusError) -> None:
        """Raise what a start has failed with; somebody else's start at the same time is as good."""
        if error.short == "AlreadyStarted":
            found = init.settle(self._request.name, step.instance or "", self._request.wait_timeout)
            if found is not None and found["goal"] == "start" and found["state"] == "running":
                return
        raise self._failed(step, init, error) from error

    def _watch(self, step: Step, init: JobInit) -> None:
        """Fail when the main process, which says in no way that it is ready, ends right after its start."""
        request = self._request
        if init.stays(request.name, step.instance or "", request.stay_up):
            return
        failure = (init.describe(request.name).get(request.name) or {}).get("last_failure")
        raise self.died(failure or init.last_end(request.name, step.instance or "") or {"process": "main"}, step)

    def died(self, failure: Mapping[str, Any], step: Optional[Step] = None) -> TaskError:
        """Return the error for a process that ended right after its start."""
        request = self._request
        what = f"{request.name} ({step.instance})" if step and step.instance else request.name
        return TaskError(
            f"{what}: was started, but within {request.stay_up:g} s {how(failure)}.{last_lines(failure)} If it is "
            "meant to end, make the job a task, or set stay_up: 0.",
            failure=failure,
        )

    def _failed(self, step: Step, init: JobInit, error: BusError) -> TaskError:
        """Return the error that says which process failed, how, and what it wrote last."""
        name = self._request.name
        what = f"{name} ({step.instance})" if step.instance else name
        if error.short in ("Timeout", "TimedOut", "NoReply") and "within" in error.message:
            found = instances(init.describe(name).get(name)).get(step.instance or "")
            state = f"{found['goal']}/{found['state']}" if found else "gone"
            return TaskError(
                f"{what}: is not running after {self._request.wait_timeout:g} s (it is {state}); raise wait_timeout, "
                f"or see `{init.look(name)}` for what it waits for.",
                failure={"process": "", "log_tail": []},
            )
        failure = (init.describe(name).get(name) or {}).get("last_failure")
        if not failure:
            return TaskError(f"{what}: cannot be {step.verb}ed: {error.message.rstrip('.')}.", error=error.name)
        return TaskError(f"{what}: {how(failure)}.{last_lines(failure)}", failure=failure, error=error.name)

    # ---- telling ----

    def outcome(self, descriptions: Optional[Mapping[str, dict[str, Any]]] = None) -> Outcome:
        """Return what was done and how the job is now, by the ``descriptions`` or else by a question."""
        request, wanted, init, job = self._request, self._aim, self._init, self.job
        if init is not None and descriptions is None:
            descriptions = init.describe(request.name)
        known = (descriptions or {}).get(request.name)
        found = instances(known)
        described: dict[str, Any] = {
            "name": request.name,
            "path": self._path if known is None else known.get("path", self._path),
            "defined": job is not None or known is not None,
            "enabled": bool(job and job.start_on),
            "instances": list(found.values()),
        }
        proofs = []
        running = [each for each in found.values() if wanted.instance in (None, each["name"])]
        if init is not None and request.state in ("started", "restarted", "reloaded"):
            found_proofs = (self._proofs.instance(each, init.pid) for each in running)
            proofs = [proof for proof in found_proofs if proof is not None]
        bad = next((proof for proof in proofs if not proof["escaped"]), None)
        if bad and not request.check:
            raise TaskError(
                f"{request.name}: runs as pid {bad['pid']}, but not apart from the login session: {bad['reason']}.",
                job=described,
                escape=bad,
            )
        return Outcome(self.difference, described, proofs, self.warnings)


def _seen_instances(known: Optional[dict[str, Any]]) -> dict[str, SeenInstance]:
    digest = (known or {}).get("digest")
    return {
        name: SeenInstance(each["goal"], each["state"], stale=bool(digest and each.get("digest", digest) != digest))
        for name, each in instances(known).items()
    }
