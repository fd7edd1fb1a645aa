# SPDX-License-Identifier: GPL-3.0-or-later
"""A job in YAML: stanzas named with underscores, in both directions, and Ansible's argument_spec for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import JobError, nearest, shown
from .model import Job, Process
from .names import check_name
from .stanzas import DEFAULTS, STANZAS, Stanza
from .writer import write_job

ALIASES = {"import": "imports", "limit": "limits"}

_ROWS: dict[str, list[Stanza]] = {}  # by option; those of a process other than main have two rows: exec and script
for _row in STANZAS:
    if _row.option:
        _ROWS.setdefault(_row.option, []).append(_row)

_CANONICAL = {alias: option for option, alias in ALIASES.items()}


def argument_spec() -> dict[str, dict[str, Any]]:
    """Return Ansible's argument_spec of all options of a job; none has a default, so that None is "not given"."""
    return {option: _spec(option, rows) for option, rows in _ROWS.items()}


def job_from_options(name: str, options: Mapping[str, Any]) -> Job:
    """Return the job ``name`` that the ``options`` define; those that are None do not count.

    Raises JobError, whose ``stanza`` is the option; also for what no job file could hold.
    """
    check_name(name)
    values: dict[str, Any] = {}
    by_field: dict[str, str] = {}
    for given, option in options.items():
        key = _CANONICAL.get(str(given), str(given))
        rows = _ROWS.get(key)
        if rows is None:
            raise JobError(f"unknown option {shown(str(given))}{nearest(str(given), _ROWS)}")
        if option is None:
            continue
        field = rows[0].field
        if field in by_field:
            raise JobError(f"only one of {by_field[field]} and {key} can be given")
        by_field[field] = key
        try:
            values[field] = _value(rows, option)
        except ValueError as error:
            raise JobError(str(error), stanza=str(given)) from None
    job = Job(name=name, **values)
    try:
        write_job(job)
    except JobError as error:
        raise JobError(error.message, stanza=error.stanza.replace(" ", "_")) from None
    return job


def options_from_job(job: Job) -> dict[str, Any]:
    """Return the options that differ from the defaults; ``job_from_options(job.name, ...)`` of them is ``job``."""
    options: dict[str, Any] = {}
    for option, rows in _ROWS.items():
        value = getattr(job, rows[0].field)
        if value == DEFAULTS[rows[0].field]:
            continue
        if not isinstance(value, Process):
            options[option] = rows[0].kind.to_option(value)
        elif len(rows) == 2:
            options[option] = {"script" if value.script else "exec": value.command}
        elif value.script == (option == "script"):
            options[option] = value.command
    return options


def _spec(option: str, rows: list[Stanza]) -> dict[str, Any]:
    kind = rows[0].kind
    spec: dict[str, Any] = {"type": kind.option_type if len(rows) == 1 else "raw"}
    if kind.elements:
        spec["elements"] = kind.elements
    if kind.choices:
        spec["choices"] = list(kind.choices)
    if option in ALIASES:
        spec["aliases"] = [ALIASES[option]]
    return spec


def _value(rows: list[Stanza], option: Any) -> Any:
    if len(rows) == 1:
        return rows[0].kind.from_option(option)
    by_word = {row.words.split()[-1]: row for row in rows}
    if isinstance(option, str):
        return by_word["exec"].kind.from_option(option)
    given = {key: value for key, value in option.items() if value is not None} if isinstance(option, Mapping) else {}
    if len(given) != 1 or not set(given) <= set(by_word):
        raise ValueError("it must be a command, or a dictionary with either exec or script")
    ((word, value),) = given.items()
    return by_word[word].kind.from_option(value)
