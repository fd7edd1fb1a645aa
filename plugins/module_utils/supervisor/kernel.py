# SPDX-License-Identifier: GPL-3.0-or-later
"""The seam between the supervisor and the operating system: everything that happens to a process goes through here.

``Kernel`` is what the host needs; ``LinuxKernel`` does it; the unit tests bring a fake one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
import time
from collections.abc import Mapping
from typing import NamedTuple, Optional, Protocol

from . import linux
from .posix_spawn import CgroupSpawn
from .spawn import CATCHABLE, Execute, Plan, SpawnError, Surroundings, fork_child, posix_spawn, spawn
from .tracking import mark, proc
from .tracking.cgroup import Cgroups

_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")  # nanoseconds

# What says that the kernel, or a filter in a container, does not know CLONE_INTO_CGROUP.
_NOT_INTO_CGROUP = frozenset((errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM, errno.EBUSY, errno.EBADF))


class Exit(NamedTuple):
    """A child that has ended (not yet reaped) or, with ``stopped``, was stopped by a signal."""

    pid: int
    code: Optional[int]
    signal: Optional[int]


class Started(NamedTuple):
    """A process that was started. ``status`` and ``go``: descriptors of a child that prepares itself, else -1."""

    pid: int
    status: int = -1
    go: int = -1


class Kernel(Protocol):
    """What the supervisor asks of the operating system."""

    def start(self, plan: Plan, output: int, cgroup: Optional[str]) -> Started: ...
    def settle(self) -> None: ...
    def next_exit(self) -> Optional[Exit]: ...
    def reap(self, pid: int) -> None: ...
    def has_stopped(self, pid: int) -> bool: ...
    def signal_group(self, pid: int, number: int) -> None: ...
    def kill_group(self, group: int) -> None: ...
    def signal_process(self, pid: int, number: int) -> None: ...
    def signal_member(self, member: proc.Stat, number: int) -> None: ...
    def forbid_forks(self, pid: int) -> None: ...
    def start_time(self, pid: int) -> Optional[int]: ...
    def ticks(self) -> int: ...
    def restore_limits(self) -> None: ...
    def give_back_memory(self) -> None: ...


class LinuxKernel:
    """Act on real processes. ``cgroups``: where instances get their own, None for nowhere."""

    def __init__(self, cgroups: Optional[Cgroups], user_mode: bool, null_fd: int) -> None:
        self.cgroups = cgroups
        nofile = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._around = Surroundings(
            null_fd, os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), nofile, user_mode
        )
        self._own_nofile = (nofile[1], nofile[1])
        unified = cgroups is not None and cgroups.unified
        self._born_in = CgroupSpawn.find(CATCHABLE) if unified else None
        resource.setrlimit(resource.RLIMIT_NOFILE, self._own_nofile)

    def start(self, plan: Plan, output: int, cgroup: Optional[str]) -> Started:
        """Start a process with its output on ``output``, born in ``cgroup``; raise SpawnError."""
        execute = None
        if cgroup is not None and self.cgroups is not None:
            try:
                self.cgroups.prepare(cgroup, plan.job.cgroup)
                if self._born_in is not None and not plan.in_child:
                    execute = self._execution(self._born_in, self.cgroups, cgroup)
                else:
                    self.cgroups.enter(cgroup)
            except OSError as error:
                raise SpawnError("cgroup", error.errno or errno.EIO) from None
        with mark.worn(plan.mark):
            if plan.in_child:
                return Started(*fork_child(plan, output, self._around))
            if self._around.nofile == self._own_nofile:
                return Started(spawn(plan, output, self._around, execute))
            resource.setrlimit(resource.RLIMIT_NOFILE, self._around.nofile)
            try:
                return Started(spawn(plan, output, self._around, execute))
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, self._own_nofile)

    def _execution(self, born_in: CgroupSpawn, cgroups: Cgroups, cgroup: str) -> Execute:
        """Return how a process is executed that the kernel is to put into ``cgroup``."""

        def execute(program: str, argv: list[str], env: Mapping[str, str], duplicates: list[tuple[int, int]]) -> int:
            folder = os.open(cgroups.path(cgroup), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                return born_in.start(program, argv, env, duplicates, folder)
            except OSError as error:
                if error.errno not in _NOT_INTO_CGROUP:
                    raise
            finally:
                os.close(folder)
            self._born_in = None
            cgroups.enter(cgroup)
            return posix_spawn(program, argv, env, duplicates)

        return execute

    def settle(self) -> None:
        """Go back to the supervisor's own cgroup, after one or many starts."""
        if self.cgroups is not None:
            self.cgroups.leave()

    def next_exit(self) -> Optional[Exit]:
        """Return a child that has ended and is still there to be looked at, None where there is none."""
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return None
        if found is None:
            return None
        if found.si_code == os.CLD_EXITED:
            return Exit(found.si_pid, found.si_status, None)
        return Exit(found.si_pid, None, found.si_status)

    def reap(self, pid: int) -> None:
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG)

    def has_stopped(self, pid: int) -> bool:
        """Tell whether the child ``pid`` was stopped by a signal since the last time this was asked."""
        try:
            return os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG) is not None
        except ChildProcessError:
            return False

    def signal_group(self, pid: int, number: int) -> None:
        """Signal the process group of ``pid``, or ``pid`` alone where that group is not its own to signal."""
        try:
            group = os.getpgid(pid)
            if group in (0, 1, os.getpgrp()):
                os.kill(pid, number)
            else:
                os.killpg(group, number)
        except ProcessLookupError:
            pass
        except PermissionError:
            self.signal_process(pid, number)

    def kill_group(self, group: int) -> None:
        """End a process group as one: no member forks meanwhile (kernel/fork.c). Its leader need not be there."""
        if group > 1 and group != os.getpgrp():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)

    def signal_process(self, pid: int, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)

    def signal_member(self, member: proc.Stat, number: int) -> None:
        """Signal a process that need not be our child, and never another one that has got its pid meanwhile."""
        try:
            fd = os.pidfd_open(member.pid)
        except ProcessLookupError:
            return
        except (OSError, AttributeError):  # Linux before 5.3, or built with an older C library
            if proc.start_time(member.pid) == member.start_time:
                self.signal_process(member.pid, number)
            return
        try:
            if proc.start_time(member.pid) == member.start_time:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    signal.pidfd_send_signal(fd, number)
        finally:
            os.close(fd)

    def forbid_forks(self, pid: int) -> None:
        """Let no fork of ``pid`` succeed any more; without effect on root's processes (getrlimit(2))."""
        with contextlib.suppress(OSError, ValueError):
            resource.prlimit(pid, resource.RLIMIT_NPROC, (0, 0))

    def give_back_memory(self) -> None:
        linux.trim_memory()

    def restore_limits(self) -> None:
        """Go back to the limits that this process was started with."""
        resource.setrlimit(resource.RLIMIT_NOFILE, self._around.nofile)

    def start_time(self, pid: int) -> Optional[int]:
        return proc.start_time(pid)

    def ticks(self) -> int:
        """Return the time that a process gets for its start time if it is started now: clock ticks since boot."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // _TICK


def signal_number(name: str) -> int:
    """Return the number of a signal given as TERM, SIGTERM or 15; raise ValueError."""
    if name.isdigit():
        return int(name)
    upper = name.upper()
    try:
        return int(signal.Signals["SIG" + upper[3 if upper.startswith("SIG") else 0 :]])
    except KeyError:
        raise ValueError(f"unknown signal {name}") from None
