# SPDX-License-Identifier: GPL-3.0-or-later
"""``list``: print the status of every job, sorted by name."""

from __future__ import annotations

from collections.abc import Iterator

from ...dbus.errors import ERROR_UNKNOWN_METHOD, BusError
from ...dbus.upstart import JOB_INTERFACE, names_in
from ...inits.interface import InstanceStatus
from ..context import Context, status_json, status_line

SUMMARY = "List the known jobs."
ARGUMENTS = ""
OPTIONS = ()


def run(context: Context) -> int:
    """Print one status for each instance, and for each job without one."""
    found = list(_statuses(context))
    if context.json:
        context.say_json([status_json(each) for each in found])
    else:
        for each in found:
            context.say(status_line(each))
    return 0


def _statuses(context: Context) -> Iterator[InstanceStatus]:
    foster = context.foster
    jobs = [(names_in(path)[0], path) for path in foster.jobs()]
    # All questions go out before the first answer is read: one round trip instead of one for each job.
    asked = [(name, foster.connection.send(path, JOB_INTERFACE, "GetAllInstances")) for name, path in jobs]
    for name, serial in asked:
        try:
            paths = sorted(foster.connection.wait(serial)[0], key=names_in)
        except BusError as error:
            if error.name == ERROR_UNKNOWN_METHOD or error.short == "UnknownObject":
                continue  # the job went away meanwhile
            raise
        if not paths:
            yield InstanceStatus(name, "", "stop", "waiting")
        for path in paths:
            yield context.instance_status(name, path)
