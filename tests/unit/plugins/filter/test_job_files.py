# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters between a job's options and its file."""

from __future__ import annotations

import pytest

errors = pytest.importorskip("ansible.errors")

from ansible_collections.foster.init.plugins.filter.from_job_file import from_job_file
from ansible_collections.foster.init.plugins.filter.to_job_file import to_job_file

OPTIONS = {"exec": "web --port $PORT", "env": {"PORT": "8080"}, "respawn": True}
TEXT = "env PORT=8080\nexec web --port $PORT\nrespawn\n"


def test_options_become_a_file() -> None:
    assert to_job_file(OPTIONS) == TEXT


def test_a_file_becomes_options() -> None:
    assert from_job_file(TEXT) == OPTIONS


def test_an_override_is_read_after_the_file() -> None:
    assert from_job_file(TEXT, override="exec other")["exec"] == "other"


@pytest.mark.parametrize("options", [{"exce": "x"}, ["exec"], "exec x", None])
def test_wrong_options_are_an_error_of_the_filter(options: object) -> None:
    with pytest.raises(errors.AnsibleFilterError, match="to_job_file"):
        to_job_file(options)


@pytest.mark.parametrize("text", ["task\nexce x", 3])
def test_a_wrong_file_is_an_error_of_the_filter(text: object) -> None:
    with pytest.raises(errors.AnsibleFilterError, match="from_job_file"):
        from_job_file(text)
