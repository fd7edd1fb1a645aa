# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a job: replaced whole, and no symbolic link followed."""

from __future__ import annotations

import os

import pytest
from ansible_collections.foster.init.plugins.module_utils.inits import jobfile
from ansible_collections.foster.init.plugins.module_utils.inits.errors import InitError


def test_what_is_written_is_read_and_everybody_may_read_it(tmp_path):
    path = str(tmp_path / "net" / "web.conf")
    previous = os.umask(0o077)
    try:
        jobfile.write(path, "exec ä\n")
    finally:
        os.umask(previous)
    assert jobfile.read(path) == "exec ä\n"
    assert os.stat(path).st_mode & 0o777 == 0o644
    assert os.listdir(tmp_path / "net") == ["web.conf"]


def test_a_missing_file_is_none(tmp_path):
    assert jobfile.read(str(tmp_path / "web.conf")) is None
    jobfile.remove(str(tmp_path / "web.conf"))


@pytest.mark.parametrize("target", ["nowhere", "real"])
def test_a_link_is_refused_whether_it_dangles_or_not(tmp_path, target):
    (tmp_path / "real").write_text("exec a\n")
    (tmp_path / "web.conf").symlink_to(tmp_path / target)
    with pytest.raises(InitError, match=r"web\.conf: is a symbolic link"):
        jobfile.read(str(tmp_path / "web.conf"))


def test_noise_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "web.conf"
    with open(path, "wb") as file:
        file.truncate(10 << 20)
    with pytest.raises(InitError, match="has 10485760 bytes"):
        jobfile.read(str(path))


def test_a_pipe_does_not_hang_the_task(tmp_path):
    os.mkfifo(tmp_path / "web.conf")
    with pytest.raises(InitError, match="not a regular file"):
        jobfile.read(str(tmp_path / "web.conf"))


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "web.conf"
    path.write_text("old\n")

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InitError, match="cannot be written: No space left on device"):
        jobfile.write(str(path), "new\n")
    assert path.read_text() == "old\n"
    assert os.listdir(tmp_path) == ["web.conf"]
