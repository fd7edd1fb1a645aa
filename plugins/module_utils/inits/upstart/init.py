# SPDX-License-Identifier: GPL-3.0-or-later
"""Upstart as a JobInit: job files in its folder, and com.ubuntu.Upstart0_6 over its own socket."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ...dbus import upstart
from ...dbus.client import Connection, Signal
from ...dbus.errors import BusError
from ...dbus.sockets import user_socket
from ...job.conditions import write_condition
from ...job.errors import JobError
from ...job.model import Job
from ...job.parser import parse_job
from ...processes.identity import ends_within, identify
from ..errors import InitError
from ..foster import Foster
from ..interface import Call, Definition, instances, main_pid
from ..started import Started
from . import address, failure, place
from .definition import class_key, digest, process_key
from .language import refuse_beyond

_GONE = ("UnknownInstance", "UnknownJob", "AlreadyStopped", "UnknownObject", "UnknownMethod")
_LOADS = 60.0  # seconds for reading all job files
_KNOWN = 5.0  # seconds after that, for an init that reads them in its own time
_EARLY = {"exit_status": 0}  # what Upstart takes for a good end, though the job has never been running
_TOLD = 5.0  # seconds in which the end of a process that has ended is told


class Upstart:
    """Hand jobs over to the Upstart at the other end of ``connection``; see inits.interface.JobInit.

    ``environ``: the environment of this process. ``pid``: the init's. ``notes``: a folder that a boot empties.
    """

    name = "upstart"

    def __init__(
        self, connection: Connection, pid: int, environ: Mapping[str, str], notes: str, user: bool = False
    ) -> None:
        self._connection = connection
        self._foster = Foster(connection)
        self._started = Started(notes)
        self._user = user
        self.pid = pid
        words, around = place.of_process(pid, environ)
        self._folders = place.Folders(place.job_folders(self._state(), words, around, user))
        self._logs = place.log_folder(words, around, user)
        self._written: dict[str, bool] = {}
        self._failures: dict[str, dict[str, Any]] = {}
        self._told: list[Signal] = []
        self._begin: dict[tuple[str, str], int] = {}

    @classmethod
    def open(cls, environ: Mapping[str, str], user: bool = False) -> Upstart:
        """Connect to PID 1, or to this user's session init; raise InitUnreachable."""
        connection, pid = address.connect(environ, user)
        notes = os.path.dirname(user_socket(environ, os.geteuid())) if user else "/run/foster"
        return cls(connection, pid, environ, os.path.join(notes, "upstart"), user)

    def close(self) -> None:
        """Close the connection; what runs goes on."""
        self._connection.close()

    @property
    def definitions(self) -> Upstart:
        """Return the files, which are kept here too: a change of one has to be noted for what runs."""
        return self

    # ---- definitions ----

    def paths(self, name: str) -> tuple[str, str]:
        """Return the paths of the job's file and of its override."""
        return self._folders.paths(name)

    def names(self) -> list[str]:
        """Return the names of all jobs in the folders of this Upstart."""
        return self._folders.names()

    def read(self, name: str) -> Definition:
        """Return the texts of the two files."""
        return self._folders.read(name)

    def files(self, name: str, wanted: Definition, job: Optional[Job]) -> dict[str, Optional[str]]:
        """Return the two files as they are to be. Raise CannotSay for a stanza that Upstart does not have."""
        if job is not None and wanted.text is not None:
            refuse_beyond(job, wanted, self.paths(name))
        return self._folders.files(name, wanted, job)

    def write(self, name: str, path: str, text: Optional[str]) -> None:
        """Put one of the files into place, or remove it; what runs goes on with the definition before."""
        before = self.read(name)
        if name not in self._written and before.text is not None:
            self._note(name, digest(name, before))
        self._folders.write(name, path, text)
        self._written[name] = self.read(name).text is not None

    def load(self) -> None:
        """Let Upstart read its job files, and see to it that it knows what was written: it may not take a file."""
        self._connection.call(upstart.MANAGER_PATH, upstart.MANAGER_INTERFACE, "ReloadConfiguration", timeout=_LOADS)
        for name, there in self._written.items():
            if there and not self._becomes_known(name):
                raise InitError(self._not_taken(name))
            if not there:
                self._started.forget(upstart.escape(name))
        self._written = {}

    def _becomes_known(self, name: str) -> bool:
        deadline = time.monotonic() + _KNOWN
        while True:
            if self._known(name):
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            next(self._connection.signals(min(left, 0.5), member="JobAdded"), None)

    def _known(self, name: str) -> bool:
        try:
            self._foster.job(name)
        except BusError as error:
            if error.short == "UnknownJob":
                return False
            raise
        return True

    def _not_taken(self, name: str) -> str:
        return (
            f"{self.paths(name)[0]}: Upstart does not take this job; `init-checkconf {self.paths(name)[0]}` or "
            "Upstart's own log (syslog, dmesg) says why"
        )

    def enabled(self, name: str) -> Optional[bool]:
        """Return None: a job's files say whether it starts with the host."""
        return None

    def enable(self, names: Sequence[str], wanted: bool) -> None:
        """Do nothing, see ``enabled``."""

    # ---- looking ----

    def describe(self, *names: str) -> dict[str, dict[str, Any]]:
        """Return what is known of the jobs."""
        wanted = names or tuple(sorted(upstart.names_in(path)[0] for path in self._foster.jobs()))
        state = self._state()
        found = {}
        for name in wanted:
            if self._known(name):
                found[name] = self._describe(name, state)
        return found

    def _describe(self, name: str, state: Mapping[str, Any]) -> dict[str, Any]:
        current = digest(name, self._read_if_possible(name))
        older = self._started.read(upstart.escape(name))
        described: dict[str, Any] = {
            "name": name,
            "path": self.paths(name)[0],
            "digest": current,
            "instances": [],
            "unread": False,
        }
        in_force = older.get(class_key(state, name) or "", current)
        for each in self._instances(name):
            pid = main_pid(each)
            key = process_key(pid) if pid else None
            described["instances"].append({**each, "digest": older.get(key or "", in_force)})
        if name in self._failures:
            described["last_failure"] = self._failures[name]
        return described

    def _read_if_possible(self, name: str) -> Definition:
        """Return the texts of a job, which may be somebody else's and no file that a task would touch."""
        try:
            return self.read(name)
        except InitError:
            return Definition(None, None)

    def _instances(self, name: str) -> list[dict[str, Any]]:
        """Return the instances of a job without their digests."""
        found = []
        try:
            paths = self._foster.instances(upstart.job_path(name))
        except BusError as error:
            if error.short in _GONE:
                return []
            raise
        for path in paths:
            try:
                status = self._foster.instance_status(name, path)
            except BusError as error:
                if error.short in _GONE:  # it has ended since
                    continue
                raise
            processes = [
                {"kind": kind, "pid": pid, "start_time": process.start_time}
                for kind, pid in status.processes
                if (process := identify(pid)) is not None
            ]
            found.append(
                {
                    "name": status.instance,
                    "goal": status.goal,
                    "state": status.state,
                    "processes": processes,
                    "log": failure.log_path(self._logs, name, status.instance),
                }
            )
        return found

    def _instance(self, name: str, instance: str) -> Optional[dict[str, Any]]:
        return next((each for each in self._instances(name) if each["name"] == instance), None)

    def _state(self) -> Mapping[str, Any]:
        """Return what Upstart tells of itself (1.6 and newer), nothing where it does not."""
        try:
            found = json.loads(self._foster.manager("GetState")[0])
        except (BusError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _note(self, name: str, meaning: str, state: Optional[Mapping[str, Any]] = None) -> None:
        """Note that what runs of the job, and is not noted yet, was started with the definition of that digest."""
        running = [pid for each in self._instances(name) if (pid := main_pid(each))]
        keys = [key for key in map(process_key, running) if key is not None]
        in_force = class_key(self._state() if state is None else state, name)
        if running and in_force is not None:
            keys.append(in_force)
        self._started.changes(upstart.escape(name), keys, meaning)

    def explain(self, name: str, instance: str) -> dict[str, Any]:
        """Return why the instance does not run; Upstart forgets how one has ended."""
        job = self._job(name)
        reason = "Nothing has started it: it has no start on, so it is started by hand only"
        if job is not None and job.start_on is not None:
            reason = f"It has ended, or its start on has not come true: {write_condition(job.start_on)}"
        return {
            "job": name, "instance": instance, "goal": "stop", "state": "waiting", "reason": reason, "failure": None
        }  # fmt: skip

    def look(self, name: str) -> str:
        """Return the command that shows the job."""
        session = f"UPSTART_SESSION={self._connection.address} " if self._user else ""
        return f"{session}initctl status {name}"

    # ---- changing ----

    def start(self, name: str, instance: str, env: Mapping[str, str], timeout: float) -> None:
        """Start the instance and wait until it runs (a task: until it has ended). Raise BusError."""
        self._one(Call("start", name, instance, env), timeout)

    def restart(self, name: str, instance: str, env: Mapping[str, str], timeout: float) -> None:
        """Replace the process of the instance: Upstart lets it go on where a job has a pre-stop, and says nothing."""
        before = main_pid(self._instance(name, instance))
        process = identify(before) if before else None
        again = {**self.environment(name, instance), **env}
        self._one(Call("restart", name, instance, again), timeout)
        after = main_pid(self._instance(name, instance))
        if process is not None and after == before and identify(after or 0) == process:
            self.stop_instance(name, instance, timeout)
            self.start(name, instance, again, timeout)

    def at_once(self, calls: Sequence[Call], timeout: float) -> list[Optional[Exception]]:
        """Ask for all of ``calls`` and then wait for them together; return what each has failed with, or None.

        A restart takes several questions, so one follows the other.
        """
        together = [call for call in calls if call.verb in ("start", "stop")]
        failed = dict(zip(map(id, together), self._together(together, timeout)))
        for call in calls:
            if call.verb in ("restart", "reload"):
                try:
                    if call.verb == "restart":
                        self.restart(call.job, call.instance, call.env, timeout)
                    else:
                        self.reload_instance(call.job, call.instance)
                except (BusError, InitError) as error:
                    failed[id(call)] = error
        return [failed.get(id(call)) for call in calls]

    def _one(self, call: Call, timeout: float) -> None:
        error = self._together([call], timeout)[0]
        if error is not None:
            raise error

    def _together(self, calls: Sequence[Call], timeout: float) -> list[Optional[Exception]]:
        self._begins([call for call in calls if call.verb != "stop"])
        serials = [self._send(call) for call in calls]
        deadline = time.monotonic() + timeout
        refusals = [self._refusal(serial, deadline) for serial in serials]
        # All of it once for all: with a thousand jobs it is a megabyte.
        state = self._state() if any(call.verb != "stop" for call in calls) else {}
        answers: list[Optional[Exception]] = []
        for call, refusal in zip(calls, refusals):
            try:
                if call.verb == "stop":
                    self._judge_stop(call.job, call.instance, refusal, timeout)
                else:
                    self._judge_start(call.job, call.instance, refusal, state)
                answers.append(None)
            except (BusError, InitError) as error:
                answers.append(error)
        return answers

    def _refusal(self, serial: int, deadline: float) -> Optional[BusError]:
        try:
            self._connection.wait(serial, max(deadline - time.monotonic(), 0.001))
        except BusError as error:
            return error
        return None

    def _send(self, call: Call) -> int:
        if call.verb == "stop":
            path = upstart.instance_path(call.job, call.instance)
            return self._connection.send(path, upstart.INSTANCE_INTERFACE, "Stop", "b", True)
        listed = [f"{key}={value}" for key, value in call.env.items()]
        path = upstart.job_path(call.job)
        return self._connection.send(path, upstart.JOB_INTERFACE, call.verb.title(), "asb", listed, True)

    def _begins(self, calls: Sequence[Call]) -> None:
        """Forget what was said so far, and remember where the logs of what is started end."""
        if not calls:
            return
        self._told = []
        for _signal in self._connection.signals(0):
            pass
        for call in calls:
            self._failures.pop(call.job, None)
            log = failure.log_path(self._logs, call.job, call.instance)
            self._begin[call.job, call.instance] = failure.log_size(log)

    def _judge_start(self, name: str, instance: str, error: Optional[BusError], state: Mapping[str, Any]) -> None:
        """Raise what a start has failed with: ``error`` is what Upstart answers, and that is not all."""
        if error is not None:
            if error.short in ("UnknownJob", "UnknownMethod", "UnknownObject") and not self._known(name):
                raise InitError(self._not_taken(name)) from error
            found = self._failed(name, instance)
            if found is not None:
                self._failures[name] = found
            raise error
        # Upstart is content where the process has ended before the job was running, or a stop came in between.
        found = self._failed(name, instance)
        now = self._instance(name, instance)
        if found is not None and (now is None or now["goal"] != "start"):
            self._failures[name] = found
            raise BusError(f"{upstart.ERROR_PREFIX}JobFailed", "Job failed to start")
        definition = self.read(name)
        if now is not None and definition.text is not None:
            self._note(name, digest(name, definition), state)
        job = self._job(name)
        gone = now is None or now["goal"] != "start"
        if gone and job is not None and not job.task and job.exec_main and job.expect.kind != "none":
            self._failures[name] = {"process": "main", **_EARLY, "log_tail": self._tail(name, instance)}
            raise BusError(f"{upstart.ERROR_PREFIX}JobFailed", "The main process ended before it was ready")

    def _job(self, name: str) -> Optional[Job]:
        definition = self._read_if_possible(name)
        try:
            return parse_job(definition.text or "", name, name, definition.override or None)
        except JobError:
            return None

    def _failed(self, name: str, instance: str, wait: float = 0.0) -> Optional[dict[str, Any]]:
        """Return what has failed since ``_begins``; ``wait``: seconds in which it may still be told."""
        path = upstart.instance_path(name, instance)
        for each in self._connection.signals(wait):
            self._told.append(each)
            if wait and _ended(each, path):
                break
        found = failure.failure(self._told, path)
        if found is None:
            return None
        return {**failure.with_step(found, self._job(name)), "log_tail": self._tail(name, instance)}

    def _tail(self, name: str, instance: str) -> list[str]:
        log = failure.log_path(self._logs, name, instance)
        return failure.log_tail(log, self._begin.get((name, instance), 0))

    def stop_instance(self, name: str, instance: str, timeout: float) -> None:
        """Stop an instance and wait until it is gone; that it is gone already is fine."""
        self._one(Call("stop", name, instance, {}), timeout)

    def _judge_stop(self, name: str, instance: str, error: Optional[BusError], timeout: float) -> None:
        if error is not None:
            if error.short == "Timeout":
                raise InitError(self._not_stopped(name, instance, timeout)) from error
            if error.short not in _GONE:
                raise error
        if self._instance(name, instance) is None and not self._instances(name):
            self._started.forget(upstart.escape(name))

    def _not_stopped(self, name: str, instance: str, timeout: float) -> str:
        now = self._instance(name, instance)
        how = f"it is {now['goal']}/{now['state']}" if now else "it is gone by now"
        hint = "raise wait_timeout"
        if now and now["state"] == "spawned":
            hint = (
                "Upstart waits for a fork that the job's expect promises and that does not come; end its process "
                f"{main_pid(now)} and correct expect"
            )
        return f"{name}{f' ({instance})' if instance else ''}: is not stopped after {timeout:g} s ({how}); {hint}"

    def reload_instance(self, name: str, instance: str) -> None:
        """Send the reload signal to the instance. Raise BusError."""
        self._foster.reload_instance(upstart.instance_path(name, instance))

    def environment(self, name: str, instance: str) -> dict[str, str]:
        """Return the variables that the instance was started with.

        Upstart tells all that its processes have; what comes from Upstart itself or from the job's definition is left
        out, or a new definition could not change it.
        """
        try:
            found = self._list_env([name, instance])  # with "" for the only one
            given = set(self._list_env([]))
        except BusError as error:
            if error.short in _GONE:  # an Upstart older than 1.11
                return {}
            raise
        job = self._job(name)
        given.update(job.env if job else ())
        kept = (each for each in found if each not in given and not each.startswith("UPSTART_"))
        return dict(each.partition("=")[::2] for each in kept)

    def _list_env(self, details: list[str]) -> list[str]:
        found = self._connection.call(upstart.MANAGER_PATH, upstart.MANAGER_INTERFACE, "ListEnv", "as", details)[0]
        return [str(each) for each in found]

    # ---- waiting ----

    def settle(self, name: str, instance: str, timeout: float) -> Optional[dict[str, Any]]:
        """Wait until the instance runs or is given up; return it as it is then, None when it is gone."""
        deadline = time.monotonic() + timeout
        while True:
            found = self._instance(name, instance)
            left = deadline - time.monotonic()
            if found is None or found["goal"] != "start" or found["state"] == "running" or left <= 0:
                return found
            # Whatever happens next may be what is waited for; a second covers a signal that came before the question.
            next(self._connection.signals(min(left, 1.0)), None)

    def stays(self, name: str, instance: str, seconds: float) -> bool:
        """Return whether the main process goes on for that long."""
        pid = main_pid(self._instance(name, instance))
        process = identify(pid) if pid else None
        if process is None or ends_within(process, seconds):
            return False
        return main_pid(self._instance(name, instance)) == pid

    def last_end(self, name: str, instance: str) -> Optional[dict[str, Any]]:
        """Return how the main process ended last, as far as Upstart tells: it says nothing of a normal end."""
        found = self._failed(name, instance, _TOLD)
        if found is not None:
            return found
        tail = self._tail(name, instance)
        job = self._job(name)
        if self._instance(name, instance) is None and job is not None and not job.respawn and not job.normal_exit:
            return {"process": "main", **_EARLY, "log_tail": tail}
        return {"process": "main", "log_tail": tail}

    def instance(self, name: str, instance: str) -> Optional[dict[str, Any]]:
        """Return one instance as ``describe`` has it, None when there is none."""
        return instances(self.describe(name).get(name)).get(instance)


def _ended(told: Signal, path: str) -> bool:
    """Say whether no more will be told of the end of an instance: it failed, it is gone, or it runs once more."""
    if told.path == path:
        return told.member == "Failed" or (told.member == "StateChanged" and told.arguments == ("running",))
    return told.member == "InstanceRemoved" and path in told.arguments
