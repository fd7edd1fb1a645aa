# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundle: the same bytes from the same sources, and nothing needed but Python."""

from __future__ import annotations

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from ansible_collections.foster.init.plugins.plugin_utils import bundle

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def jeepney(tmp_path: Path) -> Path:
    """Return a package that looks like jeepney, so that the test needs none."""
    folder = tmp_path / "site" / "jeepney"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("from .wrappers import *\n__version__ = '9.9'\n")
    (folder / "low_level.py").write_text("from .fds import X\n")
    (folder / "fds.py").write_text("X = 1\n")
    (folder / "wrappers.py").write_text("raise ImportError\n")
    (folder / "LICENSE").write_text("MIT\n")
    return folder


def build(output: Path, jeepney: Path) -> None:
    command = [sys.executable, str(ROOT / "hacking" / "build"), "--output", str(output), "--jeepney", str(jeepney)]
    subprocess.run(command, check=True, capture_output=True)


def test_two_builds_are_byte_identical(tmp_path: Path, jeepney: Path) -> None:
    for name in ("one", "two"):
        build(tmp_path / name, jeepney)
    for name in ("foster.pyz", "fosterd", "fosterctl"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
        assert (tmp_path / "one" / name).stat().st_mode & 0o777 == 0o755


def test_the_programs_run_alone(tmp_path: Path, jeepney: Path) -> None:
    build(tmp_path / "out", jeepney)
    alone = tmp_path / "alone"
    alone.mkdir()
    for name, word in (("fosterctl", "fosterctl"), ("fosterd", "fosterd"), ("initctl", "initctl")):
        program = alone / name
        program.write_bytes((tmp_path / "out" / "foster.pyz").read_bytes())
        program.chmod(0o755)
        done = subprocess.run([str(program), "--help"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert f"Usage: {word}" in done.stdout


def test_the_bundle_holds_no_bytecode_and_nothing_that_imports_ansible(tmp_path: Path, jeepney: Path) -> None:
    bundle.write(tmp_path / "out", jeepney=jeepney)
    with zipfile.ZipFile(tmp_path / "out" / "foster.pyz") as packed:
        names = packed.namelist()
        assert names == sorted(names)
        assert {info.date_time for info in packed.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert not [name for name in names if name.endswith(".pyc")]
        for name in names:
            if name.endswith(".py"):
                for node in ast.walk(ast.parse(packed.read(name))):
                    assert not (isinstance(node, ast.ImportFrom) and str(node.module).startswith("ansible")), name


def test_only_the_parts_of_jeepney_that_are_imported_go_in(tmp_path: Path, jeepney: Path) -> None:
    bundle.write(tmp_path / "out", jeepney=jeepney)
    with zipfile.ZipFile(tmp_path / "out" / "foster.pyz") as packed:
        parts = [name for name in packed.namelist() if name.startswith("jeepney/")]
        assert parts == ["jeepney/LICENSE", "jeepney/__init__.py", "jeepney/fds.py", "jeepney/low_level.py"]
        assert b"jeepney 9.9" in packed.read("jeepney/__init__.py")


def test_one_changed_byte_is_another_digest(tmp_path: Path) -> None:
    (tmp_path / "cli").mkdir()
    source = tmp_path / "cli" / "dispatch.py"
    source.write_text("A = 1\n")
    first = bundle.build(tmp_path)
    source.write_text("A = 2\n")
    second = bundle.build(tmp_path)
    assert first.digest != second.digest
    assert len(first.data) == len(second.data)


def test_a_missing_jeepney_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(bundle.BundleError, match="pip install jeepney"):
        bundle.build()
