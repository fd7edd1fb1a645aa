# SPDX-License-Identifier: GPL-3.0-or-later
"""What a logout ends: logind's files below a folder that stands for the root, and the verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import pytest
from ansible_collections.foster.init.plugins.module_utils.inits import logind
from ansible_collections.foster.init.plugins.module_utils.inits.logind import Settings, Standing, logout, standing

SHIPPED = "[Login]\n#NAutoVTs=6\n#KillUserProcesses=no\n#KillOnlyUsers=\n#KillExcludeUsers=root\n"


def put(root: Path, path: str, text: str) -> None:
    where = root / path
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_text(text)


def test_the_default_that_the_main_file_tells_of(tmp_path: Path) -> None:
    put(tmp_path, "etc/systemd/logind.conf", SHIPPED)
    found = logind.read(str(tmp_path))
    assert (found.kill, found.exclude) == (False, ("root",))
    assert found.source == "the default that /etc/systemd/logind.conf tells of"


def test_the_main_file_says_so(tmp_path: Path) -> None:
    put(tmp_path, "etc/systemd/logind.conf", SHIPPED + "KillUserProcesses=yes\nKillExcludeUsers=root ci\n")
    put(tmp_path, "usr/lib/systemd/logind.conf", "[Login]\nKillUserProcesses=no\n")
    found = logind.read(str(tmp_path))
    assert (found.kill, found.exclude, found.source) == (True, ("root", "ci"), "/etc/systemd/logind.conf")


def test_drop_ins_by_name_whatever_their_folder_and_one_hides_another(tmp_path: Path) -> None:
    put(tmp_path, "usr/lib/systemd/logind.conf", SHIPPED)
    put(tmp_path, "usr/lib/systemd/logind.conf.d/50-vendor.conf", "[Login]\nKillUserProcesses=yes\n")
    put(tmp_path, "etc/systemd/logind.conf.d/10-own.conf", "[Login]\nKillUserProcesses=no\nKillOnlyUsers=ann bob\n")
    found = logind.read(str(tmp_path))
    assert (found.kill, found.only) == (True, ("ann", "bob"))
    put(tmp_path, "etc/systemd/logind.conf.d/50-vendor.conf", "")
    assert logind.read(str(tmp_path)).kill is False


def test_nobody_says_so(tmp_path: Path) -> None:
    put(
        tmp_path,
        "etc/systemd/logind.conf.d/x.conf",
        "[Other]\nKillUserProcesses=yes\n[Login]\nKillUserProcesses=maybe\n",
    )
    assert logind.read(str(tmp_path)) == Settings()


def test_lingering(tmp_path: Path) -> None:
    put(tmp_path, "var/lib/systemd/linger/ann", "")
    assert logind.lingers("ann", str(tmp_path))
    assert not logind.lingers("bob", str(tmp_path))
    assert not logind.lingers("../linger/ann", str(tmp_path))


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/user.slice/user-1000.slice/session-3.scope", Standing("3", "")),
        ("/user.slice/user-1000.slice/session-c2.scope/x", Standing("c2", "")),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/x.service", Standing("", "1000")),
        ("/system.slice/ssh.service", Standing()),
        ("/", Standing()),
    ],
)
def test_where_a_process_stands(path: str, where: Standing) -> None:
    assert standing(["/", path]) == where


IN_SESSION, BELOW_MANAGER, ELSEWHERE = Standing("3", ""), Standing("", "1000"), Standing()
YES, NO = Settings(True, source="x"), Settings(False, source="x")


@pytest.mark.parametrize(
    ("where", "user", "settings", "lingers", "ends"),
    [
        (IN_SESSION, "ann", YES, False, True),
        (IN_SESSION, "ann", YES, True, True),  # lingering keeps the manager, not the session
        (IN_SESSION, "ann", NO, False, False),
        (IN_SESSION, "root", YES, False, False),
        (IN_SESSION, "ann", YES._replace(only=("bob",)), False, False),
        (IN_SESSION, "bob", YES._replace(only=("bob",)), False, True),
        (IN_SESSION, "bob", YES._replace(only=("bob",), exclude=("bob",)), False, False),
        (IN_SESSION, "ann", Settings(), False, None),
        (BELOW_MANAGER, "ann", NO, False, True),
        (BELOW_MANAGER, "ann", YES, True, False),
        (ELSEWHERE, "ann", YES, False, False),
    ],
)
def test_what_a_logout_ends(
    where: Standing, user: str, settings: Settings, lingers: bool, ends: Optional[bool]
) -> None:
    found = logout(where, user, settings, lingers, "")
    assert found.ends is ends
    assert found.reason.endswith(".")


def test_a_terminal_hangs_up() -> None:
    assert "Its terminal /dev/pts/1 hangs up" in logout(ELSEWHERE, "ann", NO, False, "/dev/pts/1").reason
