# SPDX-License-Identifier: GPL-3.0-or-later
"""The socket of the supervisor: whose it is, and that two supervisors never share it."""

from __future__ import annotations

import fcntl
import os
import select
import socket
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.foster.init.plugins.module_utils.supervisor.control.listener import Listener, ListenError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("open_to_all", [False, True])
@pytest.mark.parametrize("umask", [0, 0o77])
def test_permissions_do_not_depend_on_the_umask(folder: Path, open_to_all: bool, umask: int) -> None:
    before = os.umask(umask)
    try:
        listener = Listener.at_path(str(folder / "control"), open_to_all)
    finally:
        os.umask(before)
    assert mode_of(folder) == 0o755
    assert mode_of(folder / "control") == (0o666 if open_to_all else 0o600)
    assert listener.address == f"unix:path={folder}/control"
    listener.close()
    assert not (folder / "control").exists()


def test_a_second_supervisor_is_refused_and_the_first_one_goes_on(folder: Path) -> None:
    path = str(folder / "control")
    first = Listener.at_path(path)
    with pytest.raises(ListenError, match="Another supervisor runs at"):
        Listener.at_path(path)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        assert select.select([first.socket], [], [], 0)[0]
    first.close()
    Listener.at_path(path).close()


def test_the_socket_of_a_dead_supervisor_is_taken_over(folder: Path) -> None:
    path = str(folder / "control")
    dead = Listener.at_path(path)
    dead.close(remove=False)
    assert os.path.exists(path)
    Listener.at_path(path).close()


def test_something_else_that_listens_there_is_left_alone(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    path = str(folder / "control")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        other.listen()
        with pytest.raises(ListenError, match="Something listens at"):
            Listener.at_path(path)
        assert os.path.exists(path)


def test_a_file_in_the_way_is_left_alone(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    (folder / "control").write_text("precious")
    with pytest.raises(ListenError, match="is not a socket"):
        Listener.at_path(str(folder / "control"))
    assert (folder / "control").read_text() == "precious"


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o755)
    folder.symlink_to(tmp_path / "real")
    with pytest.raises(ListenError, match="symbolic link"):
        Listener.at_path(str(folder / "control"))


def test_a_folder_that_others_may_write_is_refused(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(ListenError, match="chmod go-w"):
        Listener.at_path(str(folder / "control"))


def test_a_folder_of_somebody_else_is_refused(folder: Path, monkeypatch: Any) -> None:
    folder.mkdir(mode=0o755)
    uid = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    with pytest.raises(ListenError, match="belongs to the user"):
        Listener.at_path(str(folder / "control"))


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path, folder: Path) -> None:
    folder.mkdir(mode=0o755)
    (folder / "control.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ListenError, match="Cannot listen at"):
        Listener.at_path(str(folder / "control"))
    assert not (tmp_path / "elsewhere").exists()


def test_a_lock_file_that_was_removed_meanwhile_is_not_taken_for_the_lock(folder: Path, monkeypatch: Any) -> None:
    """A supervisor that leaves removes its lock file; one that had opened it before must not believe in it."""
    path = str(folder / "control")
    real = fcntl.flock
    calls = []

    def flock(fd: int, how: int) -> None:
        if not calls:
            os.unlink(path + ".lock")
        calls.append(fd)
        real(fd, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    listener = Listener.at_path(path)
    assert len(calls) == 2
    assert os.path.samestat(os.fstat(listener.lock or -1), os.stat(path + ".lock"))
    listener.close()


def test_a_path_that_is_too_long_is_one_sentence(folder: Path) -> None:
    with pytest.raises(ListenError, match="longer than 107 bytes"):
        Listener.at_path(str(folder / ("x" * 120)))


def test_an_abstract_address_is_not_taken_twice() -> None:
    name = f"/foster-test/{os.getpid()}"
    listener = Listener.abstract(name)
    assert listener.address == f"unix:abstract={name}"
    with pytest.raises(ListenError, match="another one listens there"):
        Listener.abstract(name)
    listener.close()


def test_descriptors_that_were_passed_on_are_used_again(folder: Path) -> None:
    path = str(folder / "control")
    before = Listener.at_path(path)
    fd, lock = os.dup(before.socket.fileno()), os.dup(before.lock or -1)
    os.set_inheritable(fd, True)
    before.close(remove=False)
    after = Listener.inherit(fd, f"unix:path={path}", path, lock)
    assert not os.get_inheritable(fd)
    with pytest.raises(ListenError):
        Listener.at_path(path)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
    after.close()
