# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring one job to what a task wants: look, plan, and carry the plan out."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from ..dbus.errors import BusError
from ..job.errors import JobError, UnknownParameter
from ..job.expand import expand
from ..job.model import Job
from ..job.names import check_name
from ..job.parser import parse_job
from ..processes import escape
from . import jobfile
from .difference import Difference
from .errors import NoSupervisor, TaskError
from .plan import Seen, SeenInstance, Step, Wanted, plan
from .supervisor import Supervisor, instances, main_pid

STATES_WITHOUT_SUPERVISOR = ("present", "absent")


@dataclass(frozen=True)
class Request:
    """What the task says. ``text``, ``override``, ``enabled`` None: leave as it is. Times are seconds."""

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


@dataclass
class Outcome:
    """What was done and how the job is now."""

    difference: Difference
    job: dict[str, Any]
    escape: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Convergence:
    """One task on one job. ``connect`` raises NoSupervisor; it is called once, and only when it is needed."""

    def __init__(self, request: Request, connect: Callable[[], Supervisor]) -> None:
        check_name(request.name)
        self._request = request
        self._connect = connect
        self._path = os.path.join(request.folder, f"{request.name}.conf")
        self._override_path = os.path.join(request.folder, f"{request.name}.override")
        self._difference = Difference()
        self._warnings: list[str] = []

    def run(self) -> Outcome:
        """Do it, or in check mode say what would be done. Raise TaskError, JobError or BusError."""
        request = self._request
        text, override = jobfile.read(self._path), jobfile.read(self._override_path)
        wanted_override = self._wanted_override(override)
        supervisor = self._supervisor()
        known = supervisor.describe(request.name).get(request.name) if supervisor else None
        job = self._parsed(request.text if request.text is not None else text, wanted_override, override)
        if job is None and known is None and request.state != "absent":
            self._missing()
        before = self._parsed_or_none(text, override)
        wanted = Wanted(request.state, request.text, wanted_override, self._instance_name(job), request.on_change)
        seen = Seen(
            text,
            override,
            loaded=known is not None,
            redefined=request.state != "absent" and text is not None and job is not None and job != before,
            instances=_seen_instances(known),
        )
        steps = plan(wanted, seen)
        if supervisor and any(step.verb in ("start", "restart") for step in steps):
            self._check_escaped(supervisor)
        others = self._environments(supervisor, steps, wanted)
        replaced = {step.instance for step in steps if step.verb == "stop"} & {
            step.instance for step in steps if step.verb == "start"
        }
        for step in steps:
            self._note(step, wanted, seen, replaced)
            if not request.check:
                self._do(step, wanted, supervisor, others, job)
        return self._outcome(wanted, supervisor, job)

    # ---- looking ----

    def _supervisor(self) -> Optional[Supervisor]:
        request = self._request
        try:
            return self._connect()
        except NoSupervisor as error:
            if request.state in STATES_WITHOUT_SUPERVISOR:
                return None
            if not request.check:
                raise
            self._warnings.append(f"{error} Check mode goes on as if no job was running.")
            return None

    def _missing(self) -> None:
        request = self._request
        sentence = (
            f"{request.name}: there is no such job in {request.folder}; give definition, content or src to define it."
        )
        if not request.check:
            raise TaskError(sentence)
        self._warnings.append(f"{sentence} Check mode goes on as if an earlier task had defined it.")

    def _wanted_override(self, current: Optional[str]) -> Optional[str]:
        """Return the override that is wanted ("" for none), None where it is to stay as it is."""
        request = self._request
        if request.enabled is None:
            return request.override
        text = request.override if request.override is not None else current or ""
        lines = [line for line in text.splitlines() if line.split("#")[0].strip() != "manual"]
        if not request.enabled:
            lines.append("manual")
        kept = "\n".join(lines).strip("\n")
        wanted = f"{kept}\n" if kept.strip() else ""
        untouched = request.override is None and wanted.strip() == text.strip()
        return current or "" if untouched else wanted

    def _parsed(self, text: Optional[str], wanted: Optional[str], current: Optional[str]) -> Optional[Job]:
        override = current if wanted is None else wanted
        if text is None or self._request.state == "absent":
            return None
        return parse_job(
            text, self._request.name, self._path, override=override or None, override_path=self._override_path
        )

    def _parsed_or_none(self, text: Optional[str], override: Optional[str]) -> Optional[Job]:
        if text is None:
            return None
        try:
            return parse_job(text, self._request.name, self._path, override=override, override_path=self._override_path)
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

    def _check_escaped(self, supervisor: Supervisor) -> None:
        """Refuse to start under a supervisor that hangs on a login session itself."""
        request = self._request
        pid = supervisor.pid
        proof = escape.proof(pid, user=request.user)
        if not proof.escaped:
            raise TaskError(
                f"{request.name}: is not started, because the supervisor (pid {pid}) runs under a login session: "
                f"{proof.reason}. Let the module foster.init.supervisor start it.",
                escape=proof._asdict(),
            )

    def _environments(
        self, supervisor: Optional[Supervisor], steps: list[Step], wanted: Wanted
    ) -> dict[str, Mapping[str, str]]:
        """Return the variables of the instances that are stopped and started again, as they were started with."""
        stopped = {step.instance for step in steps if step.verb == "stop"}
        again = [str(s.instance) for s in steps if s.verb == "start" and s.instance in stopped and s.instance]
        if supervisor is None or self._request.check:
            return {}
        return {name: supervisor.environment(self._request.name, name) for name in again if name != wanted.instance}

    # ---- acting ----

    def _note(self, step: Step, wanted: Wanted, seen: Seen, replaced: set[Optional[str]]) -> None:
        name = self._request.name
        if step.instance is None:
            change: dict[str, tuple[str, Optional[str], Optional[str]]] = {
                "write": (self._path, seen.text, wanted.text),
                "remove": (self._path, seen.text, None),
                "write-override": (self._override_path, seen.override, wanted.override),
                "remove-override": (self._override_path, seen.override, None),
            }
            if step.verb in change:
                path, before, after = change[step.verb]
                self._difference.note(f"{step.verb.partition('-')[0]} {path}", path, before, after)
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
        self._difference.note(f"{step.verb} {what}", f"state of {what}", before, after)

    def _do(
        self,
        step: Step,
        wanted: Wanted,
        supervisor: Optional[Supervisor],
        others: dict[str, Mapping[str, str]],
        job: Optional[Job],
    ) -> None:
        request = self._request
        if step.verb == "write":
            jobfile.write(self._path, wanted.text or "")
        elif step.verb == "write-override":
            jobfile.write(self._override_path, wanted.override or "")
        elif step.verb == "remove":
            jobfile.remove(self._path)
        elif step.verb == "remove-override":
            jobfile.remove(self._override_path)
        elif supervisor is None:
            return
        elif step.verb == "load":
            supervisor.load()
        elif step.verb == "reload":
            supervisor.reload_instance(request.name, step.instance or "")
        elif step.verb == "stop":
            supervisor.stop_instance(request.name, step.instance or "", request.wait_timeout)
        else:
            env = others.get(step.instance or "", request.env or {})
            self._start(step, supervisor, env)
            if job is not None and not job.task and job.expect.kind == "none" and job.exec_main and request.stay_up > 0:
                self._watch(step, supervisor)

    def _start(self, step: Step, supervisor: Supervisor, env: Mapping[str, str]) -> None:
        """Start or restart, and wait until the instance runs. Somebody else's start at the same time is as good."""
        request = self._request
        try:
            act = supervisor.restart if step.verb == "restart" else supervisor.start
            act(request.name, env, request.wait_timeout)
        except BusError as error:
            if error.short == "AlreadyStarted":
                found = supervisor.settle(request.name, step.instance or "", request.wait_timeout)
                if found is not None and found["goal"] == "start" and found["state"] == "running":
                    return
            raise self._failed(step, supervisor, error) from error

    def _watch(self, step: Step, supervisor: Supervisor) -> None:
        """Fail when the main process, which says in no way that it is ready, ends right after its start."""
        request = self._request
        if supervisor.stays(request.name, step.instance or "", request.stay_up):
            return
        what = f"{request.name} ({step.instance})" if step.instance else request.name
        failure = (supervisor.describe(request.name).get(request.name) or {}).get("last_failure")
        failure = failure or supervisor.last_end(request.name, step.instance or "") or {"process": "main"}
        raise TaskError(
            f"{what}: was started, but within {request.stay_up:g} s {_how(failure)}.{_last_lines(failure)} If it is "
            "meant to end, make the job a task, or set stay_up: 0.",
            failure=failure,
        )

    def _failed(self, step: Step, supervisor: Supervisor, error: BusError) -> TaskError:
        """Return the error that says which process failed, how, and what it wrote last."""
        name = self._request.name
        what = f"{name} ({step.instance})" if step.instance else name
        if error.short in ("Timeout", "TimedOut", "NoReply") and "within" in error.message:
            found = supervisor.instance(name, step.instance or "")
            state = f"{found['goal']}/{found['state']}" if found else "gone"
            return TaskError(
                f"{what}: is not running after {self._request.wait_timeout:g} s (it is {state}); raise wait_timeout, "
                f"or see `fosterctl status {name}` for what it waits for.",
                failure={"process": "", "log_tail": []},
            )
        failure = (supervisor.describe(name).get(name) or {}).get("last_failure")
        if not failure:
            return TaskError(f"{what}: cannot be {step.verb}ed: {error.message.rstrip('.')}.", error=error.name)
        return TaskError(f"{what}: {_how(failure)}.{_last_lines(failure)}", failure=failure, error=error.name)

    # ---- telling ----

    def _outcome(self, wanted: Wanted, supervisor: Optional[Supervisor], job: Optional[Job]) -> Outcome:
        request = self._request
        known = supervisor.describe(request.name).get(request.name) if supervisor else None
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
        if request.state in ("started", "restarted", "reloaded"):
            proofs = [proof for each in running if (proof := _proof(each, supervisor, request.user)) is not None]
        bad = next((proof for proof in proofs if not proof["escaped"]), None)
        if bad and not request.check:
            raise TaskError(
                f"{request.name}: runs as pid {bad['pid']}, but not apart from the login session: {bad['reason']}.",
                job=described,
                escape=bad,
            )
        return Outcome(self._difference, described, proofs, self._warnings)


def _seen_instances(known: Optional[dict[str, Any]]) -> dict[str, SeenInstance]:
    digest = (known or {}).get("digest")
    return {
        name: SeenInstance(each["goal"], each["state"], stale=bool(digest and each.get("digest", digest) != digest))
        for name, each in instances(known).items()
    }


def _proof(instance: dict[str, Any], supervisor: Optional[Supervisor], user: bool) -> Optional[dict[str, Any]]:
    """Return the proof of escape of the instance's main process, None where there is no such process."""
    pid = main_pid(instance)
    if pid is None or supervisor is None:
        return None
    proof = escape.proof(pid, supervisor=supervisor.pid, user=user)
    if not proof.escaped and proof.ppid != supervisor.pid:
        # A supervisor that was killed leaves its jobs to whoever is above it, and takes them up again from there.
        above = escape.proof(supervisor.pid, user=user)
        if above.escaped and above.ppid == proof.ppid:
            proof = escape.proof(pid, supervisor=above.ppid, user=user)
    return {"instance": instance["name"], **proof._asdict()} if proof.ppid else None  # else it has ended since


# What errno means in a step of the child's side, where its own text would mislead.
_REASONS = {
    ("exec", errno.ENOENT): "there is no such program",
    ("exec", errno.EACCES): "the program is not executable",
    ("setuid", errno.ENOENT): "there is no such user",
    ("setgid", errno.ENOENT): "there is no such group",
    ("chdir", errno.ENOENT): "there is no such folder",
    ("chroot", errno.ENOENT): "there is no such folder",
}


def _how(failure: dict[str, Any]) -> str:
    process = f"{failure.get('process') or 'main'} process"
    if failure.get("step"):
        number = failure.get("errno")
        reason = f": {_REASONS.get((failure['step'], number)) or os.strerror(number)}" if number else ""
        return f"its {process} could not be started, because the step {failure['step']} failed{reason}"
    if failure.get("signal") is not None:
        return f"its {process} was ended by signal {failure['signal']}"
    if failure.get("exit_status") is not None:
        return f"its {process} ended with exit status {failure['exit_status']}"
    return f"its {process} failed"


def _last_lines(failure: dict[str, Any]) -> str:
    lines = [line for line in failure.get("log_tail") or () if line.strip()]
    return f" It last wrote: {lines[-1].strip()}" if lines else ""
