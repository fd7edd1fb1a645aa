# SPDX-License-Identifier: GPL-3.0-or-later
"""What a job may be called: the path of its file below the job folder, without ``.conf``."""

from __future__ import annotations

from .errors import JobError, shown

LONGEST_PART = 240  # bytes; file systems allow 255, and ".override" and a log's suffix are added
LONGEST = 1000


def check_name(name: str) -> None:
    """Raise JobError unless ``name`` names a job, such as ``web`` or ``shop/web``."""
    problem = _problem(name)
    if problem:
        raise JobError(f'"{shown(name)}" is not the name of a job: {problem}')


def is_name(name: str) -> bool:
    """Say whether ``name`` may name a job."""
    return not _problem(name)


def _problem(name: str) -> str:
    if not name:
        return "it is empty"
    if not name.isprintable():
        return "it holds a character that cannot be printed"
    if name != name.strip():
        return "it begins or ends with a space"
    if name.startswith("/"):
        return "it begins with a slash; names are relative to the job folder"
    if len(name.encode("utf-8", "surrogateescape")) > LONGEST:
        return f"it is longer than {LONGEST} bytes"
    for part in name.split("/"):
        if not part:
            return "it has nothing before, between or after its slashes"
        if part in (".", ".."):
            return f"{part} is not allowed in it"
        if len(part.encode("utf-8", "surrogateescape")) > LONGEST_PART:
            return f"{shown(part)} is longer than {LONGEST_PART} bytes"
    return ""
