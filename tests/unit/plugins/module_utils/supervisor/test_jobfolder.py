# SPDX-License-Identifier: GPL-3.0-or-later
"""Job folders: what is there becomes jobs, what is wrong becomes one sentence, changes are reported once."""

from __future__ import annotations

import errno
import os
import socket

import pytest
from ansible_collections.foster.init.plugins.module_utils.supervisor import linux
from ansible_collections.foster.init.plugins.module_utils.supervisor.jobfolder import JobFolder
from ansible_collections.foster.init.plugins.module_utils.supervisor.loop import Loop


class Report:
    def __init__(self) -> None:
        self.jobs: dict[str, str] = {}
        self.gone: list[str] = []
        self.warnings: list[str] = []

    def defined(self, job) -> None:
        self.jobs[job.name] = job.exec_main.command

    def went(self, name, *lazily) -> None:
        self.gone.append(name)


@pytest.fixture
def report():
    return Report()


@pytest.fixture
def loop():
    made = Loop()
    yield made
    made.close()


@pytest.fixture
def folder(report, loop, tmp_path):
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    made = JobFolder(
        loop, [str(tmp_path / "first"), str(tmp_path / "second")], report.defined, report.went, report.warnings.append
    )
    yield made
    made.close()


def test_jobs_are_named_after_their_path_below_the_folder(folder, report, tmp_path):
    (tmp_path / "first" / "sub").mkdir()
    (tmp_path / "first" / "a.conf").write_text("exec one\n")
    (tmp_path / "first" / "sub" / "b.conf").write_text("exec two\n")
    (tmp_path / "first" / "README").write_text("not a job")
    folder.reload()
    assert report.jobs == {"a": "one", "sub/b": "two"}


def test_the_first_folder_wins(folder, report, tmp_path):
    (tmp_path / "first" / "a.conf").write_text("exec one\n")
    (tmp_path / "second" / "a.conf").write_text("exec two\n")
    folder.reload()
    assert report.jobs == {"a": "one"}


def test_an_override_is_laid_over_its_job_and_alone_is_nothing(folder, report, tmp_path):
    (tmp_path / "first" / "a.conf").write_text("exec one\n")
    (tmp_path / "first" / "a.override").write_text("exec other\n")
    (tmp_path / "first" / "b.override").write_text("exec other\n")
    folder.reload()
    assert report.jobs == {"a": "other"}


def test_what_has_not_changed_is_not_reported_again(folder, report, tmp_path):
    (tmp_path / "first" / "a.conf").write_text("exec one\n")
    folder.reload()
    report.jobs.clear()
    folder.reload()
    assert report.jobs == {}


def test_a_file_that_goes_or_breaks_takes_its_job_along(folder, report, tmp_path):
    for name in ("a", "b"):
        (tmp_path / "first" / f"{name}.conf").write_text("exec one\n")
    folder.reload()
    (tmp_path / "first" / "a.conf").unlink()
    (tmp_path / "first" / "b.conf").write_text("exce one\n")
    folder.reload()
    assert sorted(report.gone) == ["a", "b"]


@pytest.mark.parametrize("kind", ["dangling", "noise", "binary", "folder", "fifo", "socket"])
def test_what_is_no_job_file_is_one_sentence_and_no_job(folder, report, tmp_path, kind):
    path = tmp_path / "first" / "a.conf"
    if kind == "dangling":
        path.symlink_to(tmp_path / "nowhere")
    elif kind == "noise":
        path.write_bytes(b"x" * (10 << 20))
    elif kind == "binary":
        path.write_bytes(bytes(range(256)))
    elif kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(path))
    folder.reload()
    folder.reload()
    assert report.jobs == {}
    assert len(report.warnings) == (0 if kind == "folder" else 1)
    assert all(str(path) in warning and "\n" not in warning for warning in report.warnings)


def test_a_new_file_is_noticed_when_its_writer_closes_it(folder, report, loop, tmp_path):
    folder.watch()
    with open(tmp_path / "first" / "a.conf", "w") as file:
        file.write("exec o")
        file.flush()
        loop.turn()
        assert report.jobs == {}
        file.write("ne\n")
    loop.turn(5.0)
    assert report.jobs == {"a": "one"}


def test_a_file_that_is_being_written_is_not_read_when_another_is_done(folder, report, loop, tmp_path):
    """Half a definition was announced, and then replaced, where several files were written at once."""
    folder.watch()
    first = tmp_path / "first"
    with open(first / "slow.conf", "w") as slow:
        slow.write("exec half\n")
        slow.flush()
        (first / "quick.conf").write_text("exec one\n")
        loop.turn(5)
        assert report.jobs == {"quick": "one"}
        slow.write("exec whole\n")
    loop.turn(5)
    assert report.jobs == {"quick": "one", "slow": "whole"}
    with open(first / "slow.conf", "w"):
        (first / "quick.conf").unlink()
        loop.turn(5)
    assert report.gone == ["quick"]


def test_reading_everything_tells_of_what_is_the_same(report, loop, tmp_path):
    (tmp_path / "a.conf").write_text("exec one\n")
    (tmp_path / "b.conf").write_text("exec one\n")
    same: list[str] = []
    folder = JobFolder(loop, [str(tmp_path)], report.defined, report.went, report.warnings.append, again=same.append)
    folder.reload()
    (tmp_path / "b.conf").write_text("exec another\n")
    report.jobs.clear()
    folder.reload(everything=True)
    assert (same, report.jobs) == (["a"], {"b": "another"})


def test_a_file_in_a_new_folder_is_noticed(folder, report, loop, tmp_path):
    folder.watch()
    (tmp_path / "first" / "sub").mkdir()
    loop.turn(5.0)
    (tmp_path / "first" / "sub" / "a.conf").write_text("exec one\n")
    loop.turn(5.0)
    assert report.jobs == {"sub/a": "one"}


def test_a_file_that_everybody_may_write_to_is_refused_until_that_is_mended(folder, report, tmp_path):
    path = tmp_path / "first" / "a.conf"
    path.write_text("exec one\n")
    path.chmod(0o666)
    folder.reload()
    assert report.jobs == {}
    assert len(report.warnings) == 1
    assert f"chmod o-w {path}" in report.warnings[0]
    path.chmod(0o644)
    folder.reload()
    assert report.jobs == {"a": "one"}


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a file away needs root")
@pytest.mark.parametrize("linked", [False, True], ids=["file", "link"])
def test_a_file_of_somebody_else_is_refused(folder, report, tmp_path, linked):
    path = tmp_path / "first" / "a.conf"
    owned = tmp_path / "owned" if linked else path
    owned.write_text("exec evil\n")
    os.chown(owned, 65534, 65534)
    if linked:
        path.symlink_to(owned)
    folder.reload()
    assert report.jobs == {}
    assert len(report.warnings) == 1
    assert "belongs to the user 65534" in report.warnings[0]


@pytest.mark.parametrize("name", ["..", "...conf", "a/../b.conf", "..conf.conf"])
def test_a_name_with_dots_leads_nowhere_else(folder, report, tmp_path, name):
    (tmp_path / "first" / "a").mkdir()
    (tmp_path / "outside.conf").write_text("exec evil\n")
    if name != "..":
        (tmp_path / "first" / name).write_text("exec one\n")
    folder.reload()
    assert "evil" not in report.jobs.values()
    assert folder.path_of("../outside") is None


def test_jobs_stay_while_their_folder_cannot_be_looked_at(folder, report, tmp_path, monkeypatch):
    """A supervisor that was out of descriptors for a moment took every job for removed."""
    (tmp_path / "first" / "a.conf").write_text("exec one\n")
    folder.reload()

    def out_of_descriptors(path):
        raise OSError(errno.EMFILE, "Too many open files", path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", out_of_descriptors)
        folder.reload()
    assert report.gone == []
    assert report.warnings == [f"{tmp_path / 'first'}: cannot be looked at: Too many open files; jobs stay as they are"]


def test_files_written_beside_a_job_folder_wake_nobody(folder, report, loop, tmp_path):
    beside = tmp_path / "settings"
    beside.write_text("")
    folder.watch()
    beside.write_text("changed")  # inotify queues what happened before close returns
    assert linux.waiting_bytes(folder._inotify) == 0
    (tmp_path / "first" / "a.conf").write_text("exec one\n")
    assert linux.waiting_bytes(folder._inotify) > 0
