# SPDX-License-Identifier: GPL-3.0-or-later
"""The comparison lets through what varies between runs of Upstart, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from runner import case, compare, trace

_HERE = Path(__file__).resolve().parent
_ALL = [case.load(folder, _HERE / "differences") for folder in sorted((_HERE / "cases").iterdir())]
_SERVICE = """> (boot)
> start a
  D a InstanceAdded a/
  D a/ GoalChanged start
  D a/ StateChanged starting
  D a/ StateChanged pre-start
  D a/ StateChanged spawned
  D - EventEmitted starting [JOB=a INSTANCE=]
  D a/ StateChanged post-start
  D a/ StateChanged running
  D - EventEmitted started [JOB=a INSTANCE=]
  O a start/running, process P1
  rc=0
> status a
  O a start/running, process P1
  rc=0
OUT x:
  | one
  | two
"""
_SHORT = """> (boot)
> start a
  D a InstanceAdded a/
  D a/ GoalChanged start
  D a/ StateChanged starting
  D a/ StateChanged pre-start
  D a/ StateChanged spawned
  D - EventEmitted starting [JOB=a INSTANCE=]
  D a/ StateChanged post-start
  D a/ StateChanged running
  D - EventEmitted started [JOB=a INSTANCE=]
  D a/ GoalChanged stop
  D a/ StateChanged stopping
  D a/ StateChanged waiting
  O a start/running, process P1
  rc=0
"""


def _found(one: str, other: str) -> list[str]:
    return compare.differences(trace.parse(one), trace.parse(other))


@pytest.mark.parametrize("chosen", _ALL, ids=[each.name for each in _ALL])
def test_recording_is_read_and_written_unchanged(chosen: case.Case) -> None:
    lines = [
        line.rstrip() for line in (chosen.folder / "trace").read_text().split("\n") if line and not line.startswith("#")
    ]
    assert [line.rstrip() for line in trace.dump(chosen.recorded).split("\n") if line] == lines


@pytest.mark.parametrize("chosen", _ALL, ids=[each.name for each in _ALL])
def test_recording_matches_itself_and_not_without_a_signal(chosen: case.Case) -> None:
    text = trace.dump(chosen.recorded)
    assert _found(text, text) == []
    lines = text.split("\n")
    last = [number for number, line in enumerate(lines) if line.startswith("  D ")][-1:]
    for number in last:
        assert _found(text, "\n".join(lines[:number] + lines[number + 1 :]))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "StateChanged post-start\n  D a/ StateChanged running",
            "StateChanged running\n  D a/ StateChanged post-start",
        ),
        ("  D - EventEmitted started [JOB=a INSTANCE=]\n", ""),
        ("  D a/ StateChanged post-start\n  D a/ StateChanged running\n", ""),
        ("> status a\n  O a start/running, process P1", "> status a\n  O a start/running, process P2"),
        ("> status a\n  O a start/running", "> status a\n  O a start/post-start"),
        ("  rc=0\n> status a", "  rc=1\n> status a"),
        ("  | two\n", ""),
        ("  | two\n", "  | two\n  | two\n"),
        ("OUT x:", "OUT y:"),
        ("OUT x:", "left blocked: a\nOUT x:"),
    ],
)
def test_difference_is_found(old: str, new: str) -> None:
    changed = _SERVICE.replace(old, new)
    assert changed != _SERVICE
    assert _found(_SERVICE, changed)


def test_order_of_unrelated_lines_and_pids_do_not_count() -> None:
    changed = _SERVICE.replace("P1", "4711").replace("  | one\n  | two\n", "  | two\n  | one\n")
    event = "  D - EventEmitted starting [JOB=a INSTANCE=]\n"
    changed = changed.replace(event, "").replace("> start a\n", "> start a\n" + event)
    assert _found(_SERVICE, changed) == []


def test_short_life_may_end_before_running_is_announced() -> None:
    changed = (
        _SHORT.replace("  D a/ StateChanged post-start\n  D a/ StateChanged running\n", "")
        .replace("  D - EventEmitted started [JOB=a INSTANCE=]\n", "")
        .replace("start/running, process P1", "stop/waiting")
    )
    assert _found(_SHORT, changed) == []
    assert _found(changed, _SHORT) == []


def test_short_life_may_not_lack_anything_else() -> None:
    assert _found(_SHORT, _SHORT.replace("  D a/ StateChanged spawned\n", ""))
    assert _found(_SHORT, _SHORT.replace("  D a/ StateChanged waiting\n", ""))
    assert _found(_SHORT, _SHORT.replace("  D - EventEmitted starting [JOB=a INSTANCE=]\n", ""))


def test_started_without_running_announced_is_a_difference() -> None:
    assert _found(_SHORT, _SHORT.replace("  D - EventEmitted started [JOB=a INSTANCE=]\n", ""))


def _released(line: str) -> str:
    return f"> (boot)\n> &c1 start a N=1\n> wait c1 0.1\n  O {line}\n  rc=0\n"


def test_a_released_client_may_find_its_instance_gone() -> None:
    moving = _released("a (1) stop/pre-start, process P1")
    assert _found(moving, _released("a stop/waiting")) == []
    assert _found(_released("a stop/waiting"), moving) == []
    assert _found(moving, _released("a (2) stop/pre-start, process P1"))
    assert _found(moving, _released("b stop/waiting"))
    assert _found(moving, _released("a start/running, process P1"))
