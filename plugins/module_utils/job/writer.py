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
            written = list(lines_of(row, value))
            "".join(written).encode()
        except UnicodeEncodeError:  # a ValueError, too
            raise JobError("there is a character that UTF-8 cannot hold", stanza=row.words) from None
        except ValueError as error:
            raise JobError(str(error), stanza=row.words) from None
        lines += written
    return "".join(line + "\n" for line in lines)


def lines_of(row: Stanza, value: object) -> Iterable[str]:
    """Return the stanzas that give ``value`` to the field of ``row``. Raises ValueError."""
    if row.kind.from_text:
        text = row.kind.write_text(value)
        if text is None:
            return
        yield f"{row.words}{text}" if text.startswith("\n") else f"{row.words} {text}"
        return
    for words in row.kind.write(value):
        yield line_of([*row.words.split(), *words])
