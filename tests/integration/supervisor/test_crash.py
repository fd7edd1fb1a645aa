# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor may die at any moment; tests/crash does it as often as one likes, here it is fifteen times."""

from __future__ import annotations

import subprocess
from pathlib import Path

from program import FOSTERD, fosterd_environment, system_python

KILL_SUPERVISOR = Path(__file__).resolve().parents[2] / "crash" / "kill_supervisor.py"


def test_every_job_runs_once_and_is_known_after_fifteen_kills(tmp_path):
    done = subprocess.run(
        [system_python(), str(KILL_SUPERVISOR), FOSTERD, "--kills", "15", "--seed", "1"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env=fosterd_environment(tmp_path),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
