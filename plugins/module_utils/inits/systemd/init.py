# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd as a JobInit: each job a unit, each instance a unit of a template."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional, Union

from ...dbus.errors import BusError
from ...job.errors import JobError
from ...job.exporters.quoting import list_word, variable_problem
from ...job.exporters.table import instance_variable
from ...job.exporters.unit_names import instance_of, instance_unit, unit_name
from ...job.model import Job
from ...job.parser import parse_job
from ...processes.identity import ends_within, identify
from .. import jobfile
from ..errors import InitError
from ..interface import Call, Definition, instances, main_pid
from ..started import Started
from . import failure
from .manager import Manager, runtime_folder
from .units import Units, digest

_JOB_FAILED = "org.foster.Init1.Error.JobFailed"
_DROP_IN = "50-foster-env.conf"
_UNIT = ("ActiveState", "SubState", "InvocationID", "NeedDaemonReload", "UnitFileState")
_SERVICE = ("MainPID", "ControlPID", "ControlGroup")
_MEMBERS = {"start": "StartUnit", "restart": "RestartUnit", "stop": "StopUnit", "reload": "ReloadUnit"}
_RELOADS = 60.0  # seconds for the reload signal
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# ActiveState -> goal, and the state where the sub state does not say it better
_GOALS = {
    "active": ("start", "running"),
    "reloading": ("start", "running"),
    "activating": ("start", "starting"),
    "deactivating": ("stop", "stopping"),
}
_STATES = {
    "start-pre": "pre-start",
    "start": "spawned",
    "start-post": "post-start",
    "stop": "pre-stop",
    "stop-sigterm": "killed",
    "stop-sigkill": "killed",
    "stop-post": "post-stop",
    "final-sigterm": "killed",
    "final-sigkill": "killed",
}
_CONTROL = {"start-pre": "pre-start", "start-post": "post-start", "stop": "pre-stop", "stop-post": "post-stop"}


class Systemd:
    """Hand jobs over to the systemd that ``manager`` talks to; see inits.interface.JobInit.

    ``units``: where unit files are kept. ``runtime``: a folder that a boot empties, where systemd reads drop-ins.
    """

    name = "systemd"

    def __init__(self, manager: Manager, units: str, runtime: str, notes: str) -> None:
        self._manager = manager
        self._units = Units(units, manager)
        self._runtime = runtime
        self._started = Started(notes)
        self._failures: dict[str, Optional[dict[str, Any]]] = {}
        self._file_states: dict[str, str] = {}  # of units that were looked at, as long as nothing is changed

    @classmethod
    def open(
        cls, environ: Mapping[str, str], user: bool = False, home: str = "", runtime_units: bool = False
    ) -> Systemd:
        """Connect; raise InitUnreachable. ``runtime_units``: the units are gone with the next boot."""
        manager = Manager.open(environ, user)
        runtime, kept, notes = "/run/systemd/system", "/etc/systemd/system", "/run/foster/units"
        if user:
            config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
            folder = runtime_folder(environ)
            runtime, kept = f"{folder}/systemd/user", f"{config}/systemd/user"
            notes = f"{folder}/foster/units"
        return cls(manager, runtime if runtime_units else kept, runtime, notes)

    @property
    def definitions(self) -> Systemd:
        """Return the files, which are kept here too: a change of one has to be noted for what runs."""
        return self

    @property
    def pid(self) -> int:
        """Return systemd's pid."""
        return self._manager.pid

    # ---- definitions ----

    def paths(self, name: str) -> tuple[str, str]:
        """Return the names by which errors call the two texts: both are in the unit, with other line numbers."""
        return f"{name}.conf", f"{name}.override"

    def names(self) -> list[str]:
        """Return the names of all jobs that have a unit."""
        return self._units.names()

    def read(self, name: str) -> Definition:
        """Return what is written down of the job."""
        return self._units.read(name)

    def files(self, name: str, wanted: Definition, job: Optional[Job]) -> dict[str, Optional[str]]:
        """Return the unit as it is to be."""
        return self._units.files(name, wanted, job)

    def write(self, name: str, path: str, text: Optional[str]) -> None:
        """Put the unit into place, or remove it with all that was noted about it."""
        unit = os.path.basename(path)
        self._file_states = {}
        before = jobfile.read(path)
        if text is None:
            jobfile.remove(path)
            self._started.forget(unit)
            for each in {unit, *self._loaded(unit)}:
                self._manager.forget_failure(each)
            for each in self._with_drop_in(unit):
                self._remove_drop_in(each)
            return
        if before is not None and digest(before) != digest(text):
            found = (self._manager.unit(each, _UNIT) for each in self._loaded(unit))
            running = [_hex(each["InvocationID"]) for each in found if each["ActiveState"] in _GOALS]
            self._started.changes(unit, running, digest(before))
        jobfile.write(path, text)

    def load(self) -> None:
        """Let systemd read its unit files."""
        self._manager.reload()

    def enabled(self, name: str) -> Optional[bool]:
        """Return whether the unit is linked as its [Install] says."""
        path = self._units.path(name)
        if not os.path.lexists(path):
            return False
        unit = os.path.basename(path)
        # Of a loaded unit systemd remembers it; else it looks through the links of all units, which takes milliseconds.
        state = self._file_states.get(unit) or self._manager.file_state(unit)
        return state.startswith("enabled")

    def enable(self, names: Sequence[str], wanted: bool) -> None:
        """Link the units, or unlink them."""
        self._file_states = {}
        units = [os.path.basename(self._units.path(name)) for name in names]
        self._manager.enable(units, wanted, self._units.folder == self._runtime)

    # ---- looking ----

    def describe(self, *names: str) -> dict[str, dict[str, Any]]:
        """Return what is known of the jobs."""
        found = {}
        wanted = names or tuple(self._units.names())
        loaded = self._manager.units("*.service") if len(wanted) > 1 else None
        for name in wanted:
            path = self._units.path(name)
            text = jobfile.read(path) if self._units.read(name).text is not None else None
            if text is not None:
                found[name] = self._describe(name, path, digest(text), loaded)
        return found

    def _describe(self, name: str, path: str, current: str, loaded: Optional[Sequence[str]]) -> dict[str, Any]:
        unit = os.path.basename(path)
        older = self._started.read(unit)
        described: dict[str, Any] = {"name": name, "path": path, "digest": current, "instances": [], "unread": False}
        for each in self._loaded(unit) if loaded is None else _units_of(unit, loaded):
            properties = self._manager.unit(each, _UNIT, _SERVICE)
            if each == unit:
                self._file_states[unit] = properties["UnitFileState"]
            described["unread"] |= bool(properties["NeedDaemonReload"])
            if properties["ActiveState"] in _GOALS:
                runs = older.get(_hex(properties["InvocationID"]), current)
                described["instances"].append(
                    {"name": instance_of(each), **_instance(each, properties), "digest": runs}
                )
        if name in self._failures:
            described["last_failure"] = self._failures[name]
        return described

    def _loaded(self, unit: str) -> list[str]:
        """Return the names of the units that a unit file stands for, as far as systemd has them in memory."""
        return self._manager.units(unit.replace("@.", "@*."))

    def last_end(self, name: str, instance: str) -> Optional[dict[str, Any]]:
        """Return how the main process ended last."""
        unit = _unit(name, instance)
        found = self._manager.unit(unit, failure.START, failure.PROPERTIES)
        return failure.main_end(found, failure.journal(unit, failure.start_of(found), self._manager.user))

    def explain(self, name: str, instance: str) -> dict[str, Any]:
        """Return why the instance does not run, as far as systemd has kept it."""
        unit = _unit(name, instance)
        found = self._manager.unit(unit, (*_UNIT, *failure.START, "InactiveEnterTimestamp"), failure.PROPERTIES)
        told: dict[str, Any] = {"job": name, "instance": instance, "goal": "stop", "state": "waiting", "failure": None}
        if found["ActiveState"] == "failed":
            log_tail = failure.journal(unit, failure.start_of(found), self._manager.user)
            told["failure"] = failure.failure(found, log_tail)
            told["reason"] = f"It has failed (systemd says {found['Result']})"
        elif found["InactiveEnterTimestamp"]:
            told["reason"] = "It has ended or was stopped, and nothing has started it since"
        elif self.enabled(name):
            told["reason"] = "systemd knows of no start of it: its start on has not come true"
        else:
            told["reason"] = "systemd knows of no start of it: it has no start on, so it is started by hand only"
        return told

    def look(self, name: str) -> str:
        """Return the command that shows the unit."""
        unit = os.path.basename(self._units.path(name)).replace("@.", "@*.")
        return f"systemctl {'--user ' if self._manager.user else ''}status '{unit}'"

    # ---- changing ----

    def start(self, name: str, instance: str, env: Mapping[str, str], timeout: float) -> None:
        """Start the unit and wait for its job. What fails is stopped: systemd would try it again and again."""
        self._one(Call("start", name, instance, env), timeout)

    def restart(self, name: str, instance: str, env: Mapping[str, str], timeout: float) -> None:
        """Restart the unit and wait for its job."""
        self._one(Call("restart", name, instance, env), timeout)

    def stop_instance(self, name: str, instance: str, timeout: float) -> None:
        """Stop the unit and wait until nothing of it is left."""
        self._one(Call("stop", name, instance, {}), timeout)

    def reload_instance(self, name: str, instance: str) -> None:
        """Let systemd send the reload signal."""
        self._one(Call("reload", name, instance, {}), _RELOADS)

    def _one(self, call: Call, timeout: float) -> None:
        error = self.at_once([call], timeout)[0]
        if error is not None:
            raise error

    def at_once(self, calls: Sequence[Call], timeout: float) -> list[Optional[Exception]]:
        """Ask for all of ``calls`` and then wait for them together; return what each has failed with, or None."""
        answers: list[Optional[Exception]] = [None for _call in calls]
        asked: dict[int, tuple[str, str]] = {}
        unread = False
        for position, call in enumerate(calls):
            unit = _unit(call.job, call.instance)
            try:
                if call.verb in ("start", "restart"):
                    unit = instance_unit(call.job, call.instance) if self._units.template(call.job) else unit
                    unread |= self._set_environment(call.job, unit, call.instance, call.env)
                    self._manager.forget_failure(unit)
            except (BusError, InitError) as error:
                answers[position] = error
            else:
                asked[position] = (_MEMBERS[call.verb], unit)
        if unread:
            self._manager.reload()
        for position, result in zip(asked, self._manager.run_all(list(asked.values()), timeout)):
            try:
                self._judge(calls[position], asked[position][1], result, timeout)
            except (BusError, InitError) as error:
                answers[position] = error
        return answers

    def _judge(self, call: Call, unit: str, result: Union[str, Exception], timeout: float) -> None:
        """Raise what the call has failed with."""
        if isinstance(result, Exception):
            gone = isinstance(result, BusError) and result.short in ("NoSuchUnit", "UnitNotLoaded")
            if call.verb == "stop" and gone:
                return
            raise result
        if call.verb in ("start", "restart"):
            if result != "done":
                self._not_started(call.job, unit, result, timeout)
        elif result != "done":
            raise InitError(f"systemd could not {call.verb} {unit} ({result})")
        elif call.verb == "stop":
            self._manager.forget_failure(unit)  # ended by KILL: it was asked for

    def _not_started(self, name: str, unit: str, result: str, timeout: float) -> None:
        found = self._manager.unit(unit, failure.START, failure.PROPERTIES)
        with contextlib.suppress(BusError):
            self._manager.run("StopUnit", unit, timeout)
        again = found["Result"] == "success"
        log_tail = failure.journal(unit, None if again else failure.start_of(found), self._manager.user)
        self._failures[name] = failure.failure(found, log_tail, again)
        raise BusError(_JOB_FAILED, f"systemd could not start {unit} ({result})")

    def environment(self, name: str, instance: str) -> dict[str, str]:
        """Return the variables that the instance was started with."""
        text = jobfile.read(self._drop_in(_unit(name, instance))) or ""
        first = text.partition("\n")[0]
        try:
            kept = json.loads(first[2:]) if first.startswith("# {") else {}
        except ValueError:
            kept = {}
        variable = self._variable(name)
        return {**({variable: instance} if variable else {}), **kept}

    def settle(self, name: str, instance: str, timeout: float) -> Optional[dict[str, Any]]:
        """Return the instance as it is: two starts of one unit are one job for systemd, and both have waited for it."""
        return instances(self.describe(name).get(name)).get(instance)

    def stays(self, name: str, instance: str, seconds: float) -> bool:
        """Return whether the main process goes on for that long."""
        pid = main_pid(self.settle(name, instance, 0))
        process = identify(pid) if pid else None
        if process is None or ends_within(process, seconds):
            return False
        return main_pid(self.settle(name, instance, 0)) == pid

    # ---- the variables of a start ----

    def _variable(self, name: str) -> str:
        definition = self._units.read(name)
        try:
            job = parse_job(definition.text or "", name, name, definition.override)
        except JobError:
            return ""
        return instance_variable(job)

    def _set_environment(self, name: str, unit: str, instance: str, env: Mapping[str, str]) -> bool:
        """Put the variables into a drop-in that the next boot forgets; the instance's own is in the unit's name.

        Return whether systemd has to read that.
        """
        variable = self._variable(name)
        kept = {key: value for key, value in env.items() if (key, value) != (variable, instance)}
        for key, value in kept.items():
            problem = variable_problem(value) if _NAME.match(key) else f"{key} is not a name that systemd takes"
            if problem:
                raise InitError(f"env: {problem}")
        path = self._drop_in(unit)
        before = jobfile.read(path)
        lines = [f"# {json.dumps(kept, sort_keys=True)}\n[Service]\n"]
        lines += [f"Environment={list_word(f'{key}={value}')}\n" for key, value in kept.items()]
        text = "".join(lines) if kept else None
        if text == before:
            return False
        if text is None:
            self._remove_drop_in(unit)
        else:
            jobfile.write(path, text)
        return True

    def _drop_in(self, unit: str) -> str:
        return os.path.join(self._runtime, f"{unit}.d", _DROP_IN)

    def _with_drop_in(self, unit: str) -> list[str]:
        """Return the units with a drop-in of ours that a unit file stands for, also those that have stopped."""
        prefix, suffix = unit.split("@.", 1)[0] + "@" if "@." in unit else unit, ".service.d"
        folders = os.listdir(self._runtime) if os.path.isdir(self._runtime) else []
        named = (each[:-2] for each in folders if each.endswith(suffix))
        return [each for each in named if each == unit or (prefix != unit and each.startswith(prefix))]

    def _remove_drop_in(self, unit: str) -> None:
        path = self._drop_in(unit)
        if os.path.lexists(path):
            jobfile.remove(path)
            with contextlib.suppress(OSError):
                os.rmdir(os.path.dirname(path))


def _unit(name: str, instance: str) -> str:
    return instance_unit(name, instance) if instance else unit_name(name)


def _units_of(unit: str, loaded: Sequence[str]) -> list[str]:
    """Return those of the loaded units that the unit file stands for."""
    prefix, at, suffix = unit.partition("@.")
    if not at:
        return [unit] if unit in loaded else []
    return [each for each in loaded if each.startswith(f"{prefix}@") and each.endswith(f".{suffix}")]


def _instance(unit: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    goal, state = _GOALS[properties["ActiveState"]]
    sub = properties["SubState"]
    return {
        "goal": goal,
        "state": state if properties["ActiveState"] == "active" else _STATES.get(sub, state),
        "processes": list(_processes(properties, _CONTROL.get(sub, ""))),
        "cgroup": properties["ControlGroup"],
        "log": f"journal:{unit}",
    }


def _processes(properties: Mapping[str, Any], control: str) -> Iterator[dict[str, Any]]:
    for kind, pid in (("main", properties["MainPID"]), (control, properties["ControlPID"])):
        process = identify(pid) if kind and pid else None
        if process is not None:
            yield {"kind": kind, "pid": pid, "start_time": process.start_time}


def _hex(invocation: bytes) -> str:
    return invocation.hex()
