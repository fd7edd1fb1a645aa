# SPDX-License-Identifier: GPL-3.0-or-later
"""Let the tests import `ansible_collections.foster.init` from the working tree, without Ansible and without an
installation.
"""

from __future__ import annotations

import sys
import types
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def _provide_namespace(repository: Path) -> None:
    """Make the package `ansible_collections.foster.init` mean the folder `repository`.

    Ansible finds collections by an importer of its own; plain pytest knows nothing of it. Three module objects with the
    right `__path__` are enough for Python's normal import. A loader that already resolves the name to this very folder
    (`ansible-test units`) is left alone.
    """
    present = sys.modules.get("ansible_collections.foster.init")
    if present is not None and str(repository) in list(getattr(present, "__path__", [])):
        return
    parent = None
    for name, path in (
        ("ansible_collections", []),
        ("ansible_collections.foster", []),
        ("ansible_collections.foster.init", [str(repository)]),
    ):
        module = sys.modules.get(name)
        if module is None or name.endswith(".init"):
            module = types.ModuleType(name)
            module.__path__ = path
            sys.modules[name] = module
        if parent is not None:
            setattr(parent, name.rpartition(".")[2], module)
        parent = module


_provide_namespace(REPOSITORY)
sys.path.append(str(REPOSITORY / "tests" / "lib"))
