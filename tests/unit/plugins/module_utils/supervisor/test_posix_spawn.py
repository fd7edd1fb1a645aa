# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting a process in its cgroup: by the kernel where it can, else by stepping there."""

from __future__ import annotations

import errno
import os

import pytest
from ansible_collections.foster.init.plugins.module_utils.job.model import ProcessKind
from ansible_collections.foster.init.plugins.module_utils.job.parser import parse_job
from ansible_collections.foster.init.plugins.module_utils.supervisor.kernel import LinuxKernel
from ansible_collections.foster.init.plugins.module_utils.supervisor.posix_spawn import CgroupSpawn
from ansible_collections.foster.init.plugins.module_utils.supervisor.spawn import CATCHABLE, SpawnError, plan


class Folders:
    """Cgroups that are plain folders, and note who enters them."""

    unified = True

    def __init__(self, root) -> None:
        self.root = root
        self.entered: list[str] = []

    def path(self, name):
        return str(self.root / name)

    def prepare(self, name, settings):
        (self.root / name).mkdir(exist_ok=True)

    def enter(self, name):
        self.entered.append(name)


class Unable:
    """What a kernel does that does not know the flag, or knows it and does not find the program."""

    def __init__(self, error) -> None:
        self.error = error

    def start(self, program, argv, env, duplicates, cgroup):
        raise OSError(self.error, os.strerror(self.error))


@pytest.fixture
def kernel(tmp_path):
    with open("/dev/null", "r+b", 0) as null:
        made = LinuxKernel(Folders(tmp_path), True, null.fileno())
        made.null = null.fileno()
        yield made
        made.restore_limits()


def what(command):
    return plan(parse_job(f"exec {command}\n", "a", "a.conf"), ProcessKind.MAIN, ("PATH=/bin:/usr/bin",))


@pytest.mark.parametrize("error", [errno.ENOSYS, errno.EPERM, errno.EOPNOTSUPP])
def test_a_kernel_that_cannot_is_asked_once_and_then_the_supervisor_steps_there(kernel, error):
    kernel._born_in = Unable(error)
    for _unused in range(2):
        started = kernel.start(what("true"), kernel.null, "job-a")
        assert os.waitpid(started.pid, 0)[1] == 0
    assert kernel._born_in is None
    assert kernel.cgroups.entered == ["job-a", "job-a"]


def test_a_program_that_is_missing_is_no_reason_to_step(kernel):
    kernel._born_in = Unable(errno.ENOENT)
    with pytest.raises(SpawnError, match="exec"):
        kernel.start(what("true"), kernel.null, "job-a")
    assert kernel._born_in is not None
    assert kernel.cgroups.entered == []


def test_the_c_librarys_own_way_says_so_where_a_folder_is_no_cgroup(tmp_path):
    born_in = CgroupSpawn.find(CATCHABLE)
    if born_in is None:
        assert not hasattr(__import__("ctypes").CDLL(None), "posix_spawnattr_setcgroup_np")
        return
    folder = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with pytest.raises(OSError, match=r".") as caught:
            born_in.start("/bin/true", ["true"], {}, [], folder)
        assert caught.value.errno in (errno.EBADF, errno.EINVAL, errno.ENOSYS, errno.EPERM)
    finally:
        os.close(folder)
