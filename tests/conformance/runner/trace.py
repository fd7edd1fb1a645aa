# SPDX-License-Identifier: GPL-3.0-or-later
"""What one run of a case showed: the recorded text format, read and written.

A line of a file that a race may swallow is written with `|?` instead of `|`; the recordings have none.

A trace is a list of steps (signals, the client's output, how it ended), then the jobs' logs and the files in `$OUT`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Optional

_SIGNAL = re.compile(
    r"  D (?P<object>.*?) (?P<member>JobAdded|JobRemoved|InstanceAdded|InstanceRemoved|GoalChanged|StateChanged|Failed"
    r"|EventEmitted|Restarted)(?: (?P<arguments>.*))?$"
)
_EXIT = re.compile(r"  rc=(-?\d+)(?: ~([\d.]+)s)?$")
_FILE = re.compile(r"(job log|OUT) (.*):$")
_SLOW = 0.4  # seconds; the recordings name a step's duration from about here on


@dataclass(frozen=True)
class Signal:
    """A D-Bus signal: `object` is `JOB`, `JOB/INSTANCE`, or `-` for the supervisor."""

    object: str
    member: str
    arguments: str = ""

    @property
    def instance(self) -> Optional[str]:
        """The instance (`JOB/INSTANCE`) whose chain this signal is in; None for the supervisor's own signals."""
        if self.member in ("InstanceAdded", "InstanceRemoved"):
            return self.arguments
        return None if self.object == "-" else self.object

    def __str__(self) -> str:
        return f"{self.object} {self.member} {self.arguments}".rstrip(" ")


@dataclass
class Step:
    """One step: `notes` are the runner's own words (`blocked`, `TIMED OUT (blocked)`, ...), `code` the exit code."""

    text: str
    signals: list[Signal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stdout: list[str] = field(default_factory=list)
    stderr: list[str] = field(default_factory=list)
    code: Optional[int] = None
    seconds: float = 0.0

    @property
    def timed_out(self) -> bool:
        return any(note.startswith("TIMED OUT") for note in self.notes)


@dataclass
class Trace:
    """A whole run. `files` maps `job log NAME` and `OUT NAME` to lines; `blocked` names the steps nobody released."""

    steps: list[Step] = field(default_factory=list)
    files: dict[str, list[str]] = field(default_factory=dict)
    blocked: list[str] = field(default_factory=list)
    optional: dict[str, list[str]] = field(default_factory=dict)  # lines of `files` that may be missing


def parse(text: str) -> Trace:
    """Read a recorded trace. Raises ValueError for a line that is not of the format."""
    trace = Trace()
    current: Optional[list[str]] = None
    name = ""
    # Not splitlines(): a job may print form feeds and the like.
    for number, line in enumerate(text.split("\n"), 1):
        opened = _FILE.match(line)
        if not line or line.startswith("#"):
            continue
        if opened:
            name = f"{opened[1]} {opened[2]}"
            current = trace.files.setdefault(name, [])
        elif current is not None and line.startswith("  |?"):
            trace.optional.setdefault(name, []).append(line[5:])
        elif current is not None and line.startswith("  |"):
            current.append(line[4:])
        elif line.startswith("left blocked:"):
            trace.blocked = line.partition(":")[2].split()
        elif line.startswith("> "):
            trace.steps.append(Step(line[2:]))
        elif not trace.steps or not line.startswith("  "):
            raise ValueError(f"trace, line {number}: not understood: {line!r}")
        else:
            _parse_line(trace.steps[-1], line)
    return trace


def _parse_line(step: Step, line: str) -> None:
    signal, ended = _SIGNAL.match(line), _EXIT.match(line)
    if signal:
        step.signals.append(Signal(signal["object"], signal["member"], signal["arguments"] or ""))
    elif line.startswith("  O"):
        step.stdout.append(line[4:])
    elif line.startswith("  E"):
        step.stderr.append(line[4:])
    elif ended:
        step.code, step.seconds = int(ended[1]), float(ended[2] or 0)
    else:
        step.notes.append(line[2:])


def dump(trace: Trace) -> str:
    """Write a trace in the recorded format."""
    lines: list[str] = []
    for step in trace.steps:
        lines.append(f"> {step.text}")
        lines += [f"  D {signal}" for signal in step.signals]
        lines += [f"  {note}" for note in step.notes]
        lines += [f"  O {line}" for line in step.stdout]
        lines += [f"  E {line}" for line in step.stderr]
        if step.code is not None:
            lines.append(f"  rc={step.code}" + (f" ~{step.seconds:.1f}s" if step.seconds >= _SLOW else ""))
    for name, content in trace.files.items():
        lines.append(f"{name}:")
        lines += [f"  | {line}" for line in content]
        lines += [f"  |? {line}" for line in trace.optional.get(name, [])]
    if trace.blocked:
        lines.append("left blocked: " + " ".join(trace.blocked))
    return "\n".join(lines) + "\n"
