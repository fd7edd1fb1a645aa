# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of ARCHITECTURE.md, read off the source: imports go downwards only, and the pure packages touch nothing
outside.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
MODULE_UTILS = REPOSITORY / "plugins" / "module_utils"
COLLECTION = "ansible_collections.foster.init.plugins.module_utils"

# package -> the packages it may import
MAY_IMPORT = {
    "job": set(),
    "engine": {"job"},
    "dbus": set(),
    "processes": set(),
    "supervisor": {"engine", "job", "dbus", "processes"},
    "inits": {"engine", "job", "dbus", "processes"},
    "cli": {"inits", "supervisor", "engine", "job", "dbus", "processes"},
    "ansible": {"inits", "supervisor", "engine", "job", "dbus", "processes"},
}
PURE = {"job", "engine"}
WORLD = {
    "asyncio",
    "ctypes",
    "datetime",
    "fcntl",
    "glob",
    "io",
    "multiprocessing",
    "os",
    "pathlib",
    "random",
    "resource",
    "select",
    "selectors",
    "shutil",
    "signal",
    "socket",
    "subprocess",
    "tempfile",
    "threading",
    "time",
}
ONLY_IN = {"jeepney": "dbus", "psutil": "processes"}


def imported_names(source: str, package: tuple[str, ...]) -> set[str]:
    """Return the absolute names that `source`, a module of `package` (parts below module_utils), imports anywhere in
    it.

    Ours come back as `ours.<package>...`; imports inside functions and under TYPE_CHECKING count as well.
    """
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.update(_from_names(node, package))
    return {name.replace(COLLECTION, "ours", 1) for name in names}


def _from_names(node: ast.ImportFrom, package: tuple[str, ...]) -> set[str]:
    if node.level == 0:
        return {node.module or ""}
    base = ("ours", *package)
    kept = base[: len(base) - (node.level - 1)]
    if not kept:
        return {"above module_utils"}
    if node.module:
        return {".".join((*kept, node.module))}
    return {".".join((*kept, alias.name)) for alias in node.names}


def violations(source: str, package: tuple[str, ...]) -> list[str]:
    """Return one sentence for each import of `source` that breaks a rule."""
    own = package[0] if package else ""
    found = []
    for name in sorted(imported_names(source, package)):
        top, _unused, rest = name.partition(".")
        theirs = rest.partition(".")[0]
        if name == "above module_utils":
            found.append("a relative import leaves module_utils")
        elif top == "ours" and theirs and theirs != own and theirs not in MAY_IMPORT.get(own, set()):
            found.append(f"{own or 'module_utils'} imports {theirs}, which is not below it")
        elif top == "ansible" and own in {"job", "engine", "supervisor", "dbus", "processes", "inits", "cli"}:
            found.append(f"{own} imports ansible, which is not there in the zipapp")
        elif own in PURE and top in WORLD:
            found.append(f"{own} is pure and imports {top}")
        elif top in ONLY_IN and own != ONLY_IN[top]:
            found.append(f"{own} imports {top}; only {ONLY_IN[top]} does")
    return found


def _modules() -> list[Path]:
    return sorted(path for path in MODULE_UTILS.rglob("*.py") if path.parent != MODULE_UTILS)


def test_there_is_something_to_check() -> None:
    packages = {path.relative_to(MODULE_UTILS).parts[0] for path in _modules()}
    assert packages >= {"job", "engine", "supervisor", "inits", "dbus", "processes", "cli"}
    assert packages <= set(MAY_IMPORT), "a package that ARCHITECTURE.md and MAY_IMPORT do not know"


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(MODULE_UTILS)))
def test_imports_go_downwards_and_pure_packages_do_no_io(path: Path) -> None:
    package = path.relative_to(MODULE_UTILS).parts[:-1]
    assert violations(path.read_text(encoding="utf-8"), package) == []


@pytest.mark.parametrize(
    ("package", "source"),
    [
        (("job",), "from ..engine import states"),
        (("job",), "from .. import engine"),
        (("engine",), "from ..supervisor.loop import Loop"),
        (("engine",), "def f():\n    import time"),
        (("engine",), "from os import path"),
        (("job",), "import subprocess as s"),
        (("job",), f"from {COLLECTION}.cli import main"),
        (("inits",), "from ..supervisor import main"),
        (("supervisor", "control"), "from ...inits import foster"),
        (("supervisor", "control"), "import jeepney.low_level"),
        (("supervisor",), "import psutil"),
        (("supervisor",), "from ansible.module_utils.basic import AnsibleModule"),
        (("engine",), "from ...modules import job"),
    ],
)
def test_the_check_sees_a_bad_import(package: tuple[str, ...], source: str) -> None:
    assert violations(source, package)


@pytest.mark.parametrize(
    ("package", "source"),
    [
        (("engine",), "from ..job.model import Job"),
        (("engine",), "from . import states\nfrom .messages import Input"),
        (("supervisor", "control"), "from ...dbus import server\nfrom ..loop import Loop\nimport os"),
        (("dbus",), "import jeepney"),
    ],
)
def test_the_check_lets_a_good_import_pass(package: tuple[str, ...], source: str) -> None:
    assert violations(source, package) == []
