# SPDX-License-Identifier: GPL-3.0-or-later
"""Why an instance is in its state, in plain words: what it waits for, what ended it, what would have fitted."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Optional

from ..engine import states
from ..engine.condition import Tree, matches_in
from ..engine.instance import Instance
from ..job.conditions import write_condition
from ..job.model import Condition, Job, ProcessKind
from .history import Past
from .unready import too_often, unready

if TYPE_CHECKING:
    from .host import Host

SAID = "It said last: "  # before a line of a job's output
_AT_ONCE = 5.0  # seconds; a main process that ends so soon with 0 and leaves others was a daemon's starter
_SCRIPTS = {
    states.PRE_START: ProcessKind.PRE_START, states.POST_START: ProcessKind.POST_START,
    states.PRE_STOP: ProcessKind.PRE_STOP, states.POST_STOP: ProcessKind.POST_STOP,
}  # fmt: skip


def explain(host: Host, job: str, instance: str) -> str:
    """Return the JSON text of one answer: ``reason`` is one sentence, ``details`` are more of them."""
    job_class = host.engine.jobs[job]
    found = job_class.instances.get(instance)
    answer: dict[str, Any] = {"job": job, "instance": instance}
    if found is None:
        answer.update(_waiting(host, job_class.job, job_class.start_on, instance))
    else:
        answer.update({"goal": found.goal, "state": found.state, "reason": _reason(host, found)})
        answer["details"] = _details(host, found)
    ends = host.past.ends_of_main((job, instance))
    answer["ends"] = _counted(ends)
    answer["details"] += _past(host, job, instance, ends)
    answer["failure"] = host.past.failures.get(job)
    return json.dumps(answer)


# ---- an instance that is there ----------------------------------------------------------------------------------


def _reason(host: Host, instance: Instance) -> str:
    if instance.blocker is not None:
        holders = _holders(host, instance)
        who = f": {', '.join(holders)}" if holders else ""
        return (
            f"It waits until its event {instance.blocker.name} has been dealt with by what it started or stopped{who}"
        )
    if instance.state == states.SPAWNED:
        return _spawned(host, instance)
    script = _SCRIPTS.get(instance.state)
    if script is not None and instance.busy(script):
        return f"Its {script.value} process {instance.processes.get(script, '')} runs; it goes on when that has ended"
    if instance.state == states.RUNNING:
        return _running(host, instance)
    if instance.state == states.KILLED:
        return _killed(host, instance)
    if instance.timers and "respawn" in instance.timers:
        seconds = max(0.0, instance.timers["respawn"] - host.loop.now())
        return f"It is started again in {seconds:.1f} seconds (respawn delay)"
    return f"It is on its way to {'running' if instance.goal == states.START else 'its end'}"


def _holders(host: Host, waiting: Instance) -> list[str]:
    return [
        f"{instance.title} ({instance.goal}/{instance.state})"
        for job_class in host.engine.jobs.values()
        for instance in job_class.instances.values()
        if waiting.blocker is not None and waiting.blocker in instance.blocking
    ]


def _spawned(host: Host, instance: Instance) -> str:
    pid = instance.processes.get(ProcessKind.MAIN)
    if pid is None:
        if instance.job.exec_main is not None:
            return "Its main process has been started, and has not executed its program yet"
        return _ready_on(instance)
    tracked = host.processes.known.get(pid)
    watcher = tracked.watcher if tracked is not None else None
    if not instance.ready and watcher is not None and not watcher.done:
        return (
            f"Its main process {pid} runs, but is not ready: it waits for {watcher.waits_for()}{_left(host, instance)}"
        )
    return _ready_on(instance)


def _ready_on(instance: Instance) -> str:
    return f"It waits for the events of its ready on: {_missing(instance.ready_on, instance.job.ready_on)}"


def _left(host: Host, instance: Instance) -> str:
    due = (instance.timers or {}).get("start")
    if due is None:
        return "; it has no start timeout, so it waits until it is stopped"
    return f"; the start fails in {max(0.0, due - host.loop.now()):.0f} seconds"


def _running(host: Host, instance: Instance) -> str:
    pid = instance.processes.get(ProcessKind.MAIN)
    if pid is None:
        return "It runs without a main process, as its job has none"
    tracked = host.processes.known.get(pid)
    choice = tracked.watcher.choice if tracked is not None and tracked.watcher is not None else None
    how = f" ({choice.certainty}: {choice.reason})" if choice is not None else ""
    return f"It runs; its main process is {pid}{how}"


def _killed(host: Host, instance: Instance) -> str:
    pid = instance.processes.get(ProcessKind.MAIN)
    left = [f"{member.pid} ({member.name}, state {member.state})" for member in host.families.members(instance.key)]
    if pid is not None:
        return f"It waits for its main process {pid} to end after the signal; of it live {', '.join(left) or 'none'}"
    return f"It waits for what its main process has left behind to end: {', '.join(left) or 'nothing is left'}"


def _details(host: Host, instance: Instance) -> list[str]:
    found = []
    main = host.processes.known.get(instance.processes.get(ProcessKind.MAIN, 0))
    says = main.watcher.says if main is not None and main.watcher is not None else {}
    found += [
        f"Its main process says: {key} {text}" for key, text in says.items() if key in ("status", "error", "phase")
    ]
    others = [member for member in host.families.members(instance.key) if member.pid not in host.processes.known]
    if others:
        names = ", ".join(f"{member.pid} ({member.name})" for member in others[:8])
        found.append(f"{len(others)} more of its processes live: {names}{' ...' if len(others) > 8 else ''}")
    if instance.stop_on is not None and any(instance.stop_on.taken()):
        found.append(f"Part of its stop on has come; it misses {_missing(instance.stop_on, instance.job.stop_on)}")
    return found


# ---- an instance that is not there ------------------------------------------------------------------------------


def _waiting(host: Host, job: Job, start_on: Optional[Tree], instance: str) -> dict[str, Any]:
    answer: dict[str, Any] = {"goal": states.STOP, "state": states.WAITING, "details": [], "missing_events": []}
    failure = host.past.failures.get(job.name)
    if failure is not None and failure["instance"] == instance:
        answer["reason"] = f"It has failed: {_failure(failure)}"
        answer["details"] += [f"{SAID}{line}" for line in failure.get("log_tail", ())[-3:]]
    elif host.past.ends_of_main((job.name, instance)):
        answer["reason"] = "It has ended or was stopped, and nothing has started it since"
    elif start_on is None:
        answer["reason"] = "Nothing has started it: it has no start on, so it is started by hand only"
    else:
        answer["reason"] = "Nothing has started it: its start on has not come true"
    if start_on is None:
        return answer
    answer["missing_events"] = [write_condition(match) for match in start_on.waits_for()]
    answer["details"].append(f"It starts by itself on: {_missing(start_on, job.start_on)}")
    return answer


def _failure(failure: dict[str, Any]) -> str:
    process = failure["process"]
    if unready(failure):
        return f"it {unready(failure)}"
    if "step" in failure:
        import os

        return f"its {process} process could not be started, step {failure['step']}: {os.strerror(failure['errno'])}"
    return f"its {process} process {_how(failure.get('exit_status'), failure.get('signal'))}{too_often(failure)}"


def _missing(tree: Optional[Tree], condition: Optional[Condition]) -> str:
    """Return what a condition still waits for, and of how many events it consists where some have come."""
    if tree is None or condition is None:
        return "nothing"
    missing = [write_condition(match) for match in tree.waits_for()]
    came = len(list(matches_in(condition))) - len(missing)
    return f"{' , '.join(missing) or 'nothing more'}{f' ({came} of its events came)' if any(tree.taken()) else ''}"


# ---- what ended it ----------------------------------------------------------------------------------------------


def _past(host: Host, job: str, instance: str, ends: list[Past]) -> list[str]:
    found = []
    for text, times in _counts(ends).items():
        often = "" if len(ends) == 1 else f", {times} of the last {len(ends)} times"
        found.append(f"Its main process {text}{often}")
    found += [f"The supervisor said: {note['text']}" for note in host.past.notes(job)]
    found += _hint(host, job, instance, ends)
    return found


def _hint(host: Host, job: str, instance: str, ends: list[Past]) -> list[str]:
    """Return what `expect` would have fitted, where the last end looks like that of a daemon's starter."""
    if not ends or host.engine.jobs[job].job.expect.kind != "none":
        return []
    last = ends[-1]
    left = [
        past
        for past in host.past.children((job, instance))
        if past.started and last.started <= past.started <= last.when and past.when >= last.when
    ]
    if last.code != 0 or not left or last.when - last.started > _AT_ONCE:
        return []
    return [
        f"Its main process {last.pid} exited with 0 after {max(0.0, last.when - last.started):.1f} seconds and left "
        f"process {left[0].pid} ({left[0].name}), which was ended: `expect auto` would have followed it"
    ]


def _counted(ends: Iterable[Past]) -> list[dict[str, Any]]:
    return [{"end": text, "times": times} for text, times in _counts(ends).items()]


def _counts(ends: Iterable[Past]) -> dict[str, int]:
    found: dict[str, int] = {}
    for past in ends:
        text = _how(past.code, past.signal)
        found[text] = found.get(text, 0) + 1
    return found


def _how(code: Optional[int], number: Optional[int]) -> str:
    if number is not None:
        try:
            return f"was ended by the signal {signal.Signals(number).name}"
        except ValueError:
            return f"was ended by the signal {number}"
    return f"exited with status {code}" if code is not None else "ended, and nobody could tell how"
