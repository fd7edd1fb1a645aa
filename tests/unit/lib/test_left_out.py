# SPDX-License-Identifier: GPL-3.0-or-later
"""A scenario that needs an archive of others is left out aloud where that cannot be reached, and only then."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

LIB = Path(__file__).resolve().parents[2] / "lib"
_RUN = """
set -euo pipefail
. "$LIB/common.sh"
. "$LIB/molecule.sh"
part_molecule() { have_upstart && check "molecule upstart" true; check "molecule bare" true; }
: >"$RUN/counts"; : >"$RUN/lines"
run_part molecule 2>/dev/null
finish_run
"""


def run(folder: Path, upstart: str) -> subprocess.CompletedProcess[str]:
    """Run a part in CI that has the scenario and another one; ``upstart``: the shell script that gets the packages."""
    lib = folder / "lib"
    lib.mkdir()
    for name in ("common.sh", "molecule.sh"):
        shutil.copy(LIB / name, lib)
    (lib / "upstart.sh").write_text(f"#!/bin/sh\n{upstart}\n")
    (lib / "upstart.sh").chmod(0o755)
    around = {**os.environ, "CI": "true", **dict.fromkeys(("TOP", "CACHE", "RUN"), str(folder)), "LIB": str(lib)}
    return subprocess.run(["bash", "-c", _RUN], env=around, capture_output=True, text=True, check=False)


def test_it_runs_with_the_packages(tmp_path: Path) -> None:
    done = run(tmp_path, "exit 0")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "2 passed, 0 failed"), done


def test_packages_that_cannot_be_had_fail_nothing_and_are_told(tmp_path: Path) -> None:
    done = run(tmp_path, "echo the archive does not answer >&2; exit 3")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1 passed, 0 failed"), done
    assert "molecule upstart not run: the archive does not answer" in done.stdout.splitlines()


def test_packages_that_are_not_what_they_should_be_fail_the_run(tmp_path: Path) -> None:
    done = run(tmp_path, "echo another checksum >&2; exit 1")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "1 passed, 1 failed"), done
    assert "failed: molecule upstart" in done.stdout.splitlines()
