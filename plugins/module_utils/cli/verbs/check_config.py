# SPDX-License-Identifier: GPL-3.0-or-later
# pylint: disable=ansible-bad-function  # a program of its own, which speaks to a terminal
"""``check-config``: conditions that can never come true; or, given paths, errors in job files."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

from ..conditions import problems
from ..context import CommandError, Context
from ..options import Option
from .show_config import configuration

SUMMARY = "Check job files, or the conditions of all loaded jobs."
ARGUMENTS = "[JOB | PATH...]"
OPTIONS = (
    Option("ignore-events", "i", "EVENTS", "take these events for known (comma-separated)"),
    Option("warn", "w", text="complain about any event or job that is unknown"),
)
MAX_SIZE = 1 << 20  # bytes; the longest job file of the world has 20 kB


def run(context: Context) -> int:
    """Check; return 1 when something is wrong."""
    if not context.upstart and any(_is_path(word) for word in context.arguments):
        return _check_files(context)
    ignored = str(context.values.get("ignore-events", ""))
    found = [configuration(context, path) for path in context.foster.jobs()]
    jobs = {each["name"] for each in found}
    emitted = {event for each in found for event in each["emits"]}
    wanted = context.arguments[0] if context.arguments else None
    if wanted is not None and wanted not in jobs:
        raise CommandError(f"Invalid job class: {wanted}")
    wrong = 0
    for each in found:
        if wanted is not None and each["name"] != wanted:
            continue
        named = False
        for stanza in ("start on", "stop on"):
            condition = each[stanza.replace(" ", "_")]
            lines = problems(condition, jobs, emitted, set(ignored.split(",")), bool(context.values.get("warn")))
            wrong += bool(lines)
            if lines and not named:
                context.say(each["name"])
                named = True
            for line in lines:
                context.say(f"  {stanza}: {line}")
    return 1 if wrong else 0


def _is_path(word: str) -> bool:
    return "/" in word or word.endswith((".conf", ".override")) or os.path.isdir(word)


def _check_files(context: Context) -> int:
    """Parse every job file; print one sentence for each that is wrong. Needs no supervisor."""
    from ...job.errors import JobError
    from ...job.parser import parse_job

    wrong = []
    for path, name in _job_files(context.arguments):
        try:
            override = path[: -len(".conf")] + ".override"
            has_override = path.endswith(".conf") and os.path.isfile(override)
            parse_job(_read(path), name, path, _read(override) if has_override else None, override)
        except (JobError, CommandError) as error:
            wrong.append(str(error))
            print(f"{context.program}: {error}", file=sys.stderr)
    if context.json:
        context.say_json({"errors": wrong})
    return 1 if wrong else 0


def _job_files(words: list[str]) -> Iterator[tuple[str, str]]:
    """Yield (path, name of the job) for every file that is given, and for the *.conf files of every folder."""
    for word in words:
        if not os.path.isdir(word):
            yield word, os.path.basename(word).rsplit(".", 1)[0]
            continue
        for folder, folders, files in os.walk(word):
            folders.sort()
            for file in sorted(files):
                if file.endswith(".conf"):
                    path = os.path.join(folder, file)
                    yield path, os.path.relpath(path, word)[: -len(".conf")]


def _read(path: str) -> str:
    try:
        if not os.path.isfile(path) and os.path.exists(path):
            raise CommandError(f"{path}: this is not a regular file, so it is no job file")
        with open(path, "rb") as file:
            data = file.read(MAX_SIZE + 1)
    except FileNotFoundError as error:
        what = "a link to a file that does not exist" if os.path.islink(path) else "there is no such file"
        raise CommandError(f"{path}: {what}; give the path of a job file") from error
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error
    if len(data) > MAX_SIZE:
        raise CommandError(f"{path}: larger than {MAX_SIZE >> 20} MB, so it is no job file")
    return data.decode("utf-8", "surrogateescape")
