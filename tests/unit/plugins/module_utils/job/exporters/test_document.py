# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/systemd.md is what hacking/systemd-units prints."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[6]


def test_the_document_is_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    printed = runpy.run_path(str(REPOSITORY / "hacking" / "systemd-units"))["document"]()
    assert (REPOSITORY / "docs" / "systemd.md").read_text(encoding="utf-8") == printed
