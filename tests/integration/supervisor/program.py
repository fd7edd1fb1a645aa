# SPDX-License-Identifier: GPL-3.0-or-later
"""How the supervisor of the working tree is run by any user.

Its interpreter is FOSTER_TEST_PYTHON (default: the system's python3), and jeepney comes from where the tests have it.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path

import pytest

FOSTERD = str(Path(__file__).resolve().parents[3] / "hacking" / "fosterd")
NOBODY = 65534


def system_python() -> str:
    """Return the interpreter that the supervisor runs with: one that every user may execute."""
    return os.environ.get("FOSTER_TEST_PYTHON") or shutil.which("python3", path="/usr/bin:/bin") or sys.executable


def fosterd_environment(folder: Path) -> dict[str, str]:
    """Return a small environment in which jeepney is found, from a copy that every user may read."""
    library = importlib.util.find_spec("jeepney")
    if library is None or library.origin is None:
        pytest.skip("jeepney is not installed")
    private = folder / "library"
    if not private.exists():
        shutil.copytree(Path(library.origin).parent, private / "jeepney")
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(private), "HOME": str(folder)}
