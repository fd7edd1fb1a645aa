# SPDX-License-Identifier: GPL-3.0-or-later
# pylint: disable=ansible-bad-function  # a program of its own, which speaks to a terminal
"""What a verb gets: its arguments and options, the connection when it asks for it, and where to print."""

from __future__ import annotations

import os
from typing import Any, Optional

from ..dbus.errors import ERROR_UNKNOWN_METHOD, BusError, BusUnreachable
from ..inits.foster import Foster, address
from ..inits.interface import InstanceStatus
from .options import Option, UsageError, Values

NO_WAIT = Option("no-wait", "n", text="do not wait for it to finish before exiting")
GLOBAL = Option("global", "g", text="apply to the global job environment table")


class CommandError(Exception):
    """The command failed; the text is the sentence to print."""


class Context:
    """One run of a verb.

    ``upstart``: behave as Upstart's clients do. ``values``: options by long name.
    """

    def __init__(self, program: str, upstart: bool, arguments: list[str], values: Values) -> None:
        self.program = program
        self.upstart = upstart
        self.arguments = arguments
        self.values = values
        self.environ = os.environ
        self._foster: Optional[Foster] = None

    def __enter__(self) -> Context:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._foster is not None:
            self._foster.close()

    @property
    def wait(self) -> bool:
        """Return whether to wait until the operation is done."""
        return not self.values.get("no-wait")

    @property
    def json(self) -> bool:
        return bool(self.values.get("json"))

    def say(self, text: str) -> None:
        """Print a line, unless --quiet was given."""
        if not self.values.get("quiet"):
            print(text)

    def say_json(self, value: Any) -> None:
        """Print a value as JSON, --quiet or not: who asks for JSON reads it."""
        import json

        print(json.dumps(value, indent=2, sort_keys=True))

    @property
    def foster(self) -> Foster:
        """Return the connection to the supervisor, opened at the first use. Raises BusUnreachable."""
        if self._foster is None:
            self._foster = self._open()
        return self._foster

    def _open(self) -> Foster:
        where = self.values.get("address")
        if not isinstance(where, str):
            if self.values.get("session") and not self.environ.get("UPSTART_SESSION"):
                raise CommandError(
                    "UPSTART_SESSION is not set in the environment, so there is no session's supervisor to ask; "
                    "leave --session out, or set it to one that `initctl list-sessions` shows"
                )
            system, user = bool(self.values.get("system")), bool(self.values.get("user"))
            if user and self.environ.get("UPSTART_SESSION"):
                user = False  # Upstart's --user means this one
            where = address(self.environ, os.geteuid(), system, user)
        try:
            return Foster.open(where)
        except BusUnreachable as error:
            if self.upstart:
                raise BusUnreachable(f"Unable to connect to Upstart: {error}") from error
            raise

    # ---- which job ----

    def job(self) -> tuple[str, Optional[str]]:
        """Return (job, None) from the arguments, or the (job, instance) whose process calls us. Raises UsageError."""
        if self.arguments:
            return self.arguments[0], None
        job, instance = self.environ.get("UPSTART_JOB"), self.environ.get("UPSTART_INSTANCE")
        if not job or instance is None:
            raise UsageError("missing job name")
        return job, instance

    def job_details(self) -> list[str]:
        """Return [job, instance] of the job whose environment is meant, [] for the global table. Raises UsageError."""
        job = self.environ.get("UPSTART_JOB")
        if self.values.get("global") or job is None:
            return []
        instance = self.environ.get("UPSTART_INSTANCE")
        if instance is None:
            raise UsageError("missing job name")
        return [job, instance]

    # ---- status ----

    def instance_status(self, job: str, path: Optional[str]) -> InstanceStatus:
        """Return the status of the instance at ``path``; stop/waiting when there is none, or not any more."""
        if path:
            try:
                return self.foster.instance_status(job, path)
            except BusError as error:
                if error.name != ERROR_UNKNOWN_METHOD and error.short != "UnknownObject":
                    raise
        return InstanceStatus(job, "", "stop", "waiting")

    def show(self, status: InstanceStatus) -> None:
        """Print the status of an instance."""
        if self.json:
            self.say_json(status_json(status))
        else:
            self.say(status_line(status))


def status_line(status: InstanceStatus) -> str:
    """Return ``name (instance) goal/state, process PID`` with a line for each further process, as Upstart prints it."""
    instance = f" ({status.instance})" if status.instance else ""
    line = f"{status.job}{instance} {status.goal}/{status.state}"
    for number, (kind, pid) in enumerate(status.processes):
        if number:
            line += f"\n\t{kind} process {pid}"
        elif kind in ("main", "pre-start", "post-stop"):
            line += f", process {pid}"
        else:
            line += f", ({kind}) process {pid}"
    return line


def status_json(status: InstanceStatus) -> dict[str, Any]:
    """Return the status of an instance for --json."""
    return {
        "job": status.job,
        "instance": status.instance,
        "goal": status.goal,
        "state": status.state,
        "processes": [{"kind": kind, "pid": pid} for kind, pid in status.processes],
    }
