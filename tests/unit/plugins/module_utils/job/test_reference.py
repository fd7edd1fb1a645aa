# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/job-language.md is what hacking/job-language prints, and its example is true."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest
from ansible_collections.foster.init.plugins.module_utils.job.options import job_from_options
from ansible_collections.foster.init.plugins.module_utils.job.parser import parse_job

REPOSITORY = Path(__file__).resolve().parents[5]
REFERENCE = REPOSITORY / "docs" / "job-language.md"


def test_the_reference_is_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    printed = runpy.run_path(str(REPOSITORY / "hacking" / "job-language"))["reference"]()
    assert REFERENCE.read_text("utf-8") == printed, "run hacking/job-language > docs/job-language.md"


def test_both_forms_of_the_example_are_the_same_job() -> None:
    yaml = pytest.importorskip("yaml")
    parts = REFERENCE.read_text("utf-8").split("```")
    options = yaml.safe_load(parts[-2].removeprefix("yaml\n"))
    assert job_from_options("web", options) == parse_job(parts[-4], "web", "web.conf")
