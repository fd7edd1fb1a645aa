# SPDX-License-Identifier: GPL-3.0-or-later
"""What a path is as a program: a binary, a script and its interpreter, an applet, or nothing any more."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.foster.init.plugins.module_utils.processes.target import TargetError, resolve, shebang


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"#!/bin/sh\n", ["/bin/sh"]),
        (b"#! /bin/sh -e \nset", ["/bin/sh", "-e"]),
        (b"#!/usr/bin/env -S python3 -u\n", ["/usr/bin/env", "-S python3 -u"]),
        (b"#!/bin/sh\r\n", ["/bin/sh"]),
        (b"#!/bin/sh", ["/bin/sh"]),
        (b"\x7fELF\x02", []),
        (b"# comment", []),
        (b"", []),
        (b"#!\n", []),
    ],
)
def test_the_first_line(head: bytes, words: list[str]) -> None:
    assert shebang(head) == words


@pytest.mark.parametrize(
    ("line", "interpreter", "prefix"),
    [
        ("#!/bin/sh", "/bin/sh", ()),
        ("#!/usr/bin/python3 -Es", "/usr/bin/python3", ("-Es",)),
        ("#!/usr/bin/env python3", "python3", ()),
        ("#!/usr/bin/env -S python3 -u -W ignore", "python3", ("-u", "-W", "ignore")),
        ("#!/usr/bin/env -S LANG=C python3", "python3", ()),
        ("#!/usr/bin/awk -f", "/usr/bin/awk", ("-f",)),
    ],
)
def test_a_script(tmp_path: Path, line: str, interpreter: str, prefix: tuple[str, ...]) -> None:
    path = tmp_path / "script"
    path.write_text(line + "\nbody\n")
    found = resolve(str(path))
    assert (found.interpreter, found.prefix) == (interpreter, prefix)
    assert found.file == (path.stat().st_dev, path.stat().st_ino)


def test_an_interpreter_that_is_a_script(tmp_path: Path) -> None:
    (tmp_path / "inner").write_text("#!/bin/sh -e\n")
    (tmp_path / "outer").write_text(f"#!{tmp_path}/inner -x\n")
    found = resolve(str(tmp_path / "outer"))
    assert found.interpreter == "/bin/sh"
    assert found.prefix == ("-e", f"{tmp_path}/inner", "-x")


def test_an_interpreter_that_runs_itself_comes_to_an_end(tmp_path: Path) -> None:
    (tmp_path / "self").write_text(f"#!{tmp_path}/self\n")
    assert resolve(str(tmp_path / "self")).interpreter == f"{tmp_path}/self"


def test_a_link_and_an_applet(tmp_path: Path) -> None:
    (tmp_path / "busybox").write_bytes(b"\x7fELF")
    (tmp_path / "syslogd").symlink_to("busybox")
    (tmp_path / "busybox-link").symlink_to("busybox")
    assert resolve(str(tmp_path / "syslogd")).applet == "syslogd"
    assert resolve(str(tmp_path / "busybox")).applet == ""


def test_below_a_root(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/app").write_bytes(b"\x7fELF")
    found = resolve("/bin/app", str(tmp_path))
    assert (found.path, found.real) == ("/bin/app", str(tmp_path / "bin/app"))
    assert found.file is not None


def test_a_missing_program_is_no_error(tmp_path: Path) -> None:
    """It may have been removed while it runs, and is to be stopped now."""
    assert resolve(str(tmp_path / "gone")).file is None


@pytest.mark.parametrize(
    ("path", "reason"), [("app", "absolute"), ("/", "folder"), ("/dev/null", "regular"), ("", "absolute")]
)
def test_what_is_no_program(path: str, reason: str) -> None:
    with pytest.raises(TargetError, match=reason):
        resolve(path)
