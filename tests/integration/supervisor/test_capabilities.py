# SPDX-License-Identifier: GPL-3.0-or-later
"""What the supervisor says that it can do, where it can and where it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
from program import FOSTERD

from .conftest import running

NO_SUBREAPER = str(Path(__file__).resolve().parent / "no_subreaper.py")


@pytest.mark.parametrize(("program", "is_one"), [(FOSTERD, True), (NO_SUBREAPER, False)])
def test_it_says_whether_it_is_a_subreaper(program, is_one):
    """It said so also where the kernel had refused it."""
    with running("own", program=program) as supervisor:
        told = supervisor.ask("Capabilities", "")
        assert told["subreaper"] is is_one
        assert next(each for each in told["tracking"] if each["name"] == "subreaper")["in_force"] is is_one
        assert ("cannot become a subreaper" in supervisor.output()) is not is_one
