# SPDX-License-Identifier: GPL-3.0-or-later
"""Pidfiles: absurd contents, those that others could have written, and files that are never half there."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from ansible_collections.foster.init.plugins.module_utils.processes import pidfile
from ansible_collections.foster.init.plugins.module_utils.processes.pidfile import PidFileError, parse, read
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("data", "pid"),
    [
        (b"1234", 1234),
        (b"1234\n", 1234),
        (b"  1234  \n", 1234),
        (b"0001234\n", 1234),
        (b"1234\n/var/lib/postgresql\n1700000000\n5432\n", 1234),
        (b"1234\r\n", 1234),
        (b"4194304\n", 4194304),
    ],
)
def test_a_pid(data: bytes, pid: int) -> None:
    assert parse(data) == (pid, "")


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"\n1234\n", b"   ", b"0", b"-1", b"-1234", b"99999999999999999999", b"4294967297", b"4294968530",
     b"4194305", b"1234abc", b"abc", b"+1234", b"0x4d2", b"1e3", b"12.5", b"\x001234", b"\xef\xbb\xbf1234",
     "١٢٣".encode(), b"pid: 1234", b"1,234", b"1234\x00"],
)  # fmt: skip
def test_what_is_no_pid_names_nobody(data: bytes) -> None:
    pid, problem = parse(data)
    assert pid is None
    assert problem


@given(st.binary(max_size=64))
def test_no_content_makes_it_name_something_impossible(data: bytes) -> None:
    pid, problem = parse(data)
    assert (pid is None) == bool(problem)
    assert pid is None or 0 < pid <= pidfile.MOST_PID
    assert problem.isprintable()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.pid"


def test_a_missing_file_and_null_name_nobody(path: Path) -> None:
    assert read(str(path)) == pidfile.PidFile(str(path), False)
    assert read("/dev/null").pid is None


def test_one_that_everybody_can_write_is_refused(path: Path) -> None:
    path.write_text("1")
    path.chmod(0o666)
    with pytest.raises(PidFileError, match="written by everybody"):
        read(str(path))


def test_a_folder_that_everybody_can_write_is_refused_but_for_tmp_like_ones(path: Path) -> None:
    path.write_text("1")
    path.parent.chmod(0o777)
    with pytest.raises(PidFileError, match="everybody can replace it"):
        read(str(path))
    with pytest.raises(PidFileError, match="everybody can replace it"):
        pidfile.write(str(path), 5)
    path.parent.chmod(0o1777)
    assert read(str(path)).pid == 1


def test_what_is_no_file_is_refused(path: Path, tmp_path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(PidFileError, match="not a regular file"):
        read(str(path))
    with pytest.raises(PidFileError, match="not a regular file"):
        read(str(tmp_path))


def test_a_second_name_of_somebody_elses_file_is_refused(path: Path, tmp_path: Path) -> None:
    path.write_text("1")
    os.link(path, tmp_path / "other")
    with pytest.raises(PidFileError, match="hard links"):
        read(str(path))


def test_a_link_of_ones_own_is_followed_and_a_dangling_one_names_nobody(path: Path, tmp_path: Path) -> None:
    (tmp_path / "real").write_text("7")
    path.symlink_to("real")
    assert read(str(path)).pid == 7
    (tmp_path / "real").unlink()
    assert read(str(path)).problem == "is a link to nothing"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_alone_is_refused_and_else_vouches_for_that_user_only(path: Path) -> None:
    path.write_text("1")
    os.chown(path, 65534, 0)
    with pytest.raises(PidFileError, match="belongs to user 65534"):
        read(str(path), only=True)
    assert read(str(path)).owner == 65534


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_link_of_another_user_is_refused(path: Path, tmp_path: Path) -> None:
    (tmp_path / "real").write_text("7")
    path.symlink_to("real")
    os.chown(path, 65534, 65534, follow_symlinks=False)
    with pytest.raises(PidFileError, match="symbolic link of user 65534"):
        read(str(path))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_that_another_group_can_write_is_refused_alone(path: Path) -> None:
    path.write_text("1")
    os.chown(path, 0, 65534)
    path.chmod(0o664)
    with pytest.raises(PidFileError, match="group 65534"):
        read(str(path), only=True)
    assert read(str(path)).pid == 1


def test_it_is_written_whole(path: Path) -> None:
    """Readers while it is replaced a thousand times see a pid, and never nothing."""
    pidfile.write(str(path), 1111111)
    done = threading.Event()
    seen: set[bytes] = set()

    def look() -> None:
        while not done.is_set():
            seen.add(path.read_bytes())

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(1000):
        pidfile.write(str(path), 1111111 + number % 2)
    done.set()
    reader.join()
    assert seen <= {b"1111111\n", b"1111112\n"}
    assert path.stat().st_mode & 0o777 == 0o644
    assert [each.name for each in path.parent.iterdir()] == ["x.pid"]


def test_writing_replaces_a_link_and_leaves_what_it_leads_to(path: Path, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    path.symlink_to("victim")
    pidfile.write(str(path), 5)
    assert (tmp_path / "victim").read_text() == "precious"
    assert not path.is_symlink()


def test_an_empty_file_gets_a_moment(path: Path) -> None:
    """Its writer is between open and write, as all but the careful ones are."""
    path.touch()
    writer = threading.Timer(0.05, path.write_text, ["4321\n"])
    writer.start()
    assert read(str(path)).pid == 4321
    writer.join()


def test_only_the_own_file_is_removed(path: Path) -> None:
    path.write_text("1234\n")
    assert not pidfile.remove(str(path), 99)
    assert path.exists()
    assert pidfile.remove(str(path), 1234)
    assert not pidfile.remove(str(path), 1234)


def test_where_it_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(PidFileError, match="cannot be written: No such file"):
        pidfile.write(str(tmp_path / "no/x.pid"), 1)
    with pytest.raises(PidFileError, match="is a folder"):
        pidfile.write(str(tmp_path), 1)
