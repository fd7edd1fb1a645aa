# SPDX-License-Identifier: GPL-3.0-or-later
"""The file with the supervisor's own settings."""

from __future__ import annotations

import os

import pytest
from ansible_collections.foster.init.plugins.module_utils.supervisor import settings
from ansible_collections.foster.init.plugins.module_utils.supervisor.settings import Settings


@pytest.mark.parametrize("readers", settings.READERS)
def test_what_is_written_is_read(tmp_path, readers):
    (tmp_path / settings.FILE).write_text(settings.text_of(Settings(readers)))
    assert settings.read(str(tmp_path)) == Settings(readers)


def test_without_a_file_nothing_is_set(tmp_path):
    assert settings.read(str(tmp_path)) == Settings()


@pytest.mark.parametrize("line", ["readers nobody", "readers", "readers everyone please", "writers everyone", "\0\xff"])
def test_what_cannot_be_understood_is_one_sentence_and_sets_nothing(tmp_path, line):
    (tmp_path / settings.FILE).write_text(f"# who may look\n{line}\n")
    said: list[str] = []
    assert settings.read(str(tmp_path), said.append) == Settings()
    assert len(said) == 1
    assert f"{settings.FILE}:2: " in said[0]


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/etc/passwd", path), os.mkdir])
def test_what_is_no_file_sets_nothing_and_does_not_block(tmp_path, make):
    make(tmp_path / settings.FILE)
    said: list[str] = []
    assert settings.read(str(tmp_path), said.append) == Settings()
    assert len(said) <= 1
