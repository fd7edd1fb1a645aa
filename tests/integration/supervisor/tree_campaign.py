# SPDX-License-Identifier: GPL-3.0-or-later
# pylint: disable=ansible-bad-function  # a program of its own, run by hand
"""Try thousands of random process trees, as root: ``tree_campaign.py [COUNT [SEED [PLACE]...]]``.

COUNT trees for each place (see places.py; all of them by default); prints what broke a promise, and exits with 1.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(TOP), str(TOP / "tests" / "lib")]

from tests.integration.supervisor.conftest import running
from tests.integration.supervisor.places import PLACES, TIDY, prefix
from tests.integration.supervisor.trees import Trial, trees

PATIENCE = 12.0  # seconds until an answer; on a busy machine most come within 5


def campaign(place: str, program: str, count: int, seed: int) -> int:
    """Try ``count`` trees in one place; return how many have failed."""
    began = time.monotonic()
    with running(PLACES[place].user, prefix(place)) as supervisor:
        tokens = supervisor.folder / "tokens"
        tokens.mkdir()
        tokens.chmod(0o777)
        found = supervisor.ask("Capabilities", "")
        trial = Trial(str(supervisor.folder), program, supervisor.connect)
        problems = trial.run(list(itertools.islice(trees(seed), count)), 16)
        problems += [line for line in supervisor.output().splitlines() if "left behind" in line]  # it has given up
        if problems:
            print(supervisor.output()[-4000:])
            print("\n".join(problems), flush=True)
    subprocess.run(TIDY, check=True)
    taken = time.monotonic() - began
    answers = ", ".join(f"{member.lower()} {seconds:.1f} s" for member, (seconds, _job) in trial.longest.items())
    print(
        f"{place}: {count} trees in {taken:.0f} s, {len(problems)} failed; longest {answers}; "
        f"cgroup {found['cgroup']}, uid {found['uid']}",
        flush=True,
    )
    for member, (seconds, job) in trial.longest.items():
        if seconds > PATIENCE:
            print(f"slow {member}:\n{job}", flush=True)
    return len(problems)


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    print(f"seed {seed}")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        source = Path(__file__).with_name("tree.c")
        subprocess.run(["cc", "-o", f"{folder}/tree", source, "-lpthread"], check=True)
        failed = [campaign(place, f"{folder}/tree", count, seed) for place in sys.argv[3:] or PLACES]
    return 1 if any(failed) else 0


if __name__ == "__main__":
    sys.exit(main())
