# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done with what somebody says to the socket of `expect notify`."""

from __future__ import annotations

import os
import socket
from types import SimpleNamespace

import pytest
from ansible_collections.foster.init.plugins.module_utils.job.model import Expect, Job, Process, ProcessKind
from ansible_collections.foster.init.plugins.module_utils.supervisor import spawn
from ansible_collections.foster.init.plugins.module_utils.supervisor.readiness.notify import Notify


@pytest.fixture
def warnings():
    return []


@pytest.fixture
def say(tmp_path, warnings):
    """Return a function that says something as often as wanted; ``belongs``: as a process of the job."""
    job = Job("j", exec_main=Process("true"), expect=Expect("notify"))
    watcher = Notify(job, str(tmp_path / "notify" / "1"))
    loop = SimpleNamespace(now=lambda: 0.0, watch=lambda *_what: None, unwatch=lambda _fd: None)
    around = SimpleNamespace(loop=loop, warn=warnings.append, members=list)
    watcher.equip(spawn.plan(job, ProcessKind.MAIN, ()))
    watcher.attach(around, os.getpid())

    def said(data: bytes, times: int, belongs: bool) -> None:
        around.belongs = lambda _pid: belongs
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
            for _unused in range(times):
                speaker.sendto(data, watcher.address)
                watcher._read()

    yield said
    watcher.cancel()


@pytest.mark.parametrize(
    ("data", "belongs"), [(b"x" * 5000, False), (b"x" * 5000, True), (b"READY=1", False), (b"MAINPID=1", True)]
)
def test_nonsense_does_not_fill_the_log(say, warnings, data, belongs):
    """Any local user may write there, and each datagram that was too long has been a line in the log."""
    say(data, 150, belongs)
    assert 1 <= len(warnings) <= 2
