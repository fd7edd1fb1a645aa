# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundle on a host: put there in one step, upgraded, removed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.foster.init.plugins.module_utils.inits.hosting import files
from ansible_collections.foster.init.plugins.plugin_utils import bundle

MAIN = "def run(argv):\n    print(__file__, *argv[1:])\n    return {status}\n"


def made(folder: Path, status: int) -> bytes:
    """Return a bundle of a program that prints where it came from and ends with ``status``."""
    (folder / "cli").mkdir(parents=True, exist_ok=True)
    for name in ("__init__.py", "cli/__init__.py"):
        (folder / name).touch()
    (folder / "cli" / "dispatch.py").write_text(MAIN.format(status=status))
    return bundle.build(folder).data


def test_install_is_idempotent_and_the_program_runs_from_what_was_unpacked(tmp_path: Path) -> None:
    data = made(tmp_path / "src", 5)
    library, programs = str(tmp_path / "lib"), str(tmp_path / "bin")
    assert files.install(data, library, programs, sys.executable)
    assert not files.install(data, library, programs, sys.executable)
    done = subprocess.run([f"{programs}/fosterctl", "a b"], capture_output=True, text=True, check=False)
    assert done.returncode == 5
    assert done.stdout == f"{library}/{files.installed(library)}/foster/cli/dispatch.py a b\n"


def test_the_program_runs_without_what_was_unpacked(tmp_path: Path) -> None:
    program = tmp_path / "fosterctl"
    program.write_bytes(files.with_interpreter(made(tmp_path / "src", 6), sys.executable))
    program.chmod(0o755)
    assert subprocess.run([str(program)], capture_output=True, check=False).returncode == 6


def test_an_interpreter_with_odd_characters_is_quoted(tmp_path: Path) -> None:
    odd = tmp_path / "it's $HOME py"
    odd.symlink_to(sys.executable)
    program = tmp_path / "fosterctl"
    program.write_bytes(files.with_interpreter(made(tmp_path / "src", 7), str(odd)))
    program.chmod(0o755)
    assert subprocess.run([str(program)], capture_output=True, check=False).returncode == 7


def test_an_upgrade_keeps_one_version_for_a_supervisor_that_still_runs_from_it(tmp_path: Path) -> None:
    library, programs = str(tmp_path / "lib"), str(tmp_path / "bin")
    names = []
    for status in (1, 2, 3):
        data = made(tmp_path / "src", status)
        assert files.install(data, library, programs)
        names.append(files.unpacked_name(data))
        os.utime(os.path.join(library, names[-1]), (status, status))
    kept = sorted(name for name in os.listdir(library) if name.startswith("foster-"))
    assert kept == sorted(names[1:])


def test_what_is_no_bundle_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no foster\.pyz"):
        files.install(b"#!/bin/sh\n", str(tmp_path / "lib"), str(tmp_path / "bin"))
    assert list(tmp_path.iterdir()) == []


def test_remove_leaves_what_others_put_there(tmp_path: Path) -> None:
    library, programs = tmp_path / "lib", tmp_path / "bin"
    files.install(made(tmp_path / "src", 0), str(library), str(programs))
    (programs / "fosterd").unlink()
    (programs / "fosterd").write_text("somebody else's")
    assert files.remove(str(library), str(programs))
    assert [path.name for path in programs.iterdir()] == ["fosterd"]
    assert not files.remove(str(library), str(programs))


def test_a_file_with_another_mode_is_written_again(tmp_path: Path) -> None:
    path = str(tmp_path / "f")
    assert files.write(path, b"x", 0o755)
    assert not files.write(path, b"x", 0o755)
    os.chmod(path, 0o600)
    assert files.write(path, b"x", 0o755)
    assert os.stat(path).st_mode & 0o777 == 0o755
