# SPDX-License-Identifier: GPL-3.0-or-later
"""What we read of real processes is what psutil says of them, where psutil says it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from ansible_collections.foster.init.plugins.module_utils.processes.candidate import Candidate, Processes
from ansible_collections.foster.init.plugins.module_utils.supervisor.tracking import proc


def started(*argv: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)


@pytest.fixture
def zoo(tmp_path: Path) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Processes of every kind that is told apart; each has written a line when it is what it is to be."""
    cat = shutil.which("cat") or ""
    odd = tmp_path / "a) R 1 (b"
    gone = tmp_path / "gone"
    for copy in (odd, gone):
        shutil.copy(cat, copy)
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\necho up\nread line\n")
    script.chmod(0o755)
    found = {
        "plain": started(cat),
        "a name like a stat line": started(str(odd), "-"),  # psutil would split a single word with spaces
        "its program is gone": started(str(gone)),
        "script": started(str(script), "one two", "", "three\nfour"),
        "with descendants": started("sh", "-c", "(sh -c 'echo up; exec sleep 1000' & wait) & wait"),
        "zombie": started("sh", "-c", "echo up"),
    }
    try:
        for name in ("plain", "a name like a stat line", "its program is gone"):
            found[name].stdin.write(b"up\n")
            found[name].stdin.flush()
        for each in found.values():
            assert each.stdout.readline() == b"up\n"
        os.waitid(os.P_PID, found["zombie"].pid, os.WEXITED | os.WNOWAIT)
        gone.unlink()
        yield found
    finally:
        for each in found.values():
            each.stdin.close()
            os.killpg(each.pid, signal.SIGKILL)
            each.wait()
            each.stdout.close()


def read(pid: int) -> Candidate:
    candidate = Processes().read(pid)
    assert candidate is not None
    return candidate


def test_every_field_that_psutil_has(zoo: dict[str, subprocess.Popen[bytes]]) -> None:
    for kind, process in zoo.items():
        ours, theirs = read(process.pid), psutil.Process(process.pid)
        with theirs.oneshot():
            assert ours.ppid == theirs.ppid() == os.getpid(), kind
            assert ours.name == theirs.name()[:15], kind
            assert ours.uid == theirs.uids().effective, kind
            assert ours.ended is (theirs.status() == psutil.STATUS_ZOMBIE), kind
            assert ours.started == pytest.approx(theirs.create_time(), abs=2), kind  # whose clock was adjusted
            if not ours.ended:
                assert list(ours.argv) == theirs.cmdline(), kind
                assert ours.program.removesuffix(" (deleted)") == theirs.exe().removesuffix(" (deleted)"), kind
    assert read(zoo["its program is gone"].pid).removed
    assert not read(zoo["plain"].pid).removed


def test_descendants_and_children(zoo: dict[str, subprocess.Popen[bytes]]) -> None:
    pid = zoo["with descendants"].pid
    theirs = psutil.Process(pid)
    assert sorted(proc.descendants(pid)) == sorted(each.pid for each in theirs.children(recursive=True))
    assert sorted(proc.children(pid)) == sorted(each.pid for each in theirs.children())


def test_all_pids_are_there_and_none_is_a_thread() -> None:
    for _another_try in range(100):  # others come and go between the two
        before, ours, after = psutil.pids(), Processes().pids(), psutil.pids()
        if before == after:
            assert ours == before
            return
    raise AssertionError("the processes of this machine never stand still")
