# SPDX-License-Identifier: GPL-3.0-or-later
"""A recorded case on disk: its job files, its steps and the trace that is expected of us."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from . import trace

_HEADER = re.compile(r"(?:#[^\n]*\n)+")
_FOLLOWS = re.compile(r"^start on .*\b(started|stopped)\b", re.MULTILINE)


@dataclass(frozen=True)
class Case:
    """`recorded` is Upstart's trace; `expected` is ours, the same unless we differ on purpose, for `reason`."""

    name: str
    folder: Path
    steps: tuple[str, ...]
    recorded: trace.Trace
    expected: trace.Trace
    reason: str
    tasks: frozenset[str]  # names of the jobs that are tasks
    followers: frozenset[str]  # names of the jobs that start on another's started or stopped


def load(folder: Path, differences: Path) -> Case:
    """Read the case in `folder`; `differences/NAME.trace`, when there, is what we expect of ourselves.

    Such a file opens with comment lines, `# REASON: ...`; without them ValueError is raised.
    """
    recorded = expected = trace.parse((folder / "trace").read_text())
    reason = ""
    own = differences / f"{folder.name}.trace"
    if own.exists():
        text = own.read_text()
        header = _HEADER.match(text)
        if header is None or not text.startswith("# REASON: "):
            raise ValueError(f"{own}: does not start with '# REASON: ', say why it differs from the recording")
        reason = " ".join(line.lstrip("# ") for line in header[0].splitlines())
        expected = trace.parse(text)
    texts = {path.stem: path.read_text() for path in sorted((folder / "conf").glob("*.conf"))}
    return Case(
        name=folder.name,
        folder=folder,
        steps=_steps((folder / "steps").read_text()),
        recorded=recorded,
        expected=expected,
        reason=reason,
        tasks=frozenset(name for name, text in texts.items() if re.search(r"^task$", text, re.MULTILINE)),
        followers=frozenset(name for name, text in texts.items() if _FOLLOWS.search(text)),
    )


def _steps(text: str) -> tuple[str, ...]:
    """Return the steps of a `steps` file, comments and empty lines left out."""
    return tuple(line for line in text.splitlines() if line.strip() and not line.startswith("#"))
