# SPDX-License-Identifier: GPL-3.0-or-later
"""Print `PASSED FAILED` for JUnit reports: one file, or every `.xml` file of a folder."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree


def count(report: Path) -> tuple[int, int]:
    """Return (passed, failed) of one report; skipped tests are neither."""
    passed = failed = 0
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        outcomes = {child.tag for child in case}
        if outcomes & {"failure", "error"}:
            failed += 1
        elif "skipped" not in outcomes:
            passed += 1
    return passed, failed


def main(path: Path) -> None:
    """Print the sum over the reports at `path`; nothing there counts as nothing passed."""
    reports = sorted(path.glob("*.xml")) if path.is_dir() else [path] if path.exists() else []
    counts = [count(report) for report in reports]
    print(sum(passed for passed, _unused in counts), sum(failed for _unused, failed in counts))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
