# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the bundle on a host: foster.pyz, its programs, and the same sources compiled next to them, which start faster.

Imports nothing of ours, so that hacking/build can use it as well.
"""

from __future__ import annotations

import compileall
import os
import py_compile
import re
import shutil
import zipfile
from collections.abc import Sequence
from typing import Optional

PROGRAMS = ("fosterd", "fosterctl")
NAME = "foster.pyz"
_UNPACKED = re.compile(rb'"(foster-[0-9a-f]{16})"')
_KEPT = 2  # unpacked versions: a supervisor that still runs from the one before imports from it now and then


def write(path: str, data: bytes, mode: int = 0o644) -> bool:
    """Write a file in one step; return whether that changed anything."""
    try:
        with open(path, "rb") as file:
            same = file.read(len(data) + 1) == data
        if same and not os.path.islink(path) and os.stat(path).st_mode & 0o777 == mode:
            return False
    except OSError:
        pass
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    unfinished = f"{path}.new"
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    with open(descriptor, "wb") as new:
        new.write(data)
        os.fchmod(descriptor, mode)
        new.flush()
        os.fsync(descriptor)
    os.replace(unfinished, path)
    return True


def unpacked_name(data: bytes) -> str:
    """Return the name of the folder that a bundle looks for next to itself; raise ValueError if this is no bundle."""
    found = _UNPACKED.search(data[:8192])
    if not found:
        raise ValueError("this is no foster.pyz: build one with hacking/build")
    return found.group(1).decode()


def installed(library: str) -> Optional[str]:
    """Return the name of the contents (``foster-`` and 16 hex digits) of the bundle in ``library``; None for none."""
    try:
        with open(os.path.join(library, NAME), "rb") as file:
            return unpacked_name(file.read(8192))
    except (OSError, ValueError):
        return None


def with_interpreter(data: bytes, interpreter: str) -> bytes:
    """Return the bundle made to run with that Python instead of the first python3 in PATH."""
    end = data.index(b"\nesac\n")
    quoted = b"'" + interpreter.encode("utf-8", "surrogateescape").replace(b"'", b"'\\''") + b"'"
    return data[:end].replace(b"exec python3 ", b"exec " + quoted + b" ") + data[end:]


def unpack(bundle: str, folder: str) -> bool:
    """Unpack the bundle into ``folder`` and compile it for this Python; return whether that changed anything.

    The bytecode is never checked against its source: the folder's name is the digest of its contents.
    """
    with open(bundle, "rb") as file:
        name = unpacked_name(file.read(8192))
    target = os.path.join(folder, name)
    if os.path.isdir(target):
        return False
    unfinished = f"{target}.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    with zipfile.ZipFile(bundle) as packed:
        for member in packed.namelist():
            if member.startswith("/") or ".." in member.split("/"):
                raise ValueError(f"the bundle names a file outside of it: {member}")
        packed.extractall(unfinished)
    # The names in tracebacks are to be those of the final place.
    compileall.compile_dir(
        unfinished,
        quiet=2,
        stripdir=unfinished,
        prependdir=target,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    os.rename(unfinished, target)
    return True


def install(data: bytes, library: str, programs: str, interpreter: Optional[str] = None) -> bool:
    """Install a bundle in ``library`` with links in ``programs``; return whether that changed anything.

    ``interpreter``: the Python to run it with. Whatever fails, the version before is still whole. Raises OSError, and
    ValueError when ``data`` is no bundle.
    """
    name = unpacked_name(data)
    if interpreter:
        data = with_interpreter(data, interpreter)
    os.makedirs(library, mode=0o755, exist_ok=True)
    incoming = os.path.join(library, f".{NAME}.incoming")
    changed = False
    if not os.path.isdir(os.path.join(library, name)):
        write(incoming, data, 0o644)
        try:
            changed = unpack(incoming, library)
        finally:
            os.unlink(incoming)
    for program in (NAME, *PROGRAMS):
        changed |= write(os.path.join(library, program), data, 0o755)
    for program in PROGRAMS:
        changed |= _link(os.path.join(library, program), os.path.join(programs, program))
    _prune(library, name)
    return changed


def remove(library: str, programs: str) -> bool:
    """Remove what install() has put there; return whether there was anything."""
    changed = False
    for program in PROGRAMS:
        link = os.path.join(programs, program)
        if os.path.islink(link) and os.readlink(link) == os.path.join(library, program):
            os.unlink(link)
            changed = True
    if os.path.isdir(library):
        shutil.rmtree(library)
        changed = True
    return changed


def _link(target: str, link: str) -> bool:
    if os.path.islink(link) and os.readlink(link) == target:
        return False
    os.makedirs(os.path.dirname(link), mode=0o755, exist_ok=True)
    unfinished = f"{link}.new"
    if os.path.lexists(unfinished):
        os.unlink(unfinished)
    os.symlink(target, unfinished)
    os.replace(unfinished, link)
    return True


def _prune(library: str, current: str) -> None:
    """Remove unpacked versions but for the current one and the newest before it."""
    others: Sequence[str] = sorted(
        (
            name
            for name in os.listdir(library)
            if re.fullmatch(r"foster-[0-9a-f]{16}(\.new)?", name) and name != current
        ),
        key=lambda name: os.stat(os.path.join(library, name)).st_mtime,
        reverse=True,
    )
    for name in others[_KEPT - 1 :]:
        shutil.rmtree(os.path.join(library, name), ignore_errors=True)
