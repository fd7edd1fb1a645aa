# SPDX-License-Identifier: GPL-3.0-or-later
"""Play random cases on a real Upstart and on our supervisor, and tell where their traces differ.

    compare_with_upstart.py --upstart INIT --initctl INITCTL [--fosterd FILE] [--seeds 1-100] [--keep FOLDER] [--jobs 4]

The client is Upstart's own `initctl` on both sides, unless --client names another for ours.
Needs Upstart 1.13.2 built somewhere. Not a test: its cases are read by a person, who records the telling ones.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Optional

_HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(_HERE), str(_HERE.parent / "lib")]

from runner import case, compare, generate, play, session, trace


def main() -> int:
    arguments = _arguments()
    first, _unused, last = arguments.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    scratch = Path(tempfile.mkdtemp(prefix="foster-compare-"))
    keep = Path(arguments.keep) if arguments.keep else None
    try:
        forker = session.build_forker(_HERE / "forker.c", scratch)
        with ThreadPoolExecutor(arguments.jobs) as pool:
            results = pool.map(lambda seed: _one(seed, arguments, scratch, keep, forker), seeds)
            bad = 0
            for seed, found in zip(seeds, results):
                if found:
                    bad += 1
                    print(f"==== seed {seed}: {len(found)} differences", *found, sep="\n  ", flush=True)
    finally:
        shutil.rmtree(scratch)
    print(f"{len(seeds)} cases, {bad} with differences")
    return 1 if bad else 0


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


def _one(seed: int, arguments: argparse.Namespace, scratch: Path, keep: Optional[Path], forker: Path) -> list[str]:
    folder = scratch / f"seed-{seed}"
    generate.Generator(seed).write(folder)
    (folder / "trace").write_text("> (boot)\n")
    theirs = _play(folder, arguments.upstart, arguments.initctl, forker)
    (folder / "trace").write_text(trace.dump(theirs))
    ours = _play(folder, arguments.fosterd, arguments.client or arguments.initctl, forker)
    chosen = case.load(folder, scratch)
    found = compare.differences(theirs, ours, tasks=chosen.tasks, followers=chosen.followers)
    if found and keep is not None:
        kept = keep / folder.name
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(folder, kept)
        (kept / "ours").write_text(trace.dump(ours))
        (kept / "found").write_text("\n".join(found) + "\n")
    shutil.rmtree(folder)
    return found


def _play(folder: Path, init: str, client: str, forker: Path) -> trace.Trace:
    place = session.Session(folder / "conf", init, client, forker)
    try:
        return play.Player(case.load(folder, folder), place).play()
    finally:
        place.close()


if __name__ == "__main__":
    sys.exit(main())
