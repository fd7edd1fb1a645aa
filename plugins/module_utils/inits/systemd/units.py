# SPDX-License-Identifier: GPL-3.0-or-later
"""The unit files of jobs: which are ours, and what is to be in them."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from typing import Optional

from ...job.errors import JobError
from ...job.exporters.errors import CannotSay
from ...job.exporters.source import Source, embed, extract
from ...job.exporters.target import Target
from ...job.exporters.unit import unit_file_name, unit_text
from ...job.exporters.unit_names import unit_name
from ...job.model import Job
from ...job.parser import parse_job, stanza_line
from .. import jobfile
from ..errors import InitError
from ..interface import Definition
from .manager import Manager


class Units:
    """The units in ``folder``; a unit of a job has that job in its comments."""

    def __init__(self, folder: str, manager: Manager) -> None:
        self.folder = folder
        self._manager = manager
        self._target: Optional[Target] = None

    def path(self, name: str) -> str:
        """Return the path of the unit that the job has, or would have without instances."""
        own = self._own(name)
        return own[0] if own else os.path.join(self.folder, unit_name(name))

    def template(self, name: str) -> bool:
        """Say whether the job's unit is a template."""
        return self.path(name).endswith("@.service")

    def read(self, name: str) -> Definition:
        """Return what is written down of the job. Raise InitError where its name is somebody else's."""
        own = self._own(name)
        if own is None:
            return Definition(None, None)
        return Definition(own[1].text, own[1].override)

    def files(self, name: str, wanted: Definition, job: Optional[Job]) -> dict[str, Optional[str]]:
        """Return the unit as it is to be, and the one that it replaces."""
        own = self._own(name)
        files: dict[str, Optional[str]] = {own[0]: None} if own else {}
        if job is None or wanted.text is None:
            return files
        path = os.path.join(self.folder, unit_file_name(job))
        if path not in files:
            self._refuse_strangers(os.path.basename(path))
        if self._target is None:
            self._target = Target(self._manager.version(), self._manager.user, Others(self.folder))
        try:
            text = unit_text(job, self._target)
        except CannotSay as error:
            error.path, error.line = _place(name, wanted, error.field)
            raise
        files[path] = f"{embed(Source(name, wanted.text, wanted.override))}\n{text}"
        return files

    def names(self) -> list[str]:
        """Return the names of all jobs that have a unit here."""
        try:
            entries = sorted(os.listdir(self.folder))
        except FileNotFoundError:
            return []
        found = (_source(os.path.join(self.folder, entry)) for entry in entries if entry.endswith(".service"))
        return sorted({source.name for source in found if source is not None})

    def _own(self, name: str) -> Optional[tuple[str, Source]]:
        """Return path and source of the job's unit, None where it has none; refuse what is not the job's."""
        for template in (False, True):
            unit = unit_name(name, template)
            path = os.path.join(self.folder, unit)
            if not os.path.lexists(path):
                continue
            if os.path.islink(path) and os.path.realpath(path) == os.devnull:
                raise InitError(f"{unit} is masked; run `systemctl unmask {unit}`, or give the job another name")
            source = _source(path)
            if source is None:
                raise InitError(f"{path} is there and foster.init did not make it; give the job another name")
            if source.name != name:
                raise InitError(f"{unit} belongs to the job {source.name}; give the job {name} another name")
            return path, source
        return None

    def _refuse_strangers(self, unit: str) -> None:
        state = self._manager.file_state(unit)
        if state.startswith("masked"):
            raise InitError(f"{unit} is masked; run `systemctl unmask {unit}`, or give the job another name")
        if state:
            raise InitError(f"there is a unit {unit} on this host already ({state}); give the job another name")


class Others(Mapping[str, Job]):
    """The other jobs that have a unit in ``folder``, read when somebody asks for one."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def __getitem__(self, name: str) -> Job:
        """Return the job called ``name``; raise KeyError."""
        try:
            paths = [os.path.join(self._folder, unit_name(name, template)) for template in (False, True)]
            source = next((found for found in map(_source, paths) if found is not None), None)
            if source is None or source.name != name:
                raise KeyError(name)
            return parse_job(source.text, name, name, source.override)
        except JobError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        """Raise TypeError: nobody needs all of them."""
        raise TypeError("the other jobs are looked up by name")

    def __len__(self) -> int:
        """Raise TypeError, see above."""
        raise TypeError("the other jobs are looked up by name")


def digest(text: Optional[str]) -> str:
    """Return the digest of what a unit says; its comments, the job among them, do not count."""
    lines = [line for line in (text or "").split("\n") if line and not line.startswith("#")]
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _source(path: str) -> Optional[Source]:
    """Return what the unit at ``path`` was made from, None where there is none or it is not ours."""
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return None
    except OSError:
        return None
    return extract(jobfile.read(path) or "")


def _place(name: str, wanted: Definition, field: str) -> tuple[str, Optional[int]]:
    """Return file name and line of the last stanza that set ``field``, as far as there is one."""
    field = {"cgroup": "cgroup_controllers"}.get(field, field)  # both are written with the word cgroup
    if wanted.override:
        line = stanza_line(wanted.override, field)
        if line is not None:
            return f"{name}.override", line
    return f"{name}.conf", stanza_line(wanted.text or "", field)
