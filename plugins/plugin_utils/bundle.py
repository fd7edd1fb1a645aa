# SPDX-License-Identifier: GPL-3.0-or-later
"""Pack module_utils and jeepney into one file that runs with nothing but Python: foster.pyz.

Runs on the controller, with or without Ansible. The same sources give the same bytes everywhere: entries are sorted,
stored uncompressed (a zlib may compress differently) and dated 1980, and no bytecode goes in, because one bundle
serves Python 3.9 and everything later. What start-up needs compiled is compiled where it is installed.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import io
import os
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

MODULE_UTILS = Path(__file__).resolve().parent.parent / "module_utils"
PROGRAMS = ("fosterctl", "fosterd")

# A zip file may have anything before it, so the bundle is a program. -I -S: no site-packages and nothing of the
# caller's environment, which also saves 30 ms. The clients are started with -c, because running a zip file imports
# runpy (5 ms); the supervisor is not, so that ps shows it by its path.
_LAUNCH = """#!/bin/sh
# foster.init: see `fosterctl --help`. GPL-3.0-or-later.
case "$0" in
*fosterd|*.pyz) exec python3 -IS "$0" "$@" ;;
*) exec python3 -IS -c '{start}' "$0" "$@" ;;
esac
"""
_CLIENT = """import sys
sys.argv = sys.argv[1:]
bundle = sys.argv[0]
"""
_MAIN = """# SPDX-License-Identifier: GPL-3.0-or-later
import sys
bundle = sys.argv[0]
"""
# Next to itself the installer unpacks and compiles the same sources: importing them from there is twice as fast.
_START = """import os
if sys.version_info < (3, 9):
    sys.exit("foster needs Python 3.9 or later, and this is %d.%d; run it with a newer one" % sys.version_info[:2])
unpacked = os.path.join(os.path.dirname(os.path.realpath(bundle)), "foster-{digest}")
sys.path.insert(0, unpacked if os.path.isdir(unpacked) else bundle)
from foster.cli.dispatch import run
sys.exit(run(sys.argv))
"""
_JEEPNEY_INIT = '"""The parts of jeepney {version} that foster uses; see LICENSE in this folder."""\n'
_DOTTED = re.compile(r"^[a-z_]+(\.[a-z_]+)+$")
_DATE = (1980, 1, 1, 0, 0, 0)


class BundleError(Exception):
    """A bundle cannot be built here; the text says what is missing."""


@dataclass(frozen=True)
class Bundle:
    """A built bundle: the bytes of foster.pyz, and the SHA-256 of what is in it, in hex."""

    data: bytes
    digest: str


def build(module_utils: Path = MODULE_UTILS, jeepney: Optional[Path] = None) -> Bundle:
    """Build the bundle from ``module_utils`` and the jeepney package in the folder ``jeepney`` (default: where it is).

    Raises BundleError when jeepney is not to be found.
    """
    entries = {"foster/" + name: data for name, data in _sources(module_utils).items()}
    entries.update(_jeepney(entries, jeepney))
    contents = hashlib.sha256()
    for name in sorted(entries):
        contents.update(b"%s\0%d\0" % (name.encode(), len(entries[name])) + entries[name])
    digest = contents.hexdigest()
    start = _START.replace("{digest}", digest[:16])
    entries["__main__.py"] = (_MAIN + start).encode()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        for name in sorted(entries):
            info = zipfile.ZipInfo(name, _DATE)
            info.create_system = 3  # Unix, whatever the controller is
            info.external_attr = 0o100644 << 16
            packed.writestr(info, entries[name])
    return Bundle(_LAUNCH.replace("{start}", _CLIENT + start).encode() + archive.getvalue(), digest)


def write(folder: Path, module_utils: Path = MODULE_UTILS, jeepney: Optional[Path] = None) -> Bundle:
    """Build, and write foster.pyz with its programs into ``folder``; return the bundle."""
    bundle = build(module_utils, jeepney)
    folder.mkdir(parents=True, exist_ok=True)
    # A link is enough for the programs: the bundle looks at the name that it was called by. But a checkout on a
    # file system without links, or a plain copy of one file to another host, has to work too.
    for name in ("foster.pyz", *PROGRAMS):
        unfinished = folder / f".{name}.new"
        unfinished.write_bytes(bundle.data)
        unfinished.chmod(0o755)
        os.replace(unfinished, folder / name)
    return bundle


def _sources(module_utils: Path) -> dict[str, bytes]:
    """Return every source file by its path below ``module_utils``, but for what only runs in Ansible."""
    found = {}
    for path in sorted(module_utils.rglob("*.py")):
        if path.relative_to(module_utils).parts[0] == "ansible":
            continue
        data = path.read_bytes()
        if not _imports(data, str(path), "ansible"):
            found[path.relative_to(module_utils).as_posix()] = data
    if not found:
        raise BundleError(f"{module_utils} holds no Python source: give the collection's plugins/module_utils")
    return found


def _imports(source: bytes, name: str, package: str) -> set[str]:
    """Return the absolute imports of ``package`` in ``source``: dotted module names, and names imported from them."""
    if package.encode() not in source:
        return set()
    found: set[str] = set()
    try:
        tree = ast.parse(source, name)
    except SyntaxError as error:
        raise BundleError(f"{name}:{error.lineno}: not valid Python: {error.msg}") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
            found.add(node.module)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _DOTTED.match(node.value):
            found.add(node.value)  # an import by name, through importlib
    return {each for each in found if each == package or each.startswith(package + ".")}


def _jeepney(entries: dict[str, bytes], folder: Optional[Path]) -> dict[str, bytes]:
    """Return the modules of jeepney that ``entries`` import, with all that those import, and the licence."""
    wanted: set[str] = set()
    for name, data in entries.items():
        wanted |= _imports(data, name, "jeepney")
    if not wanted:
        return {}
    folder = folder or _installed_jeepney()
    modules: dict[str, bytes] = {}
    whole = False  # somebody wants a name that only jeepney's own __init__ gives
    queue = sorted(wanted)
    while queue:
        dotted = queue.pop().split(".")[1:]
        module = _module_file(folder, dotted)
        if module is None:
            if dotted and _module_file(folder, dotted[:-1]) is not None:
                continue  # a name in a module, which is in the queue by itself
            if dotted:
                whole = True
                module = "__init__.py"
            else:
                continue
        if module not in modules:
            modules[module] = (folder / module).read_bytes()
            queue += _relative_imports(modules[module])
    if whole and "__init__.py" not in modules:
        modules["__init__.py"] = (folder / "__init__.py").read_bytes()
    modules.setdefault("__init__.py", _JEEPNEY_INIT.format(version=_version(folder)).encode())
    modules["LICENSE"] = _licence(folder)
    return {"jeepney/" + name: data for name, data in modules.items()}


def _module_file(folder: Path, dotted: list[str]) -> Optional[str]:
    """Return the file of a jeepney module below ``folder``, or None if there is no such module."""
    if not dotted:
        return None
    name = "/".join(dotted) + ".py"
    return name if (folder / name).is_file() else None


def _relative_imports(source: bytes) -> list[str]:
    """Return what a top-level module of jeepney imports from its own package, as absolute names."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            if node.module:
                found.append("jeepney." + node.module)
            else:
                found += ["jeepney." + alias.name for alias in node.names]
    return found


def _installed_jeepney() -> Path:
    spec = importlib.util.find_spec("jeepney")
    if spec is None or not spec.submodule_search_locations:
        raise BundleError(
            "jeepney is not installed for this Python, and the bundle carries it: run `pip install jeepney`"
        )
    return Path(next(iter(spec.submodule_search_locations)))


def _version(folder: Path) -> str:
    """Return the version that a jeepney package states in its __init__, or "unknown"."""
    for line in (folder / "__init__.py").read_text(encoding="utf-8").splitlines():
        if line.startswith("__version__"):
            return line.split("=", 1)[1].strip().strip("'\"")
    return "unknown"


def _licence(folder: Path) -> bytes:
    """Return the text of jeepney's licence (MIT asks that it goes along), wherever the packager put it."""
    places = [folder / "LICENSE", folder.parent / "LICENSE", Path("/usr/share/doc/python3-jeepney/copyright")]
    for info in sorted(folder.parent.glob("jeepney-*.dist-info")):
        places[:0] = [info / "licenses" / "LICENSE", info / "LICENSE"]
    for place in places:
        if place.is_file():
            return place.read_bytes()
    return b"jeepney, by Thomas Kluyver and contributors, MIT licence: https://gitlab.com/takluyver/jeepney\n"
