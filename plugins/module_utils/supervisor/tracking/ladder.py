# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ways to follow processes are in force here, and why another one is not."""

from __future__ import annotations

import errno
import os
from typing import NamedTuple

from .adopted import Adopted
from .family import Families


class Rung(NamedTuple):
    """One way. ``purpose``: what it is for; ``why``: what keeps it from being used, or what it is limited by."""

    name: str
    in_force: bool
    purpose: str
    why: str = ""


def rungs(families: Families, adopted: Adopted, subreaper: bool) -> list[Rung]:
    """Return the ladder, the surest first. ``subreaper``: orphans become ours."""
    cgroups = families.cgroups
    second = cgroups is not None and cgroups.unified
    first = cgroups is not None and not cgroups.unified
    refused = "; ".join(families.refused) or "no cgroup may be made here"
    return [
        Rung(
            "subreaper", subreaper, "orphans of jobs become ours, with their exit statuses",
            "" if subreaper else "the kernel refuses it (prctl, PR_SET_CHILD_SUBREAPER): they go to another process",
        ),
        _pidfd(),
        Rung("cgroup v2", second, "members and the end of all of them at once", "" if second else refused),
        Rung(
            "cgroup v1, named hierarchy", first, "members", "" if first else "cgroup v2 is used" if second else refused
        ),
        Rung(
            "mark", True, "whose an orphan is, also without environment and session",
            "a process that sets its own limit of file locks loses it" if cgroups is None else "the cgroup comes first",
        ),
        Rung("marker variable", True, "processes of an earlier supervisor", "a cleared environment has none"),
        *_exits(adopted),
    ]  # fmt: skip


def _pidfd() -> Rung:
    purpose = "signals that reach nobody else, and the end of processes that are not our children"
    if not hasattr(os, "pidfd_open"):
        return Rung("pidfd", False, purpose, "this Python was built for an older Linux")
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError as error:
        return Rung("pidfd", False, purpose, f"the kernel refuses it ({errno.errorcode.get(error.errno or 0)})")
    return Rung("pidfd", True, purpose)


def _exits(adopted: Adopted) -> tuple[Rung, Rung]:
    """Return what tells how processes end that are not our children; the second is not tried where the first is."""
    purpose = "how processes end that are not our children"
    if adopted.pidfd_tells():
        connector = (False, "not needed: the pidfd tells it")
    elif adopted.problem():
        connector = (False, f"{adopted.problem()}; such an end counts as a failure of unknown status")
    else:
        listens = f"it is listened to only while there are such processes, now {adopted.listens_for()}"
        connector = (True, listens)
    return (
        Rung(
            "pidfd exit status", adopted.pidfd_tells(), purpose,
            "" if adopted.pidfd_tells() else "the kernel is older than Linux 6.15",
        ),
        Rung("process connector", connector[0], f"{purpose}, where their pidfds do not tell", connector[1]),
    )  # fmt: skip
