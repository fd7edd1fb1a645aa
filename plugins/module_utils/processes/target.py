# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that a daemon is: a binary, or a script with its interpreter. Read from the file system.

Source: execve(2), "Interpreter scripts": the kernel reads the first 256 bytes of the file, runs the interpreter with
one optional argument that it does not split, and the path of the script; an interpreter may be a script again.
"""

from __future__ import annotations

import os
import stat
from typing import NamedTuple, Optional

FileId = tuple[int, int]  # device and inode

_SHEBANG = 256  # bytes, BINPRM_BUF_SIZE, Linux 5.1
_DEEPEST = 5  # interpreters of interpreters, as in the kernel
# Programs that are many programs, told apart by the name that they are called by.
MULTICALL = frozenset(("busybox", "toybox", "coreutils", "sbase-box", "ubase-box"))


class TargetError(Exception):
    """A program that cannot be meant; one sentence, without the name of the option."""


class Target(NamedTuple):
    """A program. ``path``: as given; ``real``: links resolved; ``file`` None: it is not there (any more).

    ``interpreter``: of a script, its path as written there, "" for a binary; ``prefix``: the words that the kernel, and
    env, put before the script's path, without the interpreter. ``changed``: when it was replaced, seconds since the
    epoch. ``applet``: the name that a multi-call program is called by, "" for others.
    """

    path: str
    real: str
    file: Optional[FileId] = None
    interpreter: str = ""
    interpreter_file: Optional[FileId] = None
    prefix: tuple[str, ...] = ()
    changed: float = 0.0
    applet: str = ""


def resolve(path: str, root: str = "") -> Target:
    """Return what ``path`` is, below ``root`` when the daemon is in a chroot. Raise TargetError for what is no program.

    A program that is missing is no error: it may have been removed while it runs.
    """
    if not path.startswith("/"):
        raise TargetError(f"{path} is not an absolute path, so it could mean any program of that name")
    if "\0" in path:
        raise TargetError("a path cannot hold a zero byte")
    where = root.rstrip("/") + path
    real = os.path.realpath(where)
    try:
        status = os.stat(where)
    except (FileNotFoundError, NotADirectoryError):
        return Target(path, real, applet=_applet(path, real))
    except OSError as error:
        raise TargetError(f"{path} cannot be looked at: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise TargetError(f"{path} is {kind}, not a program")
    found = Target(path, real, (status.st_dev, status.st_ino), changed=status.st_ctime, applet=_applet(path, real))
    words = shebang(_head(where))
    if not words:
        return found
    interpreter, prefix = _interpreter(words, root)
    return found._replace(interpreter=interpreter, interpreter_file=_file(root, interpreter), prefix=prefix)


def _applet(path: str, real: str) -> str:
    own, base = os.path.basename(path), os.path.basename(real)
    return own if base in MULTICALL and own != base else ""


def _head(where: str) -> bytes:
    try:
        with open(where, "rb") as file:
            return file.read(_SHEBANG)
    except OSError:  # executable, but not readable: no script, then
        return b""


def shebang(data: bytes) -> list[str]:
    """Return the interpreter and, where there is one, its argument; [] for what does not begin as a script."""
    if not data.startswith(b"#!"):
        return []
    line = data[2:_SHEBANG].split(b"\n", 1)[0].strip(b" \t\r\0")
    return [part.decode("utf-8", "surrogateescape") for part in line.split(None, 1)]


def _interpreter(words: list[str], root: str) -> tuple[str, tuple[str, ...]]:
    """Return the program that runs the script in the end, and the words before the script's path.

    Follow interpreters that are scripts, and env(1) with its -S and assignments.
    """
    prefix: tuple[str, ...] = tuple(words[1:])
    interpreter = words[0]
    for _depth in range(_DEEPEST):
        if os.path.basename(interpreter) == "env" and prefix:
            interpreter, prefix = _through_env(prefix)
        inner = shebang(_head(root.rstrip("/") + interpreter)) if interpreter.startswith("/") else []
        if not inner:
            break
        prefix = (*inner[1:], interpreter, *prefix)
        interpreter = inner[0]
    return interpreter, prefix


def _through_env(prefix: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return what ``env`` runs when the kernel gives it ``prefix``: one argument, which only -S splits."""
    text = prefix[0]
    for option in ("-vS", "-iS", "-S", "--split-string="):
        if text.startswith(option):
            text = text[len(option) :]
            break
    words = [word for word in text.split() if "=" not in word or word.startswith("-")]
    while words and words[0].startswith("-"):
        words.pop(0)
    return (words[0], (*words[1:], *prefix[1:])) if words else ("", ())


def _file(root: str, interpreter: str) -> Optional[FileId]:
    try:
        status = os.stat(root.rstrip("/") + interpreter) if interpreter.startswith("/") else None
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if status else None
