# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a job as the text of a job file: canonical, and read back as the same job."""

from __future__ import annotations

from collections.abc import Iterable

from .errors import JobError
from .lexer import line_of
from .model import Job
from .stanzas import DEFAULTS, STANZAS, Stanza


def write_job(job: Job) -> str:
    """Return the text of ``job``'s file; ``parse_job(write_job(job), job.name, ...)`` is ``job``.

    Raises JobError for a value that no job file can hold.
    """
    lines: list[str] = []
    for row in STANZAS:
        value = getattr(job, row.field)
        if value == DEFAULTS[row.field]:
            continue
        try:
            lines.extend(_lines(row, value))
        except ValueError as error:
            raise JobError(str(error), stanza=row.words) from None
    return "".join(line + "\n" for line in lines)


def _lines(row: Stanza, value: object) -> Iterable[str]:
    if row.kind.from_text:
        text = row.kind.write_text(value)
        if text is None:
            return
        yield f"{row.words}{text}" if text.startswith("\n") else f"{row.words} {text}"
        return
    for words in row.kind.write(value):
        yield line_of([*row.words.split(), *words])
