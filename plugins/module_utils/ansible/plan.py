# SPDX-License-Identifier: GPL-3.0-or-later
"""What a C(job) task has to do: a pure function of what is wanted and what was seen, so check mode cannot lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Optional

RUNNING = "running"


@dataclass(frozen=True)
class Wanted:
    """What the task asks for. ``files``: path to text (None: no such file) of those that the task says something about.

    ``instance`` None: every instance. ``enabled`` None: as it is.
    """

    state: str
    files: Mapping[str, Optional[str]] = field(default_factory=dict)
    instance: Optional[str] = ""
    on_change: str = "restart"
    enabled: Optional[bool] = None


@dataclass(frozen=True)
class SeenInstance:
    """One instance: its goal and state, and whether it runs an older definition than the one that is loaded."""

    goal: str
    state: str
    stale: bool = False


@dataclass(frozen=True)
class Seen:
    """What is there: the same files, and the instances by name.

    ``loaded``: the init knows the job. ``redefined``: what is wanted means another definition than what is there.
    ``enabled``: whether the job comes up with the host; None where its files alone say that. ``renamed``: with what is
    wanted the instances have other names, so those that run have no successors.
    """

    files: Mapping[str, Optional[str]]
    loaded: bool
    redefined: bool
    instances: Mapping[str, SeenInstance]
    enabled: Optional[bool] = None
    renamed: bool = False


@dataclass(frozen=True)
class Step:
    """One thing to do: ``verb`` to ``instance`` ("" the singleton), to the file at ``path``, or to the job as such."""

    verb: str
    instance: Optional[str] = None
    path: str = ""


def plan(wanted: Wanted, seen: Seen) -> list[Step]:
    """Return what has to be done, in order; nothing to do is the empty list.

    Verbs: stop, remove, write, load, enable, disable, start, restart, reload. All but load are changes.
    """
    if wanted.state == "absent":
        return _absent(wanted, seen)
    steps = _files(wanted, seen)
    if steps or (not seen.loaded and wanted.state != "present"):
        steps.append(Step("load"))
    if None not in (wanted.enabled, seen.enabled) and wanted.enabled != seen.enabled:
        steps.append(Step("enable" if wanted.enabled else "disable"))
    chosen = _chosen(wanted, seen)
    if wanted.state == "stopped":
        return steps + [
            Step("stop", name) for name, each in chosen.items() if each.goal == "start" or each.state != "waiting"
        ]
    up = {name: each for name, each in seen.instances.items() if each.goal == "start"}
    names = list(chosen) if wanted.instance is None else [wanted.instance]
    if wanted.state in ("started", "restarted") and _replaces(wanted, seen, up):
        # Upstart's restart keeps the old definition, and a new one is loaded when the last instance has ended: so all
        # of them stop before any starts.
        steps += [Step("stop", name) for name in up]
        again = [] if seen.renamed else list(up)
        return steps + [Step("start", name) for name in [*again, *(name for name in names if name not in again)]]
    if wanted.state == "started":
        steps += [Step("start", name) for name in names if name not in up]
        if wanted.on_change == "reload" and seen.redefined:
            steps += [Step("reload", name) for name, each in up.items() if each.state == RUNNING]
    elif wanted.state == "restarted":
        steps += [Step("restart" if name in up else "start", name) for name in names]
    elif wanted.state == "reloaded":
        steps += [Step("reload", name) for name in names if name in up and up[name].state == RUNNING]
    return steps


def _absent(wanted: Wanted, seen: Seen) -> list[Step]:
    steps = [
        Step("stop", name) for name, each in seen.instances.items() if each.goal == "start" or each.state != "waiting"
    ]
    if seen.enabled:
        steps.append(Step("disable"))
    steps += _files(wanted, seen)
    return [*steps, Step("load")] if steps else []


def _files(wanted: Wanted, seen: Seen) -> list[Step]:
    return [
        Step("remove" if text is None else "write", path=path)
        for path, text in wanted.files.items()
        if text != seen.files.get(path)
    ]


def _chosen(wanted: Wanted, seen: Seen) -> Mapping[str, SeenInstance]:
    if wanted.instance is None:
        return seen.instances
    return {name: each for name, each in seen.instances.items() if name == wanted.instance}


def _replaces(wanted: Wanted, seen: Seen, up: dict[str, SeenInstance]) -> bool:
    """Say whether running instances have to make room for another definition.

    A restart makes an instance run the new definition, so one that was left behind earlier counts too. A reload leaves
    it with the old one for good: there only a change made now counts, or each run would signal it again.
    """
    if wanted.on_change != "restart" and wanted.state != "restarted":
        return False
    return bool(up) and (seen.redefined or any(each.stale for each in up.values()))
