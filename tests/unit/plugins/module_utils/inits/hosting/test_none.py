# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor as a daemon of its own, with a program that stands in for it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from ansible_collections.foster.init.plugins.module_utils.inits.errors import InitError
from ansible_collections.foster.init.plugins.module_utils.inits.hosting import none, running
from ansible_collections.foster.init.plugins.module_utils.inits.hosting.layout import Layout
from ansible_collections.foster.init.plugins.module_utils.processes.ancestry import command_line
from ansible_collections.foster.init.plugins.module_utils.processes.escape import Proof
from ansible_collections.foster.init.plugins.module_utils.processes.identity import (
    Identity,
    identify,
    is_alive,
    read_stat,
)

STAND_IN = """#!{python} -IS
import os, socket, sys
print("up", os.getsid(0) == os.getpid(), sorted(os.listdir("/proc/self/fd"))[:3], flush=True)
if os.path.exists({socket!r}):
    os.unlink({socket!r})
listener = socket.socket(socket.AF_UNIX)
listener.bind({socket!r})
listener.listen()
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
if not notify.connect_ex("\\0" + os.environ["NOTIFY_SOCKET"][1:]):
    notify.send(b"READY=1")
listener.accept()
while True:
    listener.accept()
"""


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(
        user=True,
        library=str(tmp_path),
        programs=str(tmp_path / "bin"),
        jobs=str(tmp_path / "jobs"),
        socket=str(tmp_path / "control"),
        log=str(tmp_path / "log" / "fosterd.log"),
    )
    (tmp_path / "fosterd").write_text(STAND_IN.format(python=sys.executable, socket=made.socket))
    (tmp_path / "fosterd").chmod(0o755)
    return made


def test_start_and_stop(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine that runs the tests may have a subreaper above us; that is another test's."""
    monkeypatch.setattr(none.Nobody, "_check_escape", lambda *_: None)
    nobody = none.Nobody(layout)
    try:
        nobody.start()
        pid = nobody.status().pid
        assert pid is not None
        nobody.start()
        assert nobody.status().pid == pid
        stat = read_stat(pid)
        assert stat is not None
        assert stat.ppid != os.getpid()
        assert stat.session != os.getsid(0)
        assert stat.tty == 0
        guard = identify(stat.ppid)
        assert guard is not None
    finally:
        nobody.stop(keep_jobs=False)
    assert not nobody.status().running
    assert not is_alive(guard)
    nobody.stop(keep_jobs=False)


def test_a_killed_supervisor_is_brought_back(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(none.Nobody, "_check_escape", lambda *_: None)
    monkeypatch.setattr(running, "proof", lambda *_args, **_more: Proof(0, 1, "", 0, "", True, ""))
    nobody = none.Nobody(layout)
    try:
        nobody.start()
        first = nobody.status().pid
        assert first
        killed = identify(first)
        assert killed
        os.kill(first, signal.SIGKILL)
        running.wait_until_gone(killed)
        assert running.wait_until_up(layout, "the guard") != first
    finally:
        nobody.stop(keep_jobs=False)
    assert not nobody.status().running


def test_a_supervisor_that_is_about_to_be_brought_back_is_not(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(none.Nobody, "_check_escape", lambda *_: None)
    nobody = none.Nobody(layout)
    try:
        nobody.start()
        (guard,) = none._guards(layout)
        pid = nobody.status().pid
        assert pid
        os.kill(pid, signal.SIGKILL)
    finally:
        nobody.stop(keep_jobs=False)
    assert not is_alive(guard)
    assert none._guards(layout) == []


def test_a_subreaper_is_named_and_nothing_is_left(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []

    def adopted(pid: int, *_more: object) -> object:
        started.append(pid)
        return read_stat(pid)._replace(ppid=os.getpid())  # type: ignore[union-attr]

    monkeypatch.setattr(none, "read_stat", adopted)
    with pytest.raises(InitError, match=rf"adopted by .* \(pid {os.getpid()}\), a subreaper"):
        none.Nobody(layout).start()
    monkeypatch.undo()
    for identity in _with_argument(layout.fosterd):
        running.wait_until_gone(identity)
    assert started


def _with_argument(word: str) -> list[Identity]:
    """Return the processes that have the word on their command line."""
    found = []
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        identity = identify(pid)
        if identity is not None and word in command_line(pid).split():
            found.append(identity)
    return found


def test_a_supervisor_that_is_not_installed_is_said_to_be(layout: Layout) -> None:
    os.unlink(layout.fosterd)
    with pytest.raises(InitError, match="install the supervisor first"):
        none.Nobody(layout).start()
