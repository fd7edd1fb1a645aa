# SPDX-License-Identifier: GPL-3.0-or-later
"""Where one Upstart has its job files and its logs.

The init itself is asked, and its command line and environment are read: a session init has other folders than the task,
and any of them may have been given its own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ..jobfolder import JobFolder

SYSTEM_JOBS, SYSTEM_LOGS = "/etc/init", "/var/log/upstart"


def log_folder(words: Sequence[str], environ: Mapping[str, str], user: bool) -> str:
    """Return where the output of jobs goes, by the command line and the environment of the init; init(8)."""
    given = _option(words, "--logdir") or environ.get("UPSTART_LOGDIR")
    if given:
        return given
    cache = environ.get("XDG_CACHE_HOME") or os.path.join(environ.get("HOME") or "/", ".cache")
    return os.path.join(cache, "upstart") if user else SYSTEM_LOGS


def job_folders(
    state: Mapping[str, Any], words: Sequence[str], environ: Mapping[str, str], user: bool
) -> tuple[str, ...]:
    """Return the folders of job files, the one that wins first: as the init says (GetState), or by its rules."""
    said = [each for each in state.get("conf_sources") or () if each.get("type") == "CONF_JOB_DIR"]
    folders = tuple(str(each["path"]) for each in said if each.get("path"))
    if folders:
        return folders
    given = _option(words, "--confdir")
    if given:
        return (given,)
    if not user:
        return (SYSTEM_JOBS,)
    home = environ.get("HOME") or os.path.expanduser("~")
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    return os.path.join(config, "upstart"), os.path.join(home, ".init")


def of_process(pid: int, otherwise: Mapping[str, str], proc: str = "/proc") -> tuple[list[str], Mapping[str, str]]:
    """Return command line and environment of the init; ``otherwise`` is the environment where it cannot be read."""
    words = _strings(f"{proc}/{pid}/cmdline") or []
    entries = _strings(f"{proc}/{pid}/environ")
    if entries is None:
        return words, otherwise
    return words, dict(entry.partition("=")[::2] for entry in entries if "=" in entry)


def _strings(path: str) -> Optional[list[str]]:
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "surrogateescape").split("\0")
    except OSError:
        return None


def _option(words: Sequence[str], name: str) -> str:
    """Return the value of the first ``name VALUE`` or ``name=VALUE``, "" where there is none."""
    for position, word in enumerate(words):
        if word == name and position + 1 < len(words):
            return words[position + 1]
        if word.startswith(f"{name}="):
            return word[len(name) + 1 :]
    return ""


class Folders(JobFolder):
    """Several folders of job files: a job is changed where it is, and a new one goes into the first."""

    def __init__(self, folders: Sequence[str]) -> None:
        super().__init__(folders[0])
        self._folders = tuple(folders)

    def names(self) -> list[str]:
        """Return the names of the jobs in all folders."""
        return sorted({name for folder in self._folders for name in JobFolder(folder).names()})

    def paths(self, name: str) -> tuple[str, str]:
        """Return the paths of the job's file and of its override."""
        there = (folder for folder in self._folders if os.path.lexists(os.path.join(folder, f"{name}.conf")))
        folder: Optional[str] = next(there, None)
        if folder is None or not os.access(folder, os.W_OK):
            folder = self.folder
        return os.path.join(folder, f"{name}.conf"), os.path.join(folder, f"{name}.override")
