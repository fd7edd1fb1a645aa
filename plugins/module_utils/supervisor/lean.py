# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory that the supervisor does without: 1 to 2.6 MB are the module inspect and what it imports.

dataclasses imports inspect (Python 3.9 to 3.14) and needs next to nothing of it for classes that have a docstring.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any


class _StandIn(ModuleType):
    """In the place of inspect until somebody asks for more than the annotations of a class."""

    if sys.version_info < (3, 14):  # where a class does not make them when it is asked for them

        def get_annotations(self, what: Any, **options: Any) -> Any:
            """Return the annotations of ``what``; see inspect.get_annotations."""
            if isinstance(what, type) and not options:
                return dict(what.__dict__.get("__annotations__", {}))  # noqa: RUF063  # this is that function
            return self._real().get_annotations(what, **options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # the import system looks for some, which no module needs to have
            raise AttributeError(name)
        return getattr(self._real(), name)

    def _real(self) -> ModuleType:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return importlib.import_module(self.__name__)


def spare_inspect() -> None:
    """Let nobody load inspect before it is used. For programs of our own only, before they import anything else."""
    sys.modules.setdefault("inspect", _StandIn("inspect"))
