# SPDX-License-Identifier: GPL-3.0-or-later
"""One cgroup for each instance, below the supervisor's own (cgroups(7)).

The supervisor steps into the instance's cgroup, starts the process there and steps back, so that a process is born
where it belongs and no child can escape before it has been moved. With systemd as PID 1 only a delegated cgroup is
used.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import Optional

from . import delegation, proc

_PROCS = "cgroup.procs"
_NOTHING_BELOW = 2  # links of such a folder: kernfs counts the folders below
_AS_MADE = (("cgroup.controllers", b""), ("cgroup.freeze", b"0\n"))  # then it keeps nobody out, and holds nobody up
_LONGEST_NAME = 240  # bytes; a folder's name may have 255


class Cgroups:
    """The cgroups of the instances of one supervisor.

    ``root``: the folder below which they are made. ``unified``: it is a cgroup v2 folder.
    """

    def __init__(self, root: str, unified: bool) -> None:
        self.root = root
        self.unified = unified
        self.home = os.path.dirname(root)
        self.folder = os.path.basename(root)
        self._inside = False
        self._home_fd = -1

    @classmethod
    def find(cls, name: str, refused: list[str]) -> Optional[Cgroups]:
        """Return where cgroups can be made, in a folder called ``name`` that this makes; None where nowhere.

        ``refused`` gets a sentence for each place that cannot be used.
        """
        folders = _own_folders()
        if not any(unified for _own, unified in folders):
            refused.append("no cgroup v2 is mounted that this process is in")
        for own, unified in folders:
            problem = _problem(own)
            if problem:
                refused.append(problem)
                continue
            found = cls(os.path.join(own, name), unified)
            if found._try():
                return found
            refused.append(f"the kernel refuses cgroups below {own}")
        return None

    @classmethod
    def again(cls, root: str, unified: bool) -> Optional[Cgroups]:
        """Return the cgroups of an earlier supervisor, None where they cannot be used any more."""
        found = cls(root, unified)
        return found if os.path.isdir(root) and found._try() else None

    def _try(self) -> bool:
        try:
            os.makedirs(self.root, exist_ok=True)
            self._home_fd = os.open(os.path.join(self.home, _PROCS), os.O_WRONLY | os.O_CLOEXEC)
            probe = os.path.join(self.root, "probe")
            os.makedirs(probe, exist_ok=True)
        except OSError:
            self.close()
            return False
        try:
            self.enter("probe")
            self.leave()
        except OSError:
            self.leave()
            os.rmdir(probe)
            self.close()
            return False
        os.rmdir(probe)
        return True

    def path(self, name: str) -> str:
        return os.path.join(self.root, name)

    def prepare(self, name: str, settings: tuple[tuple[str, str], ...] = ()) -> None:
        """Make the cgroup ``name`` and write ``settings`` (cgroup v2 files); raise OSError.

        One that was left by another process is made anew, unless it is still as it was made (making it takes longer
        than looking) or somebody is in it: what a job has set there, for cgroups of its own, may keep processes out.
        """
        folder = self.path(name)
        try:
            os.mkdir(folder)
        except FileExistsError:
            if not self._is_as_made(folder) and self.remove(name):
                os.mkdir(folder)
        if self.unified:
            for key, value in settings:
                self._enable(key.split(".", 1)[0])
                with open(os.path.join(folder, key), "w", encoding="ascii") as file:
                    file.write(value)

    def _is_as_made(self, folder: str) -> bool:
        """Tell whether there is nothing below and nothing is set; without controllers there are no limits to set."""
        if os.stat(folder).st_nlink > _NOTHING_BELOW:
            return False
        return not self.unified or all(proc.read(f"{folder}/{file}") == text for file, text in _AS_MADE)

    def _enable(self, controller: str) -> None:
        for folder in (self.home, self.root):
            try:
                with open(os.path.join(folder, "cgroup.subtree_control"), "w", encoding="ascii") as file:
                    file.write(f"+{controller}")
            except OSError as error:
                if error.errno != errno.EBUSY:  # processes in the folder itself: writing the key will tell
                    raise

    def enter(self, name: str) -> None:
        """Move this process into ``name``; raise OSError."""
        fd = os.open(os.path.join(self.root, name, _PROCS), os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, b"0")
            self._inside = True
        finally:
            os.close(fd)

    def leave(self) -> None:
        """Move this process back to where it came from, if it is not there."""
        if self._inside:
            os.write(self._home_fd, b"0")
            self._inside = False

    def members(self, name: str) -> list[int]:
        """Return the pids in ``name`` and in what the job has made below; zombies too where the kernel lists them."""
        found: list[int] = []
        for folder in _tree(self.path(name)):
            found.extend(int(word) for word in (proc.read(os.path.join(folder, _PROCS)) or b"").split())
        return found

    def holds(self, name: str) -> bool:
        """Tell whether any thread is in ``name`` or below that has not given back yet what it held (cgroup v2).

        ``members`` leaves out a process whose threads have all begun to end, once its first one has: a second of
        closing sockets, or of giving back memory, may still be to come (Linux 6.18, css_task_iter_advance). Those of
        cgroup v1 are listed as long.
        """
        return b"populated 1" in (proc.read(os.path.join(self.path(name), "cgroup.events")) or b"")

    def names(self) -> list[str]:
        """Return the cgroups that exist."""
        try:
            return [entry.name for entry in os.scandir(self.root) if entry.is_dir()]
        except OSError:
            return []

    def kill(self, name: str) -> bool:
        """End everything in ``name`` at once (cgroup.kill, Linux 5.14); return False where that does not exist."""
        if not self.unified:
            return False
        try:
            fd = os.open(os.path.join(self.root, name, "cgroup.kill"), os.O_WRONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            os.write(fd, b"1")
            return True
        except OSError:
            return False
        finally:
            os.close(fd)

    def remove(self, name: str) -> bool:
        """Remove the cgroup ``name`` with what the job has made below; return False while something is in it."""
        try:
            for folder in reversed(_tree(self.path(name))):
                os.rmdir(folder)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def close(self, remove: bool = True) -> None:
        """Give the descriptor back, and remove the folders that are empty."""
        if self._home_fd >= 0:
            self.leave()
            os.close(self._home_fd)
            self._home_fd = -1
        if remove:
            for name in self.names():
                self.remove(name)
            with contextlib.suppress(OSError):
                os.rmdir(self.root)


def folder_name(job: str, instance: str) -> str:
    """Return the cgroup's name for an instance: unambiguous, and never one of the kernel's own files."""
    text = job if not instance else f"{job}:{instance}"
    safe = "".join(
        letter if (letter.isalnum() and letter.isascii()) or letter in "-_:@" else f"%{ord(letter):x}."
        for letter in text
    )
    name = f"job-{safe}"
    if len(name) <= _LONGEST_NAME:
        return name
    from hashlib import sha256  # only for such a name: it loads OpenSSL, 3 MB

    digest = sha256(text.encode(errors="surrogateescape")).hexdigest()[:32]
    return f"{name[: _LONGEST_NAME - 33]}-{digest}"


def _tree(folder: str) -> list[str]:
    """Return ``folder`` and the cgroups below, parents before their children."""
    found = [folder]
    for each in found:  # which grows meanwhile
        with contextlib.suppress(OSError):
            if os.stat(each).st_nlink > _NOTHING_BELOW:
                found.extend(entry.path for entry in os.scandir(each) if entry.is_dir(follow_symlinks=False))
    return found


def _own_folders() -> list[tuple[str, bool]]:
    """Return this process's cgroup folders, (path, unified), cgroup v2 first, then a named v1 hierarchy."""
    mounts: dict[str, tuple[str, str]] = {}
    for line in (proc.read("/proc/self/mountinfo") or b"").decode(errors="surrogateescape").splitlines():
        left, _unused, right = line.partition(" - ")
        fields, kind = left.split(), right.split()
        if not os.path.exists(os.path.join(fields[4], _PROCS)):
            continue  # another mount hides it
        if kind[:1] == ["cgroup2"]:
            mounts.setdefault("", (fields[3], fields[4]))
        elif kind[:1] == ["cgroup"]:
            for option in kind[2].split(","):
                if option.startswith("name="):
                    mounts.setdefault(option, (fields[3], fields[4]))
    found: list[tuple[str, bool]] = []
    for line in (proc.read("/proc/self/cgroup") or b"").decode(errors="surrogateescape").splitlines():
        _number, controllers, path = line.split(":", 2)
        if controllers in mounts:
            mounted_root, mount = mounts[controllers]
            below = path[len(mounted_root.rstrip("/")) :] if path.startswith(mounted_root.rstrip("/")) else None
            if below is not None and "/.." not in path:
                found.append((os.path.normpath(mount + "/" + below), controllers == ""))
    return sorted(found, key=lambda entry: not entry[1])


def _problem(folder: str) -> str:
    """Return why no cgroups may be made in ``folder``: read-only, or not delegated by systemd; "" where they may."""
    if not os.access(os.path.join(folder, _PROCS), os.W_OK) or not os.access(folder, os.W_OK):
        return f"{folder} is not writable for this user"
    return delegation.problem(folder)
