# SPDX-License-Identifier: GPL-3.0-or-later
"""Who answers at a socket, and which socket is asked."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from ansible_collections.foster.init.plugins.module_utils.inits import detect
from ansible_collections.foster.init.plugins.module_utils.inits.foster import SYSTEM_SOCKET, address


def test_the_listener_is_told_by_the_kernel(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        assert detect.listener(str(tmp_path / "s")) == os.getpid()


def test_a_socket_that_nobody_listens_at_is_nobody(tmp_path: Path) -> None:
    """A file left over from a killed supervisor must not pass for a running one."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
    assert detect.listener(str(tmp_path / "s")) is None
    assert detect.listener(str(tmp_path / "missing")) is None


def test_the_mount_of_a_hierarchy_is_found_by_its_controllers(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\ncgroup /c/systemd cgroup rw,xattr,name=systemd 0 0\n"
        "cgroup /c/cpu cgroup rw,cpu,cpuacct 0 0\n"
    )
    assert detect.cgroup_root("", str(mounts)) == "/sys/fs/cgroup/unified"
    assert detect.cgroup_root("name=systemd", str(mounts)) == "/c/systemd"
    assert detect.cgroup_root("cpu,cpuacct", str(mounts)) == "/c/cpu"
    assert detect.cgroup_root("pids", str(mounts)) is None


def test_the_session_is_asked_unless_somebody_else_is_insisted_on(tmp_path: Path) -> None:
    environ = {"UPSTART_SESSION": "unix:abstract=/s", "XDG_RUNTIME_DIR": str(tmp_path)}
    assert address(environ, 0) == "unix:abstract=/s"
    assert address(environ, 0, system=True) == f"unix:path={SYSTEM_SOCKET}"
    assert address(environ, 1000, user=True) == f"unix:path={tmp_path}/foster/control"


def test_root_asks_the_system_and_a_user_the_own_supervisor_where_there_is_one(tmp_path: Path) -> None:
    environ = {"XDG_RUNTIME_DIR": str(tmp_path)}
    (tmp_path / "foster").mkdir()
    (tmp_path / "foster" / "control").touch()
    assert address(environ, 0) == f"unix:path={SYSTEM_SOCKET}"
    assert address(environ, 1000) == f"unix:path={tmp_path}/foster/control"
