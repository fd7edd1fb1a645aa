# SPDX-License-Identifier: GPL-3.0-or-later
"""Which definition an instance was started with, where that is not the one that is written down now.

systemd knows what it would start next, not what it has started. Each start has an invocation id of its own, so when a
definition changes below a running instance, that id is noted with the digest of the definition before. An instance
that is not noted runs the present one, whoever has started it. The notes are on tmpfs: a boot ends all of them.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping

from . import jobfile
from .errors import InitError


class Started:
    """The notes below ``folder``, one file for each unit (``web.service``, ``web@.service``)."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def read(self, unit: str) -> dict[str, str]:
        """Return the digests of older definitions by the invocation ids that run them."""
        try:
            notes = json.loads(jobfile.read(self._path(unit)) or "{}")
        except (ValueError, InitError):
            return {}
        return {str(key): str(value) for key, value in notes.items()} if isinstance(notes, dict) else {}

    def changes(self, unit: str, running: list[str], before: str) -> None:
        """Note that the invocations ``running`` were started with ``before``, but for those that are older still."""
        known = self.read(unit)
        self._write(unit, {invocation: known.get(invocation, before) for invocation in running})

    def forget(self, unit: str) -> None:
        """Remove what was noted of the unit."""
        self._write(unit, {})

    def _write(self, unit: str, notes: Mapping[str, str]) -> None:
        path = self._path(unit)
        if notes:
            jobfile.write(path, json.dumps(notes, sort_keys=True) + "\n")
        elif os.path.lexists(path):
            jobfile.remove(path)
            for folder in (self._folder, os.path.dirname(self._folder)):  # nothing of ours stays behind
                with contextlib.suppress(OSError):
                    os.rmdir(folder)

    def _path(self, unit: str) -> str:
        return os.path.join(self._folder, f"{unit}.started")
