# SPDX-License-Identifier: GPL-3.0-or-later
"""What a C(job) task has to do: a pure function of what is wanted and what was seen, so check mode cannot lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

RUNNING = "running"


@dataclass(frozen=True)
class Wanted:
    """What the task asks for. ``instance`` None: every instance. ``text``, ``override`` None: as they are."""

    state: str
    text: Optional[str] = None
    override: Optional[str] = None
    instance: Optional[str] = ""
    on_change: str = "restart"


@dataclass(frozen=True)
class SeenInstance:
    """One instance: its goal and state, and whether it runs an older definition than the one that is loaded."""

    goal: str
    state: str
    stale: bool = False


@dataclass(frozen=True)
class Seen:
    """What is there: the texts of the files (None: no file) and the instances by name.

    ``loaded``: the supervisor knows the job. ``redefined``: what is wanted means another definition than what is there.
    """

    text: Optional[str]
    override: Optional[str]
    loaded: bool
    redefined: bool
    instances: dict[str, SeenInstance]


@dataclass(frozen=True)
class Step:
    """One thing to do: ``verb`` to ``instance`` ("" the singleton), or to the job's files where that is None."""

    verb: str
    instance: Optional[str] = None


def plan(wanted: Wanted, seen: Seen) -> list[Step]:
    """Return what has to be done, in order; nothing to do is the empty list.

    Verbs: stop, remove, remove-override, write, write-override, load, start, restart, reload. All but load are changes.
    """
    if wanted.state == "absent":
        return _absent(seen)
    steps = _files(wanted, seen)
    if steps or (not seen.loaded and wanted.state != "present"):
        steps.append(Step("load"))
    chosen = _chosen(wanted, seen)
    if wanted.state == "stopped":
        return steps + [Step("stop", name) for name, each in chosen.items() if each.goal == "start" or each.state != "waiting"]
    up = {name: each for name, each in chosen.items() if each.goal == "start"}
    if wanted.state == "started":
        steps += [Step("start", name) for name in _names(wanted, chosen) if name not in up]
        steps += [
            Step(wanted.on_change, name) for name, each in up.items() if _outdated(wanted, seen, each)
        ]
    elif wanted.state == "restarted":
        steps += [Step("restart" if name in up else "start", name) for name in _names(wanted, chosen)]
    elif wanted.state == "reloaded":
        steps += [Step("reload", name) for name, each in up.items() if each.state == RUNNING]
    return steps


def _absent(seen: Seen) -> list[Step]:
    steps = [Step("stop", name) for name, each in seen.instances.items() if each.goal == "start" or each.state != "waiting"]
    if seen.text is not None:
        steps.append(Step("remove"))
    if seen.override is not None:
        steps.append(Step("remove-override"))
    return [*steps, Step("load")] if steps else []


def _files(wanted: Wanted, seen: Seen) -> list[Step]:
    steps = []
    if wanted.text is not None and wanted.text != seen.text:
        steps.append(Step("write"))
    if wanted.override is not None and wanted.override != (seen.override or ""):
        steps.append(Step("write-override" if wanted.override else "remove-override"))
    return steps


def _chosen(wanted: Wanted, seen: Seen) -> dict[str, SeenInstance]:
    if wanted.instance is None:
        return seen.instances
    return {name: each for name, each in seen.instances.items() if name == wanted.instance}


def _names(wanted: Wanted, chosen: dict[str, SeenInstance]) -> list[str]:
    """Return the instances that are to run: the one that is asked for, or all that there are."""
    return list(chosen) if wanted.instance is None else [wanted.instance]


def _outdated(wanted: Wanted, seen: Seen, instance: SeenInstance) -> bool:
    """Say whether a running instance is to follow its definition.

    A restart makes it run the new definition, so an instance that was left behind earlier counts too. A reload leaves it
    with the old one for good, so only a change made now counts, or each run would signal it again.
    """
    if wanted.on_change == "none":
        return False
    return seen.redefined or (wanted.on_change == "restart" and instance.stale)
