# SPDX-License-Identifier: GPL-3.0-or-later
"""A job as a unit of systemd: what the rows of the table say, put together."""

from __future__ import annotations

from collections.abc import Iterable

from ..model import Job
from ..stanzas import DEFAULTS
from .errors import CannotSay
from .table import ROWS
from .target import Line, Target
from .unit_names import unit_name

_SECTIONS = ("Unit", "Service", "Install")
# The kernel's default, as for any process of a job; systemd would have it ignored.
_FIXED = (Line("Service", "IgnoreSIGPIPE", "no"),)
# Those whose lines add up to a list are written once, with all of it.
_ONE_LINE = ("After", "Before", "RestartPreventExitStatus")


def unit_file_name(job: Job) -> str:
    """Return the name of the job's unit."""
    return unit_name(job.name, template=bool(job.instance))


def unit_text(job: Job, target: Target) -> str:
    """Return the text of the unit, without the comments that say where it comes from.

    Raises CannotSay for the first stanza that no directive can say.
    """
    lines = _merged([*_written(job, target), *_FIXED])
    parts = []
    for section in _SECTIONS:
        own = [f"{line.directive}={line.value}\n" for line in lines if line.section == section]
        if own:
            parts.append(f"[{section}]\n{''.join(own)}")
    return "\n".join(parts)


def _written(job: Job, target: Target) -> Iterable[Line]:
    for row in ROWS:
        given = getattr(job, row.field) != DEFAULTS[row.field]
        if given and row.cannot:
            raise CannotSay(row.stanza.split(",")[0], row.field, row.cannot)
        if given or row.always:
            yield from row.write(job, target)


def _merged(lines: Iterable[Line]) -> list[Line]:
    found: list[Line] = []
    place: dict[str, int] = {}
    for line in lines:
        if line.directive in _ONE_LINE and line.directive in place:
            at = place[line.directive]
            words = dict.fromkeys(f"{found[at].value} {line.value}".split())
            found[at] = line._replace(value=" ".join(words))
        else:
            place[line.directive] = len(found)
            found.append(line)
    return found
