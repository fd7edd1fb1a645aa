# SPDX-License-Identifier: GPL-3.0-or-later
"""The events that tell of an instance: starting, started, stopping, stopped."""

from __future__ import annotations

from . import environment, states
from .instance import Instance
from .messages import Env
from .signals import signal_name

UNKNOWN = -1  # the status of a process that could not be started, or whose end nobody can tell

_NAMES = {
    states.STARTING: "starting",
    states.RUNNING: "started",
    states.STOPPING: "stopping",
    states.WAITING: "stopped",
}


def job_event(instance: Instance) -> tuple[str, Env]:
    """Return name and variables of the event that goes with the state just entered.

    ``export`` adds variables of the job's environment, but replaces none of ours.
    """
    state = instance.state
    entries = [f"JOB={instance.job_class.name}", f"INSTANCE={instance.name}"]
    if state in (states.STOPPING, states.WAITING):
        entries += _result(instance)
    exported = instance.job.export
    if exported:
        env = environment.table(instance.env)
        present = {entry.partition("=")[0] for entry in entries}
        for key in exported:
            if key in env and key not in present:
                present.add(key)
                entries.append(env[key])
    return _NAMES[state], tuple(entries)


def _result(instance: Instance) -> list[str]:
    if not instance.failed:
        return ["RESULT=ok"]
    entries = ["RESULT=failed", f"PROCESS={instance.failed_process}"]
    status = instance.exit_status
    if instance.failed_process != "respawn" and status != UNKNOWN:
        if status > 0xFF:
            entries.append(f"EXIT_SIGNAL={signal_name(status >> 8)}")
        else:
            entries.append(f"EXIT_STATUS={status}")
    return entries
