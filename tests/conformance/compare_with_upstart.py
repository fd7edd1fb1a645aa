# SPDX-License-Identifier: GPL-3.0-or-later
"""Play random cases on a real Upstart and on our supervisor, and tell where their traces differ.

    compare_with_upstart.py --upstart INIT --initctl INITCTL [--fosterd FILE] [--seeds 1-100] [--keep FOLDER] [--jobs 4]

The client is Upstart's own `initctl` on both sides, unless --client names another for ours. A case that differs is
played again, a few times: where Upstart differs from itself, it counts what we do as it does once.
Needs Upstart 1.13.2 built somewhere. Not a test: its cases are read by a person, who records the telling ones.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Optional

_HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(_HERE), str(_HERE.parent / "lib")]

from runner import case, compare, generate, play, session, trace

_TIMES = 4  # how often a case is played before a difference is believed


@dataclass
class Outcome:
    """What a seed came to: `same`, `varies` (a run of one is like a run of the other, but not like all), `endless`
    (events that cause each other, so that a trace is as long as the machine is fast) or `differs`."""

    verdict: str
    found: list[str] = field(default_factory=list)


def main() -> int:
    arguments = _arguments()
    first, _unused, last = arguments.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    scratch = Path(tempfile.mkdtemp(prefix="foster-compare-"))
    keep = Path(arguments.keep) if arguments.keep else None
    verdicts: dict[str, list[int]] = {"same": [], "varies": [], "endless": [], "differs": []}
    try:
        forker = session.build_forker(_HERE / "forker.c", scratch)
        with ThreadPoolExecutor(arguments.jobs) as pool:
            outcomes = pool.map(lambda seed: _one(seed, arguments, scratch, keep, forker), seeds)
            for seed, outcome in zip(seeds, outcomes):
                verdicts[outcome.verdict].append(seed)
                if outcome.found:
                    title = f"==== seed {seed}: {outcome.verdict}, {len(outcome.found)} differences"
                    print(title, *outcome.found, sep="\n  ", flush=True)
    finally:
        shutil.rmtree(scratch)
    for verdict, numbers in verdicts.items():
        print(f"{verdict}: {len(numbers)}", "" if verdict == "same" else " ".join(map(str, numbers)))
    return 1 if verdicts["differs"] else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare with a real Upstart on random cases.")
    parser.add_argument("--upstart", required=True, help="Upstart's init")
    parser.add_argument("--initctl", required=True, help="Upstart's initctl")
    parser.add_argument("--fosterd", required=True, help="our supervisor")
    parser.add_argument("--client", help="the client of our supervisor (default: that of --initctl)")
    parser.add_argument("--seeds", default="1-50", help="FIRST-LAST")
    parser.add_argument("--jobs", type=int, default=4, help="cases at once")
    parser.add_argument("--keep", help="keep case and traces of those that differ below this folder")
    return parser.parse_args()


def _one(seed: int, arguments: argparse.Namespace, scratch: Path, keep: Optional[Path], forker: Path) -> Outcome:
    """Play a seed on both, again while no run of ours is like any run of Upstart: that is not always like itself."""
    folder = scratch / f"seed-{seed}"
    generate.Generator(seed).write(folder)
    (folder / "trace").write_text("> (boot)\n")
    theirs: list[trace.Trace] = []
    ours: list[trace.Trace] = []
    outcome = Outcome("differs")
    for _unused in range(_TIMES):
        theirs.append(_play(folder, folder / "conf", arguments.upstart, arguments.initctl, forker))
        (folder / "trace").write_text(trace.dump(theirs[-1]))
        ours.append(_play(folder, _ours(folder), arguments.fosterd, arguments.client or arguments.initctl, forker))
        outcome = _judge(case.load(folder, scratch), theirs, ours)
        if outcome.verdict != "differs":
            break
    if outcome.found and keep is not None:
        kept = keep / folder.name
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(folder, kept)
        for name, traces in (("theirs", theirs), ("ours", ours)):
            for number, each in enumerate(traces, 1):
                (kept / f"{name}.{number}").write_text(trace.dump(each))
        (kept / "found").write_text("\n".join(outcome.found) + "\n")
    shutil.rmtree(folder)
    return outcome


def _judge(chosen: case.Case, theirs: list[trace.Trace], ours: list[trace.Trace]) -> Outcome:
    """Compare the last run of each with all runs of the other."""
    if any(play.ENDLESS in step.notes for each in (*theirs, *ours) for step in each.steps):
        return Outcome("endless")

    hasty = frozenset().union(*(_hasty(each) for each in (*theirs, *ours)))
    theirs, ours = ([_without_main(each, hasty) for each in runs] for runs in (theirs, ours))

    def differences(one: trace.Trace, other: trace.Trace) -> list[str]:
        return compare.differences(one, other, tasks=chosen.tasks, followers=chosen.followers)

    pairs = [*((each, ours[-1]) for each in theirs), *((theirs[-1], each) for each in ours[:-1])]
    found = [differences(one, other) for one, other in pairs]
    if all(found):
        return Outcome("differs", min(found, key=len))
    variation = [line for runs in (theirs, ours) for each in runs[:-1] for line in differences(runs[-1], each)]
    return Outcome("varies", variation) if variation else Outcome("same")


def _hasty(of: trace.Trace) -> frozenset[str]:
    """Return the jobs whose main process was ended in the step in which it was started: it may not have said a word."""
    found = set()
    for step in of.steps:
        spawned = set()
        for signal in step.signals:
            if (signal.member, signal.arguments) == ("StateChanged", "spawned"):
                spawned.add(signal.object)
            elif (signal.member, signal.arguments) == ("StateChanged", "killed") and signal.object in spawned:
                found.add(signal.object.partition("/")[0])
    return frozenset(found)


def _without_main(of: trace.Trace, jobs: frozenset[str]) -> trace.Trace:
    files = {}
    for name, lines in of.files.items():
        kept = [line for line in lines if not line.startswith("main ")] if name.removeprefix("OUT ") in jobs else lines
        if kept or not lines:
            files[name] = kept
    return replace(of, files=files)


def _ours(folder: Path) -> Path:
    """Return a copy of the job files for us, in which `restart` is what it is in Upstart: docs/differences.md."""
    copy = folder / "conf-ours"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder / "conf", copy)
    for path in copy.glob("*.conf"):
        path.write_text(path.read_text() + "restart in place\n")
    return copy


def _play(folder: Path, conf: Path, init: str, client: str, forker: Path) -> trace.Trace:
    place = session.Session(conf, init, client, forker)
    try:
        return play.Player(case.load(folder, folder), place).play()
    finally:
        place.close()


if __name__ == "__main__":
    sys.exit(main())
