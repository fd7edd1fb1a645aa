# SPDX-License-Identifier: GPL-3.0-or-later
"""The folders of job files: read whole, watched with inotify, and read again on request.

A job is named after its path below the folder, without ``.conf``. Of several folders an earlier one wins. An
``.override`` beside
a job file, or in an earlier folder, is read after it. A file that cannot be read or parsed gives one sentence and no
job.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from typing import NamedTuple, Optional

from ..job.errors import JobError
from ..job.model import Job
from ..job.parser import parse_job
from . import linux
from .loop import READ, Loop

_LARGEST = 1 << 20  # bytes; a job file is text that somebody wrote
_OURS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
# Of the folder above only what can happen to a job folder: others may write files there all day (~/.config, /etc).
_ABOVE = (
    linux.IN_ATTRIB | linux.IN_MOVED_FROM | linux.IN_MOVED_TO | linux.IN_CREATE | linux.IN_DELETE | linux.IN_ONLYDIR
)
_EVENTS = _ABOVE | linux.IN_CLOSE_WRITE


class _Fingerprint(NamedTuple):
    path: str
    inode: int = 0
    size: int = 0
    time: int = 0  # nanoseconds
    owner: int = 0
    mode: int = 0


class _Source(NamedTuple):
    """What a job was made from, to tell a change."""

    files: tuple[_Fingerprint, ...]


class JobFolder:
    """Report jobs that appear, change and go away in ``folders``."""

    def __init__(  # noqa: PLR0917
        self,
        loop: Loop,
        folders: list[str],
        defined: Callable[[Job], None],
        gone: Callable[[str], None],
        warn: Callable[[str], None],
        vanishing: Callable[[str], None] = lambda _name: None,
        again: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self._loop = loop
        self._again = again  # told of a job whose files are as they were, when all are to be read again
        self._vanishing = vanishing  # told of a job that goes when it next ends: its override has a mistake
        self._without_override: set[str] = set()
        self.folders = folders
        self._defined = defined
        self._gone = gone
        self._warn = warn
        self._known: dict[str, _Source] = {}
        self._broken: dict[str, _Source] = {}
        self._inotify = -1
        self._watches: dict[int, str] = {}

    def watch(self) -> None:
        """Follow changes from now on; where inotify is not to be had, only ``reload`` sees them."""
        try:
            self._inotify = linux.inotify_open()
        except OSError as error:
            self._warn(f"job folders are not watched ({error.strerror}): reload after a change")
            return
        self._loop.watch(self._inotify, READ, lambda _events: self._changed())
        self._add_watches()

    def _add_watches(self) -> None:
        if self._inotify < 0:
            return
        wanted = {os.path.dirname(folder.rstrip("/")): _ABOVE for folder in self.folders}
        for folder in self.folders:
            wanted.update((found, _EVENTS) for found, _names, _files in os.walk(folder))
        for path, events in wanted.items():
            try:
                self._watches[linux.inotify_add(self._inotify, path, events)] = path
            except OSError:
                continue  # not there (yet): the watch on its parent tells when it comes

    def _changed(self) -> None:
        concerned: set[str] = set()
        whole = False
        parents = {os.path.dirname(folder.rstrip("/")) for folder in self.folders}
        names = {os.path.basename(folder.rstrip("/")) for folder in self.folders}
        for watch, mask, name in linux.inotify_events(self._inotify):
            path = self._watches.get(watch, "")
            if mask & linux.IN_IGNORED:
                self._watches.pop(watch, None)
            elif path in parents and path not in self.folders:
                whole = whole or name in names
            elif mask & (linux.IN_ISDIR | linux.IN_Q_OVERFLOW):
                whole = True
            elif name.endswith((".conf", ".override")) and (not mask & linux.IN_CREATE or self._is_link(path, name)):
                concerned.add(self._job_name(os.path.join(path, name)))
        if whole:
            self._add_watches()
            self.reload()
        elif concerned:
            self.reload(only=concerned)

    def _job_name(self, path: str) -> str:
        folder = next((each for each in self.folders if path.startswith(each.rstrip("/") + "/")), os.path.dirname(path))
        return os.path.splitext(os.path.relpath(path, folder))[0]

    def _is_link(self, folder: str, name: str) -> bool:
        """A link is whole when it is made; a file is so when its writer closes it."""
        try:
            found = os.stat(os.path.join(folder, name), follow_symlinks=False)
        except OSError:
            return False
        return stat.S_ISLNK(found.st_mode) or found.st_nlink > 1

    def paths(self) -> dict[str, tuple[str, Optional[str]]]:
        """Return job name to (path of the job file, path of its override or None), sorted by name."""
        files: dict[str, str] = {}
        overrides: dict[str, str] = {}
        for folder in self.folders:
            for path, name in _walk(folder):
                if name.endswith(".conf"):
                    files.setdefault(name[: -len(".conf")], path)
                elif name.endswith(".override"):
                    overrides.setdefault(name[: -len(".override")], path)
        return {name: (files[name], overrides.get(name)) for name in sorted(files)}

    def path_of(self, name: str) -> Optional[tuple[str, Optional[str]]]:
        """Return the paths that ``name`` was read from."""
        source = self._known.get(name)
        if source is None:
            return None
        return source.files[0].path, source.files[1].path if len(source.files) > 1 else None

    def load(self) -> list[Job]:
        """Return all jobs as they are now, and report only later changes."""
        jobs: list[Job] = []
        defined, self._defined = self._defined, jobs.append
        vanishing, self._vanishing = self._vanishing, lambda _name: None
        try:
            self.reload()
        finally:
            self._defined, self._vanishing = defined, vanishing
        return jobs

    def reload(self, everything: bool = False, only: Optional[set[str]] = None) -> None:
        """Compare the folders with what is known, and report the differences; ``everything``: and what is the same.

        ``only``: look at these jobs and leave others alone, whose files somebody may be writing.
        """
        try:
            current = self.paths()
        except OSError as error:  # what could not be looked at is not gone
            self._warn(f"{error.filename}: cannot be looked at: {error.strerror}; jobs stay as they are")
            return
        for name in [name for name in self._known if name not in current and (only is None or name in only)]:
            del self._known[name]
            self._gone(name)
        for name in [name for name in self._broken if name not in current]:
            del self._broken[name]
        for name, (path, override) in current.items():
            if only is not None and name not in only:
                continue
            source = _Source(tuple(_fingerprint(file) for file in (path, override) if file is not None))
            if self._known.get(name) == source:
                if everything and name not in self._without_override:
                    self._again(name)
                continue
            if self._broken.get(name) == source:
                continue
            job = self._read(name, path, override)
            if job is None:
                self._broken[name] = source
                if self._known.pop(name, None) is not None:
                    self._gone(name)
            else:
                self._broken.pop(name, None)
                self._known[name] = source
                self._defined(job)
                if name in self._without_override:
                    self._vanishing(name)

    def read(self, name: str) -> Optional[Job]:
        """Return the job ``name`` as its files have it now, None (and a warning) where they cannot be read."""
        found = self.paths().get(name)
        return self._read(name, *found) if found else None

    def _read(self, name: str, path: str, override: Optional[str]) -> Optional[Job]:
        self._without_override.discard(name)
        try:
            text = _text(path)
            if override is None:
                return parse_job(text, name, path)
        except (JobError, OSError, _NotAJob) as error:
            self._warn(_sentence(error))
            return None
        try:
            return parse_job(text, name, path, _text(override), override)
        except (JobError, OSError, _NotAJob) as error:
            self._warn(_sentence(error))
            if isinstance(error, JobError) and not error.override:
                return None
            # As in Upstart, a mistake in the override costs the override, and the job when it next ends.
            job = self._read(name, path, None)
            self._without_override.add(name)
            return job

    def close(self) -> None:
        if self._inotify >= 0:
            self._loop.unwatch(self._inotify)
            os.close(self._inotify)
            self._inotify = -1


class _NotAJob(Exception):
    """The file is something else than a job file."""


def _walk(folder: str) -> list[tuple[str, str]]:
    """Return (path, name below the folder) of all files, sorted; links to folders are not followed.

    A folder that is not there, or not for us, has none. Raises OSError when the fault is on our side.
    """

    def failed(error: OSError) -> None:
        if error.errno in _OURS:
            raise error

    found = []
    for path, folders, names in os.walk(folder, onerror=failed):
        folders.sort()
        for name in sorted(names):
            full = os.path.join(path, name)
            found.append((full, os.path.relpath(full, folder)))
    return found


def _fingerprint(path: str) -> _Fingerprint:
    try:
        found = os.stat(path)
    except OSError:
        return _Fingerprint(path)
    return _Fingerprint(path, found.st_ino, found.st_size, found.st_mtime_ns, found.st_uid, found.st_mode)


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.filename}: cannot be read: {error.strerror}"
    return str(error)


def _text(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(fd, "rb") as file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise _NotAJob(f"{path}: not a regular file; a job file is text")
        if found.st_uid not in (0, os.geteuid()):
            raise _NotAJob(
                f"{path}: belongs to the user {found.st_uid}, who is not to say what others run; "
                f"run: chown {os.geteuid()} {path}"
            )
        if found.st_mode & stat.S_IWOTH:
            raise _NotAJob(f"{path}: everybody may write to it, so anybody could say what runs; run: chmod o-w {path}")
        if found.st_size > _LARGEST:
            raise _NotAJob(f"{path}: {found.st_size} bytes; a job file has at most {_LARGEST}")
        return file.read(_LARGEST + 1)
