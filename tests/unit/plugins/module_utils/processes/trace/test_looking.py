# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read from outside of the program: addresses and pidfiles."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.foster.init.plugins.module_utils.processes.trace import pidfiles, sockets


@pytest.mark.parametrize(
    ("kernel", "address"),
    [
        ("00000000:0050", "0.0.0.0:80"),
        ("0100007F:1F90", "127.0.0.1:8080"),
        ("00000000000000000000000000000000:0016", "[::]:22"),
        ("B80D0120000000000000000001000000:0016", "[2001:db8::1]:22"),
    ],
)
def test_an_address_is_read_as_people_write_it(kernel: str, address: str) -> None:
    assert sockets.internet_address(kernel) == address


def test_only_listening_sockets_are_told(tmp_path: Path) -> None:
    heading = "sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode\n"
    (tmp_path / "tcp").write_text(
        heading + "0: 0100007F:1F90 00000000:0000 0A 0:0 0:0 0 0 0 111 1\n1: 0100007F:1F91 0:0 01 0:0 0:0 0 0 0 112 1\n"
    )
    (tmp_path / "unix").write_text(
        "Num RefCount Protocol Flags Type St Inode Path\n"
        "0: 00000002 00000000 00010000 0001 01 113 /run/with space\n"
        "0: 00000002 00000000 00010000 0001 01 114\n"
        "0: 00000002 00000000 00000000 0002 01 115 /run/datagram\n"
    )
    assert sockets.listening(str(tmp_path)) == {"111": "127.0.0.1:8080", "113": "/run/with space", "114": ""}


def test_only_a_regular_file_that_names_a_living_process_is_a_pidfile(tmp_path: Path) -> None:
    contents = {
        "a.pid": "71\n", "b.lock": "71", "other": "  71 \nmore\n", "c.pid": "72\n", "text": "71st\n", "empty": "",
        "long.pid": "7" * 400,
    }  # fmt: skip
    for name, content in contents.items():
        (tmp_path / name).write_text(content)
    os.mkfifo(tmp_path / "fifo.pid")  # opening it must not wait for a writer
    paths = [str(tmp_path / name) for name in (*contents, "fifo.pid", "missing.pid")]
    found = pidfiles.named([*paths, "/proc/sys/kernel/pid_max"], {71})
    assert [os.path.basename(path) for path, _pid in found] == ["a.pid", "other", "b.lock"]


def test_the_paths_of_a_command_line_are_looked_at(tmp_path: Path) -> None:
    for name in ("a.pid", "data"):
        (tmp_path / name).write_text("")
    commands = [f"/usr/bin/x -P /run/x.pid --pidfile=/run/y.pid -D {tmp_path}", "x: master process"]
    assert list(pidfiles.mentioned(commands)) == ["/usr/bin/x", "/run/x.pid", "/run/y.pid", str(tmp_path / "a.pid")]


def test_without_knowing_what_was_created_recent_files_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    new, old = tmp_path / "sub" / "new.pid", tmp_path / "old.pid"
    new.write_text("1")
    old.write_text("1")
    os.utime(old, (1, 1))
    assert list(pidfiles.recent(new.stat().st_mtime, [str(tmp_path)])) == [str(new)]
