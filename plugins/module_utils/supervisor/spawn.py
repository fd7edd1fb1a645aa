# SPDX-License-Identifier: GPL-3.0-or-later
# pylint: disable=ansible-bad-function  # starting processes is what a supervisor is for
"""How a process of a job is started: what is executed, and the child's side of it, each step named.

Two ways. ``spawn`` (posix_spawn, the supervisor standing in the job's folder and umask) for ordinary jobs;
``fork_child`` where a
stanza needs steps in the child itself (limits, nice, chroot, setuid, ...). Both make the process the leader of a new
session, with
/dev/null as input, the given descriptor as output, and nothing else open but a script on descriptor 9.
"""

from __future__ import annotations

import errno
import os
import signal
import stat
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Optional

from ..job import envfile
from ..job.errors import ExpandError, UnknownParameter
from ..job.expand import expand
from ..job.model import Job, ProcessKind
from . import apparmor

SCRIPT_FD = 9
SHELL = "/bin/sh"
_SHELL_CHARACTERS = frozenset("~`!$^&*()=|\\{}[];\"'<>?")  # Upstart 1.13, init/job_process.c
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_RLIMITS = {
    "cpu": 0, "fsize": 1, "data": 2, "stack": 3, "core": 4, "rss": 5, "nproc": 6, "nofile": 7, "memlock": 8, "as": 9,
    "locks": 10, "sigpending": 11, "msgqueue": 12, "nice": 13, "rtprio": 14, "rttime": 15,
}  # fmt: skip  # asm-generic/resource.h
_RLIM_INFINITY = -1
CATCHABLE = tuple(number for number in sorted(signal.valid_signals()) if number not in (signal.SIGKILL, signal.SIGSTOP))


class SpawnError(Exception):
    """A step of starting a process failed."""

    def __init__(self, step: str, error: int) -> None:
        super().__init__(f"{step}: {os.strerror(error)}")
        self.step = step
        self.errno = error


class Plan(NamedTuple):
    """What to execute. ``script``: the text for descriptor 9. ``in_child``: stanzas need steps in the child."""

    argv: list[str]
    env: Mapping[str, str]
    script: Optional[str]
    job: Job
    kind: ProcessKind
    in_child: bool
    extra: tuple[tuple[int, int], ...] = ()  # (descriptor, number it shall have)
    mark: int = 0  # see tracking.mark


class Surroundings(NamedTuple):
    """What every process gets. ``nofile``: the limit the supervisor itself was started with, (soft, hard)."""

    null_fd: int
    folder_fd: int
    nofile: tuple[int, int]
    user_mode: bool


def plan(job: Job, kind: ProcessKind, env: tuple[str, ...]) -> Plan:
    """Decide what is executed for ``kind``."""
    variables = dict(entry.split("=", 1) for entry in env if "=" in entry)
    for path in job.env_files:
        variables.update(_step("environment-file", _variables, path))
    variables.pop("", None)  # Upstart hands `=VALUE` on, Python refuses to
    argv, script = _command(job, kind)
    return Plan(argv, variables, script, job, kind, _needs_child(job, kind))


def _variables(path: str) -> dict[str, str]:
    """Return what an environment file sets; "-PATH" may be absent. Raises OSError, ValueError."""
    optional = path.startswith("-")
    try:
        # Not blocking, so that a FIFO in its place cannot hold the supervisor up.
        descriptor = os.open(path[1:] if optional else path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        if optional:
            return {}
        raise
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        data = file.read(envfile.MAX_BYTES + 1)
    if len(data) > envfile.MAX_BYTES:
        raise OSError(errno.EFBIG, "too large")
    return envfile.read(os.fsdecode(data))


def _command(job: Job, kind: ProcessKind) -> tuple[list[str], Optional[str]]:
    process = job.process(kind)
    if process is None:  # the security process has no stanza of its own
        if kind is ProcessKind.SECURITY and job.apparmor_load and apparmor.available():
            return [apparmor.PARSER, "-r", "-W", job.apparmor_load], None
        return ["/bin/true"], None
    if not process.script and not _SHELL_CHARACTERS.intersection(process.command):
        return process.command.split() or [""], None
    text = process.command if process.script else f"exec {process.command}"
    if "\n" not in text.rstrip("\n"):
        return [SHELL, "-e", "-c", text.rstrip("\n"), SHELL], None
    # The shell opens the script once more: it is to close the descriptor that what it runs would inherit. Upstart does
    # the same, which shows in the numbers of the lines that the shell complains about.
    return [SHELL, "-e", f"/proc/self/fd/{SCRIPT_FD}"], f"exec {SCRIPT_FD}<&-\n{text}"


def _needs_child(job: Job, kind: ProcessKind) -> bool:
    return bool(
        job.limits
        or job.nice is not None
        or job.oom_score is not None
        or job.chroot
        or job.setuid
        or job.setgid
        or job.console == "owner"
        or job.debug
        or (job.apparmor_switch and kind is ProcessKind.MAIN)
    )


def find_program(name: str, env: Mapping[str, str]) -> str:
    """Return the path of ``name`` along the job's own PATH, as execvp(3) would; raise SpawnError."""
    if "/" in name:
        return name
    error = errno.ENOENT
    for folder in env.get("PATH", _DEFAULT_PATH).split(":"):
        path = os.path.join(folder or ".", name)
        try:
            mode = os.stat(path).st_mode
        except OSError:
            continue
        if not stat.S_ISREG(mode):
            continue
        if os.access(path, os.X_OK):
            return path
        error = errno.EACCES
    raise SpawnError("exec", error)


def script_descriptor(text: str) -> int:
    """Return a descriptor that reads ``text``, whatever its size: a file in memory, or an unlinked one."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("script", os.MFD_CLOEXEC)
    else:  # a libc without it
        import tempfile

        fd, path = tempfile.mkstemp()
        os.unlink(path)
    data = os.fsencode(text)
    while data:
        data = data[os.write(fd, data) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


Execute = Callable[[str, "list[str]", Mapping[str, str], "list[tuple[int, int]]"], int]


def spawn(what: Plan, output: int, around: Surroundings, execute: Optional[Execute] = None) -> int:
    """Start the process and return its pid once it has executed its program; raise SpawnError.

    ``execute(program, argv, env, [(descriptor, its number)])``: how, if not with Python's posix_spawn.
    """
    job = what.job
    script = -1
    umask = None
    try:
        if job.chdir:
            _step("chdir", os.chdir, job.chdir)
        if job.umask is not None:
            umask = os.umask(job.umask)
        program = find_program(what.argv[0], what.env)
        duplicates = [(around.null_fd, 0), (output, 1), (output, 2)]
        if what.script is not None:
            script = _step("script", script_descriptor, what.script)
            duplicates.append((script, SCRIPT_FD))
        duplicates.extend(what.extra)
        return _execute(program, what, duplicates, execute or posix_spawn)
    finally:
        if script >= 0:
            os.close(script)
        if umask is not None:
            os.umask(umask)
        if job.chdir:
            os.fchdir(around.folder_fd)


def _execute(program: str, what: Plan, duplicates: list[tuple[int, int]], execute: Execute) -> int:
    try:
        try:
            return execute(program, what.argv, what.env, duplicates)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            # as execvp(3) does for a file without #!
            return execute(SHELL, [SHELL, program, *what.argv[1:]], what.env, duplicates)
    except OSError as error:
        raise SpawnError("exec", error.errno or errno.EIO) from None
    except ValueError:  # a NUL byte in a name
        raise SpawnError("exec", errno.EINVAL) from None


def posix_spawn(program: str, argv: list[str], env: Mapping[str, str], duplicates: list[tuple[int, int]]) -> int:
    """Start a process as the leader of a session; raise OSError or ValueError."""
    actions = [(os.POSIX_SPAWN_DUP2, descriptor, number) for descriptor, number in duplicates]
    return os.posix_spawn(program, argv, env, file_actions=actions, setsid=True, setsigmask=(), setsigdef=CATCHABLE)


# ---- the child's side ---------------------------------------------------------------------------------------


def fork_child(what: Plan, output: int, around: Surroundings) -> tuple[int, int, int]:
    """Fork a child that waits for a byte, prepares itself and executes the program.

    Returns (pid, status descriptor, go descriptor). Write a byte to *go* when the pid is on the ledger; closed
    without one, or the
    supervisor dead, the child ends without having executed anything. *status* ends empty after a successful exec;
    else it yields
    ``step errno``. Raises SpawnError.
    """
    pipes: list[int] = []
    try:
        pipes += os.pipe2(os.O_CLOEXEC)
        pipes += os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
    except OSError as error:
        for fd in pipes:
            os.close(fd)
        raise SpawnError("fork", error.errno or errno.EAGAIN) from None
    status_read, status_write, go_read, go_write = pipes
    if pid == 0:
        try:
            os.close(go_write)
            if os.read(go_read, 1):
                _child(what, output, around)
        except SpawnError as error:
            os.write(status_write, f"{error.step} {error.errno}".encode())
        except BaseException:
            os.write(status_write, f"setup {errno.EIO}".encode())
        finally:
            os._exit(255)
    os.close(status_write)
    os.close(go_read)
    return pid, status_read, go_write


def let_go(go: int) -> None:
    """Let a forked child prepare itself and execute its program. Where it was killed meanwhile, its end tells that."""
    try:
        os.write(go, b"!")
    except BrokenPipeError:
        pass
    finally:
        os.close(go)


def parse_status(data: bytes) -> Optional[SpawnError]:
    """Return the error that a child wrote to its status descriptor, None where there was none."""
    if not data:
        return None
    step, _unused, number = data.decode("ascii", "replace").partition(" ")
    return SpawnError(step, int(number) if number.isdigit() else errno.EIO)


def _step(name: str, action: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return action(*arguments)
    except OSError as error:
        raise SpawnError(name, error.errno or errno.EIO) from None
    except KeyError:  # pwd and grp
        raise SpawnError(name, errno.ENOENT) from None
    except ValueError:
        raise SpawnError(name, errno.EINVAL) from None


def _child(what: Plan, output: int, around: Surroundings) -> None:
    job = what.job
    _step("setsid", os.setsid)
    script = _step("script", script_descriptor, what.script) if what.script is not None else -1
    _descriptors(job, output, script, around)
    for fd, number in what.extra:
        _step("descriptors", os.dup2, fd, number)
    if job.apparmor_switch and what.kind is ProcessKind.MAIN:
        _step("apparmor", _profile, job.apparmor_switch, what.env)
    if what.kind is not ProcessKind.SECURITY:
        _limits(job, around)
        _surround(job, around)
        _identity(job, script)
    for number in CATCHABLE:
        try:
            signal.signal(number, signal.SIG_DFL)
        except (OSError, ValueError):
            continue  # reserved by the C library
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if job.debug:
        os.kill(os.getpid(), signal.SIGSTOP)
    program = find_program(what.argv[0], what.env)
    try:
        os.execve(program, what.argv, dict(what.env))
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise SpawnError("exec", error.errno or errno.EIO) from None
    _step("exec", os.execve, SHELL, [SHELL, program, *what.argv[1:]], dict(what.env))


def _profile(name: str, env: Mapping[str, str]) -> None:
    """Run the program under that profile. Raises OSError, ValueError where a variable in the name is not set."""
    try:
        profile = expand(name, env)
    except (UnknownParameter, ExpandError) as error:
        raise ValueError(str(error)) from None
    if apparmor.available():
        _write("/proc/self/attr/exec", f"exec {profile}")


def _descriptors(job: Job, output: int, script: int, around: Surroundings) -> None:
    source = around.null_fd
    if job.console == "owner":
        import fcntl
        import termios

        source = output = _step("console", os.open, "/dev/console", os.O_RDWR | os.O_NOCTTY)
        _step("console", fcntl.ioctl, source, termios.TIOCSCTTY, 1)
    _step("descriptors", os.dup2, source, 0)
    _step("descriptors", os.dup2, output, 1)
    _step("descriptors", os.dup2, output, 2)
    if script >= 0:
        _step("descriptors", os.dup2, script, SCRIPT_FD)


def _limits(job: Job, around: Surroundings) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, around.nofile)
    for name, limit in job.limits:
        soft = _RLIM_INFINITY if limit.soft is None else limit.soft
        hard = _RLIM_INFINITY if limit.hard is None else limit.hard
        _step(f"limit-{name}", resource.setrlimit, _RLIMITS[name], (soft, hard))


def _surround(job: Job, around: Surroundings) -> None:
    os.umask(0o022 if job.umask is None else job.umask)
    if job.nice is not None:
        _step("nice", os.setpriority, os.PRIO_PROCESS, 0, job.nice)
    if job.oom_score is not None:
        _step("oom-score", _write, "/proc/self/oom_score_adj", str(job.oom_score))
    if job.chroot:
        _step("chroot", os.chroot, job.chroot)
    if job.chdir:
        _step("chdir", os.chdir, job.chdir)
    elif not around.user_mode:
        _step("chdir", os.chdir, "/")


def _identity(job: Job, script: int) -> None:
    """Change to the job's user and group; names are looked up here, inside the chroot."""
    if not job.setuid and not job.setgid:
        return
    import grp
    import pwd

    user = _step("setuid", _user, pwd, job.setuid) if job.setuid else None
    group = user.pw_gid if user is not None else -1
    if job.setgid:
        group = _step("setgid", _group, grp, job.setgid)
    if script >= 0:
        _step("script", os.fchown, script, user.pw_uid if user is not None else -1, group)
    if os.geteuid() == 0:
        name = user.pw_name if user is not None else pwd.getpwuid(0).pw_name
        _step("initgroups", os.initgroups, name, group)
    if group != -1:
        _step("setgid", os.setgid, group)
    if user is not None:
        _step("setuid", os.setuid, user.pw_uid)


def _user(pwd: Any, name: str) -> Any:
    return pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)


def _group(grp: Any, name: str) -> int:
    return int(name) if name.isdigit() else int(grp.getgrnam(name).gr_gid)


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
