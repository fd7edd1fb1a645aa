# SPDX-License-Identifier: GPL-3.0-or-later
"""What of our job language Upstart does not have: it is refused by name, before anything is written."""

from __future__ import annotations

from typing import Optional

from ...job.exporters.errors import CannotSay
from ...job.model import Job
from ...job.parser import stanza_lines
from ...job.stanzas import STANZAS
from ..interface import Definition

_EXPECT = ("none", "fork", "daemon", "stop")  # init(5), Upstart 1.13
_BEYOND = {row.field: row.words for row in STANZAS if row.beyond_upstart and row.field != "cgroup"}


def refuse_beyond(job: Job, wanted: Definition, paths: tuple[str, str]) -> None:
    """Raise CannotSay, with file and line, for the first stanza that Upstart does not know.

    A stanza counts where it stands, even with its default value or replaced by the override: Upstart would not take the
    file.
    """
    for text, path in zip((wanted.text, wanted.override), paths):
        lines = stanza_lines(text or "")
        found = sorted((line, field) for field, line in lines.items() if field in _BEYOND)
        if found:
            line, field = found[0]
            raise _refused(_BEYOND[field], field, "Upstart has no such stanza", path, line)
    if job.expect.kind not in _EXPECT or job.expect.argument:
        said = f"{job.expect.kind} {job.expect.argument}".strip()
        raise _refused(
            "expect", "expect", f"Upstart has no expect {said}, only fork, daemon and stop",
            *_place(wanted, paths, "expect"),
        )  # fmt: skip
    if job.cgroup:
        # Both kinds of cgroup stanza are written with that one word.
        raise _refused(
            "cgroup", "cgroup", "Upstart knows the controllers of cgroup v1 only",
            *_place(wanted, paths, "cgroup_controllers"),
        )  # fmt: skip


def _refused(stanza: str, field: str, reason: str, path: str, line: Optional[int]) -> CannotSay:
    error = CannotSay(stanza, field, reason, init="upstart")
    error.path, error.line = path, line
    return error


def _place(wanted: Definition, paths: tuple[str, str], field: str) -> tuple[str, Optional[int]]:
    line = stanza_lines(wanted.override or "").get(field)
    if line is not None:
        return paths[1], line
    return paths[0], stanza_lines(wanted.text or "").get(field)
