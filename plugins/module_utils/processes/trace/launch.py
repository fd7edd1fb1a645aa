# SPDX-License-Identifier: GPL-3.0-or-later
"""Start the program as a job would be started: a session of its own, /dev/null as input, a plain environment."""

from __future__ import annotations

import errno
import os
import signal
import tempfile
from typing import Any, NamedTuple, NoReturn

from . import syscalls
from .request import DEFAULT_PATH, Request, TraceError

_HIDDEN, _SHOWN = b"n", b"y"


class Launched(NamedTuple):
    """A child that waits for ``go``; ``status`` ends empty when it has executed the program."""

    pid: int
    status: int
    gate: int

    def go(self, with_filter: bool) -> None:
        """Let the child run; ``with_filter``: it is traced, so calls of interest may stop."""
        os.write(self.gate, _SHOWN if with_filter else _HIDDEN)
        os.close(self.gate)

    def problem(self) -> str:
        """Return why the program was not executed, "" when it was. To be asked once the child has run."""
        data = os.read(self.status, 4096)
        os.close(self.status)
        return data.decode("utf-8", "replace")


def output_file() -> int:
    """Return a descriptor of a file without a name, for what the program writes."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("output", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:  # a libc without it
        return os.dup(file.fileno())


def tail(output: int, size: int = 4096) -> str:
    """Return the last of what was written to ``output``."""
    length = os.fstat(output).st_size
    data = os.pread(output, size, max(length - size, 0))
    text = data.decode("utf-8", "replace")
    return text if length <= size else text.partition("\n")[2]


def start(request: Request, output: int) -> Launched:
    """Fork the child, which waits before it does anything. Raises TraceError."""
    status_read, status_write = os.pipe2(os.O_CLOEXEC)
    gate_read, gate_write = os.pipe2(os.O_CLOEXEC)
    try:
        pid = os.fork()
    except OSError as error:
        raise TraceError(f"cannot make a process: {error.strerror}") from error
    if pid:
        os.close(status_write)
        os.close(gate_read)
        return Launched(pid, status_read, gate_write)
    try:
        os.close(gate_write)
        answer = os.read(gate_read, 1)
        if answer:
            _prepare(request, output, answer == _SHOWN)
            _execute(request)
    except _Step as step:
        os.write(status_write, str(step).encode("utf-8", "replace"))
    except BaseException as error:
        os.write(status_write, f"cannot prepare the process: {error!r}".encode("utf-8", "replace"))
    finally:
        os._exit(127)


class _Step(Exception):
    """A step of the child failed."""


def _prepare(request: Request, output: int, with_filter: bool) -> None:
    os.setsid()
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    if null > 2:
        os.close(null)
    for number in signal.valid_signals():
        try:
            signal.signal(number, signal.SIG_DFL)
        except (OSError, ValueError):
            continue  # SIGKILL, SIGSTOP, and what the C library keeps for itself
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.umask(request.umask)
    program = syscalls.filter_program(os.uname().machine) if with_filter else None
    if program is not None:
        syscalls.install(program)  # where the kernel refuses, /proc is looked at in the end
    _become(request)
    try:
        os.chdir(request.chdir)
    except OSError as error:
        raise _Step(f"chdir {request.chdir}: {error.strerror}") from None


def _become(request: Request) -> None:
    if request.user is None and request.group is None:
        return
    import grp
    import pwd

    try:
        user = _entry(request.user, pwd.getpwnam, pwd.getpwuid) if request.user is not None else None
        group: int = user.pw_gid if user is not None else -1
        if request.group is not None:
            group = _entry(request.group, grp.getgrnam, grp.getgrgid).gr_gid
    except KeyError as error:
        raise _Step(f"become {request.user or ''}:{request.group or ''}: {error.args[0]}") from None
    try:
        if user is not None and os.geteuid() == 0:
            os.initgroups(user.pw_name, group)
        os.setgid(group)
        if user is not None:
            os.setuid(user.pw_uid)
    except OSError as error:
        raise _Step(f"become {request.user or ''}:{request.group or ''}: {error.strerror}") from None


def _entry(name: str, by_name: Any, by_number: Any) -> Any:
    return by_number(int(name)) if name.isdigit() else by_name(name)


def _execute(request: Request) -> NoReturn:
    """Execute the program along PATH, as execvp(3) does."""
    name = request.argv[0]
    folders = request.env.get("PATH", DEFAULT_PATH).split(":") if "/" not in name else [""]
    problem = errno.ENOENT
    for folder in folders:
        path = os.path.join(folder, name) if folder else name
        try:
            os.execve(path, list(request.argv), dict(request.env))
        except OSError as error:
            if error.errno == errno.ENOEXEC:
                os.execve("/bin/sh", ["/bin/sh", path, *request.argv[1:]], dict(request.env))
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                problem = error.errno or problem
    raise _Step(f"execute {name}: {os.strerror(problem)}")
