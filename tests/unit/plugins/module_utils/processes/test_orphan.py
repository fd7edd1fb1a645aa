# SPDX-License-Identifier: GPL-3.0-or-later
"""Orphans, made for real: below a subreaper of the test's own, which reaps or does not."""

from __future__ import annotations

import ctypes
import os
import signal
from typing import Callable

import pytest
from ansible_collections.foster.init.plugins.module_utils.processes import orphan
from ansible_collections.foster.init.plugins.module_utils.processes.ancestry import chain, terminal_name

_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER


def below_a_subreaper(prepare: Callable[[], object]) -> tuple[int, int, str]:
    """Return (pid of the subreaper, pid of the adopter, whether it reaps); its zombie ends with the subreaper."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            prepare()
            ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
            found = orphan.adopt(reap_timeout=0.2)
            os.write(writer, f"{found.adopter} {found.reaps}".encode())
        finally:
            os._exit(0)
    os.close(writer)
    try:
        adopter, reaps = os.read(reader, 100).decode().split()
    finally:
        os.close(reader)
        os.waitpid(pid, 0)
    return pid, int(adopter), reaps


def test_a_subreaper_that_does_not_reap() -> None:
    pid, adopter, reaps = below_a_subreaper(lambda: None)
    assert (adopter, reaps) == (pid, "False")


def test_a_subreaper_that_lets_the_kernel_reap() -> None:
    pid, adopter, reaps = below_a_subreaper(lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    assert (adopter, reaps) == (pid, "True")


def test_here_an_ancestor_adopts() -> None:
    found = orphan.adopt(reap_timeout=0.2)
    assert found.adopter in {0, *(stat.pid for stat in chain(os.getpid())[1:])}


@pytest.mark.parametrize(
    ("device", "name"),
    [(0, ""), (34816, "/dev/pts/0"), (34816 + 7, "/dev/pts/7"), (35072, "/dev/pts/256"), (1025, "/dev/tty1"),
     (1088, "/dev/ttyS0"), (0x505, "device 5:5")],
)  # fmt: skip
def test_the_name_of_a_terminal(device: int, name: str) -> None:
    assert terminal_name(device) == name
