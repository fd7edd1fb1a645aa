# SPDX-License-Identifier: GPL-3.0-or-later
"""Who adopts, and how an end is asked for and waited for."""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.foster.init.plugins.module_utils.inits.hosting import running
from ansible_collections.foster.init.plugins.module_utils.inits.hosting.layout import SYSTEM
from ansible_collections.foster.init.plugins.module_utils.processes.identity import Identity, identify

PR_SET_CHILD_SUBREAPER = 36


def test_a_subreaper_adopts_what_is_orphaned_below_it() -> None:
    """In a process of its own, because there is no way back that every kernel knows of."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            os.write(writer, b"yes" if running.adopter() == os.getpid() else b"no")
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    os.close(writer)
    with open(reader, "rb") as answer:
        assert answer.read() == b"yes"


def test_who_adopts_is_named() -> None:
    assert f"(pid {os.getpid()}), a subreaper" in running.adopted(os.getpid())


@pytest.mark.parametrize("keep", [False, True])
def test_jobs_are_kept_by_a_file_that_the_supervisor_finds_before_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: bool
) -> None:
    layout = SYSTEM._replace(socket=str(tmp_path / "control"))
    with subprocess.Popen(["sleep", "1000"]) as process:
        monkeypatch.setattr(running, "pid_of", lambda _layout: process.pid)
        seen = []

        def tell(identity: Identity) -> None:
            seen.append((tmp_path / "keep").exists())
            running.terminate(identity)

        assert running.end(layout, keep, tell)
        assert seen == [keep]


def test_another_process_with_the_same_pid_is_not_signalled() -> None:
    with subprocess.Popen(["sleep", "1000"]) as process:
        identity = identify(process.pid)
        assert identity
        running.terminate(identity._replace(start_time=identity.start_time + 1))
        assert process.poll() is None
        running.terminate(identity)
        running.wait_until_gone(identity)
