# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be seen of one process, for ``matching`` to judge: read once, with nothing decided here.

Source: proc(5) for status, stat, exe, cmdline, cwd and root; NSpid since Linux 4.1.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple, Optional

from .ancestry import cgroup
from .identity import boot_id, has_ended, parse_stat, read_stat
from .target import FileId

_KERNEL_THREAD = 0x00200000  # PF_KTHREAD, among the flags of /proc/PID/stat
_FILES = 8  # arguments whose files are looked up; a script's path is among the first
_LONGEST = 1 << 17  # bytes of a command line that are read
DELETED = " (deleted)"


class Candidate(NamedTuple):
    """One process. ``program``: the path of what it executes, "" when it may not be seen; ``program_file``: which file.

    ``removed``: that file has no name any more. ``argument_files``: what the first arguments lead to, None for no file.
    ``thread_of``: the process that this is a thread of, 0 for a process. ``nested``: it lives in a PID namespace of its
    own. ``started``: seconds since the epoch, by today's clock. ``ended``: a zombie, with no thread that runs.
    """

    pid: int
    ppid: int
    name: str
    start_time: int
    started: float = 0.0
    ended: bool = False
    kernel: bool = False
    thread_of: int = 0
    nested: bool = False
    uid: int = 0
    program: str = ""
    program_file: Optional[FileId] = None
    removed: bool = False
    argv: tuple[str, ...] = ()
    argument_files: tuple[Optional[FileId], ...] = ()
    root: Optional[FileId] = None
    cgroup: str = ""


class Glance(NamedTuple):
    """The first sight of a process; the fields are those of a candidate."""

    name: str
    ppid: int
    program: str
    program_file: Optional[FileId]


class Processes:
    """The processes below ``proc``, as they are when they are asked for."""

    def __init__(self, proc: str = "/proc") -> None:
        self.proc = proc
        self.boot_id = boot_id(proc)
        self._booted = self._boot_time()
        self._tick = os.sysconf("SC_CLK_TCK")

    def pids(self) -> list[int]:
        """Return the pids of all processes (not of threads), in order."""
        return sorted(int(name) for name in os.listdir(self.proc) if name.isdigit())

    def all(self, may_be: Callable[[Glance], bool] = lambda _glance: True) -> Iterator[Candidate]:
        """Yield every process that can be seen and that ``may_be`` does not rule out at first sight."""
        for pid in self.pids():
            glance = self.glance(pid)
            found = self.read(pid) if glance is not None and may_be(glance) else None
            if found is not None:
                yield found

    def in_cgroup(self, part: str) -> list[Candidate]:
        """Return the processes that run in a control group whose path contains ``part``."""
        inside = (self.read(pid) for pid in self.pids() if part in cgroup(pid, self.proc).path)
        return [found for found in inside if found is not None and not found.ended]

    def glance(self, pid: int) -> Optional[Glance]:
        """Return what costs little to look at; a host may have thousands of processes."""
        stat = read_stat(pid, self.proc)
        return None if stat is None else Glance(stat.name, stat.ppid, *_program(f"{self.proc}/{pid}")[:2])

    def read(self, pid: int) -> Optional[Candidate]:
        """Return the process ``pid``; None when there is none. What this user may not see of it stays empty."""
        folder = f"{self.proc}/{pid}"
        data = _bytes(f"{folder}/stat")
        status = _status(_bytes(f"{folder}/status"))
        try:
            stat = parse_stat(data)
            flags = int(data[data.rindex(b")") + 2 :].split()[6])
        except (ValueError, IndexError):
            return None
        group = int(status.get("Tgid", [str(pid)])[0])
        program, file, removed = _program(folder)
        argv = _argv(_bytes(f"{folder}/cmdline"))
        return Candidate(
            pid=pid,
            ppid=stat.ppid,
            name=stat.name,
            start_time=stat.start_time,
            started=self._booted + stat.start_time / self._tick,
            ended=has_ended(stat, self.proc),
            kernel=bool(flags & _KERNEL_THREAD),
            thread_of=group if group != pid else 0,
            nested=len(status.get("NSpid", [])) > 1,
            uid=int(status.get("Uid", ["-1", "-1"])[1]),
            program=program,
            program_file=file,
            removed=removed,
            argv=argv,
            argument_files=_argument_files(folder, argv),
            root=_file_id(f"{folder}/root"),
            cgroup=cgroup(pid, self.proc).path,
        )

    def _boot_time(self) -> float:
        for line in _bytes(f"{self.proc}/stat").splitlines():
            if line.startswith(b"btime "):
                return float(line.split()[1])
        return 0.0


def _bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_LONGEST)
    except OSError:
        return b""


def _status(data: bytes) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in data.decode("utf-8", "surrogateescape").splitlines():
        key, colon, rest = line.partition(":")
        if colon:
            found.setdefault(key, rest.split())
    return found


def _argv(data: bytes) -> tuple[str, ...]:
    if not data:
        return ()
    return tuple(os.fsdecode(word) for word in (data[:-1] if data.endswith(b"\0") else data).split(b"\0"))


def _program(folder: str) -> tuple[str, Optional[FileId], bool]:
    """Return (path, file, whether its name is gone). A file may really be called "x (deleted)", so it is looked up."""
    try:
        path = os.readlink(f"{folder}/exe")
    except OSError:
        return "", None, False
    file = _file_id(f"{folder}/exe")
    if path.endswith(DELETED) and _file_id(path) != file:
        return path[: -len(DELETED)], file, True
    return path, file, False


def _argument_files(folder: str, argv: tuple[str, ...]) -> tuple[Optional[FileId], ...]:
    """Return which files the first arguments are, as the process would find them: its root, its working directory."""
    ours = _file_id("/")
    inside = "" if _file_id(f"{folder}/root") in (ours, None) else f"{folder}/root"
    found: list[Optional[FileId]] = []
    for word in argv[: _FILES + 1]:
        if not word or word.startswith("-") or "\n" in word or len(word) > 4096:
            found.append(None)
        else:
            found.append(_file_id(f"{inside}{word}" if word.startswith("/") else f"{folder}/cwd/{word}"))
    return tuple(found)


def _file_id(path: str) -> Optional[FileId]:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino
