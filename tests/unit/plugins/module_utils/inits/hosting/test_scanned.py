# SPDX-License-Identifier: GPL-3.0-or-later
"""Service folders of runit and s6: who reads their fifos here is the test itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.foster.init.plugins.module_utils.inits.errors import InitError
from ansible_collections.foster.init.plugins.module_utils.inits.hosting import running, scanned
from ansible_collections.foster.init.plugins.module_utils.inits.hosting.layout import SYSTEM
from ansible_collections.foster.init.plugins.module_utils.inits.hosting.runit import Runit
from ansible_collections.foster.init.plugins.module_utils.inits.hosting.s6 import S6
from ansible_collections.foster.init.plugins.module_utils.processes.identity import Identity


@pytest.fixture
def layout(tmp_path: Path) -> object:
    return SYSTEM._replace(socket=str(tmp_path / "run" / "control"), log=str(tmp_path / "log" / "fosterd.log"))


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine may keep the tests' folders in memory."""
    monkeypatch.setattr(scanned, "is_volatile", lambda _folder: False)


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[object]:
    """A function that makes a fifo with a reader, and returns one that reads what has come."""
    opened = []

    def make(path: Path) -> object:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(path)
        opened.append(os.open(path, os.O_RDONLY | os.O_NONBLOCK))

        def read(at: int = opened[-1]) -> bytes:
            try:
                return os.read(at, 64)
            except BlockingIOError:
                return b""

        return read

    yield make
    for descriptor in opened:
        os.close(descriptor)


def _end(_layout: object, _keep: bool, tell: object) -> bool:
    tell(Identity(0, 0, ""))  # type: ignore[operator]
    return True


@pytest.mark.usefixtures("on_disk")
def test_runit_is_told_by_a_link_and_by_the_fifo_of_the_folder(
    tmp_path: Path, layout: SYSTEM, fifo: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "end", _end)
    monkeypatch.setattr(running, "terminate", lambda _identity: None)
    monkeypatch.setattr(running, "wait_until_up", lambda *_: 1)
    scan, sv = tmp_path / "service", tmp_path / "sv"
    scan.mkdir()
    sv.mkdir()
    hosting = Runit(layout, str(scan), (str(tmp_path / "none"), str(sv)))
    assert len(hosting.pending()) == 3
    hosting.install()
    assert hosting.pending() == ()
    assert (scan / "fosterd" / "run").read_text().splitlines()[-1].startswith("exec /usr/local/lib/foster/fosterd ")
    assert os.access(scan / "fosterd" / "control" / "t", os.X_OK)
    read = fifo(sv / "fosterd" / "supervise" / "control")
    hosting.start()
    assert read() == b"u"
    hosting.stop(keep_jobs=False)
    assert read() == b"d"
    monkeypatch.setattr(scanned, "wait_until_unwatched", lambda _folder: None)
    hosting.remove()
    assert list(scan.iterdir()) == list(sv.iterdir()) == []


@pytest.mark.usefixtures("on_disk")
def test_s6_is_told_by_a_folder_and_by_the_fifo_of_the_scanner(
    tmp_path: Path, layout: SYSTEM, fifo: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "end", _end)
    monkeypatch.setattr(running, "terminate", lambda _identity: None)
    monkeypatch.setattr(running, "wait_until_up", lambda *_: 1)
    scan = tmp_path / "service"
    read = fifo(scan / ".s6-svscan" / "control")
    hosting = S6(layout, str(scan))
    hosting.install()
    assert read() == b"a"
    hosting.install()
    assert read() == b""
    own = fifo(scan / "fosterd" / "supervise" / "control")
    hosting.start()
    assert own() == b"u"
    hosting.stop(keep_jobs=True)
    assert own() == b"d"
    monkeypatch.setattr(scanned, "wait_until_unwatched", lambda _folder: None)
    hosting.remove()
    assert read() == b"an"
    assert [path.name for path in scan.iterdir()] == [".s6-svscan"]


def test_a_watched_folder_in_memory_is_refused_unless_something_fills_it(
    tmp_path: Path, layout: SYSTEM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanned, "is_volatile", lambda _folder: True)
    (tmp_path / "service").mkdir()
    (tmp_path / "image").mkdir()
    with pytest.raises(InitError, match="gone after a reboot"):
        S6(layout, str(tmp_path / "service"), (str(tmp_path / "none"),)).verify()
    with pytest.raises(InitError, match="gone after a reboot"):
        Runit(layout, str(tmp_path / "service"), (str(tmp_path / "image"),)).verify()
    filled = S6(layout, str(tmp_path / "service"), (str(tmp_path / "none"), str(tmp_path / "image")))
    filled.verify()
    assert [change.path for change in filled.pending()] == [
        str(tmp_path / "service/fosterd/run"),
        str(tmp_path / "image/fosterd/run"),
    ]


def test_the_longest_mount_decides_what_is_in_memory(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/sda / ext4 rw 0 0\ntmpfs /run tmpfs rw 0 0\n/dev/sdb /run/kept ext4 rw 0 0\n")
    assert scanned.is_volatile("/run/service", str(mounts))
    assert not scanned.is_volatile("/run/kept/service", str(mounts))
    assert not scanned.is_volatile("/running", str(mounts))


def test_a_fifo_without_a_reader_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "supervise").mkdir()
    os.mkfifo(tmp_path / "supervise" / "control")
    assert not scanned.order(str(tmp_path), "u")
    scanned.wait_until_unwatched(str(tmp_path))
