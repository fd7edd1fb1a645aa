# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of job files, as the supervisor and Upstart read it: NAME.conf and NAME.override."""

from __future__ import annotations

import os
from typing import Optional

from ..job.model import Job
from ..job.names import is_name
from . import jobfile
from .interface import Definition


class JobFolder:
    """The job files below ``folder``."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def paths(self, name: str) -> tuple[str, str]:
        """Return the paths of the job's file and of its override."""
        return os.path.join(self.folder, f"{name}.conf"), os.path.join(self.folder, f"{name}.override")

    def read(self, name: str) -> Definition:
        """Return the texts of the two files."""
        path, override_path = self.paths(name)
        return Definition(jobfile.read(path), jobfile.read(override_path))

    def names(self) -> list[str]:
        """Return the names of the jobs in the folder and below."""
        found = []
        for place, folders, files in os.walk(self.folder):
            folders[:] = sorted(each for each in folders if not each.startswith("."))
            below = os.path.relpath(place, self.folder)
            for file in files:
                if file.endswith(".conf") and not file.startswith("."):
                    name = file[: -len(".conf")] if below == "." else f"{below}/{file[: -len('.conf')]}"
                    found += [name] if is_name(name) else []
        return sorted(found)

    def files(self, name: str, wanted: Definition, job: Optional[Job]) -> dict[str, Optional[str]]:
        """Return the two files as they are to be."""
        path, override_path = self.paths(name)
        return {path: wanted.text, override_path: wanted.override}

    def write(self, name: str, path: str, text: Optional[str]) -> None:
        """Put one of the files into place, or remove it."""
        if text is None:
            jobfile.remove(path)
        else:
            jobfile.write(path, text)
