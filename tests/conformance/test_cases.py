# SPDX-License-Identifier: GPL-3.0-or-later
"""What Upstart 1.13.2 did in the recorded cases, our supervisor does too, or does otherwise for a written reason."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from runner import case, compare, trace

_HERE = Path(__file__).resolve().parent
# Upstart itself is held to the recordings, not to our differences.
_DIFFERENCES = Path(os.environ.get("FOSTER_CONFORMANCE_DIFFERENCES", _HERE / "differences"))
_CASES = Path(os.environ.get("FOSTER_CONFORMANCE_CASES", _HERE / "cases"))
_ALL = [case.load(folder, _DIFFERENCES) for folder in sorted(_CASES.iterdir())]


@pytest.mark.parametrize("chosen", _ALL, ids=[each.name for each in _ALL])
def test_case_matches_its_recording(chosen: case.Case, recording, tmp_path: Path) -> None:
    ours = recording(chosen)
    found = compare.found(chosen, ours)
    keep = os.environ.get("FOSTER_CONFORMANCE_KEEP")
    if keep:
        Path(keep).mkdir(parents=True, exist_ok=True)
        (Path(keep) / f"{chosen.name}.trace").write_text(trace.dump(ours))
    assert not found, f"{chosen.name}: {len(found)} differences\n" + "\n".join(found[:40])
