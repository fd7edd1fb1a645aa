# SPDX-License-Identifier: GPL-3.0-or-later
"""Real processes, observed: through ptrace, and through /proc as where ptrace is forbidden."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.foster.init.plugins.module_utils.processes.identity import read_stat
from ansible_collections.foster.init.plugins.module_utils.processes.trace.record import Record
from ansible_collections.foster.init.plugins.module_utils.processes.trace.report import as_data
from ansible_collections.foster.init.plugins.module_utils.processes.trace.request import Request, TraceError
from ansible_collections.foster.init.plugins.module_utils.processes.trace.run import trace

ACTOR = Path(__file__).with_name("actor.py")
PLUGINS = Path(__file__).resolve().parents[6] / "plugins"


def run(words: str, **more: Any) -> dict[str, Any]:
    """Observe the actor; whatever it did, nothing of it is left."""
    chosen = {"settle": 0.2, "timeout": 60.0, "kill_timeout": 0.0, "env": {"PATH": os.environ["PATH"]}, **more}
    found = as_data(trace(Request((sys.executable, "-IS", str(ACTOR), *words.split()), **chosen)))
    assert [process["pid"] for process in found["processes"] if read_stat(process["pid"]) is not None] == []
    assert found["method"] == ("ptrace" if chosen.get("use_ptrace", True) else "proc")
    return found


@pytest.mark.parametrize(
    ("words", "expect"),
    [
        ("tool spawn thread stay", "none"),
        ("thread fork setsid worker worker stay", "fork"),
        ("fork setsid fork thread kill pause stay", "daemon"),
        ("fork fork setsid fork exec thread stay", "fork 3"),
        ("tool fork stay", "auto"),
        ("fork exec fork stay", "auto"),
        ("stop worker stay", "stop"),
        ("ready stay", "notify"),
        ("threadexec fork stay", "fork"),
    ],
)
def test_the_expect_fits_what_the_program_does(words: str, expect: str) -> None:
    found = run(words)
    assert (found["expect"], found["sure"], found["settled"]) == (expect, "certain", True), found


@pytest.mark.parametrize(
    ("words", "expects"),
    [("worker", {"none"}), ("fork worker", {"fork", "auto"}), ("fork setsid fork worker", {"daemon", "auto"}),
     ("stop", {"stop"})],
)  # fmt: skip
def test_without_ptrace_the_main_process_is_found_and_nothing_is_counted_wrongly(
    words: str, expects: set[str], tmp_path: Path
) -> None:
    """Two forks may happen between two looks; then the answer is the kind that need not count them."""
    pidfile = tmp_path / "main.pid"
    found = run(f"{words} pidfile {pidfile} stay", use_ptrace=False)
    assert (found["expect"] in expects, found["sure"]) == (True, "likely"), found
    assert found["main"]["pid"] == int(pidfile.read_text())


def test_threads_stops_and_signals_are_told_apart_from_forks(tmp_path: Path) -> None:
    """A thread is no fork, job control works as if nobody looked, and a signal reaches whom it was sent to."""
    found = run("thread thread kill pause spawn stay")
    first, *others = found["processes"]
    assert first["threads"] == 2
    assert [process["exit_status"] for process in others] == [42, -signal.SIGTERM, 0]
    assert [line.split()[0] for line in found["lines"]][-1] == "3"


def test_an_observer_that_hardly_gets_the_processor_does_not_take_that_for_quiet(monkeypatch: Any) -> None:
    """It looked, lost the processor for longer than ``settle``, and said that nothing had happened meanwhile."""
    now = Record.now
    times = itertools.count()
    monkeypatch.setattr(Record, "now", lambda record: now(record) + 0.25 * next(times))
    found = run("tool tool fork tool stay", timeout=1e6)
    assert [process["exit_status"] for process in found["processes"]] == [0, 0, 0, None, 0]


def test_who_listens_and_who_writes_the_pidfile_is_known(tmp_path: Path) -> None:
    pidfile = tmp_path / "run.pid"
    main = run(f"fork setsid pidfile {pidfile} listen ready stay")["main"]
    assert main["pidfiles"] == [str(pidfile)]
    assert main["session_leader"]
    assert main["notified_ready"]
    assert [address.rpartition(":")[0] for address in main["listens"]] == ["127.0.0.1"]


def test_the_notify_socket_is_offered_unless_told_otherwise() -> None:
    assert run("ready stay")["expect"] == "notify"
    assert "NOTIFY_SOCKET" in run("ready stay", offer_notify=False)["output"]  # it fails without


def test_a_program_that_fails_says_what_it_wrote() -> None:
    found = run("exit 3")
    assert found["failed"]
    assert found["output"] == "a last word\n"
    assert found["processes"][0]["exit_status"] == 3


def test_a_program_that_is_killed_at_once_fails() -> None:
    assert run("die")["processes"][0]["exit_status"] == -signal.SIGKILL


@pytest.mark.parametrize("use_ptrace", [True, False])
def test_a_program_that_forks_without_an_end_is_ended(use_ptrace: bool) -> None:
    assert not run("fork forever", timeout=0.5, use_ptrace=use_ptrace)["settled"]


def test_a_program_that_ignores_sigterm_is_killed() -> None:
    run("stubborn fork stubborn stay", kill_timeout=0.1)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"argv": ("/nonexistent/program",)}, "execute /nonexistent/program: No such file or directory"),
        ({"argv": ("/etc/passwd",)}, "execute /etc/passwd: Permission denied"),
        ({"argv": ("true",), "chdir": "/nonexistent"}, "chdir /nonexistent: No such file or directory"),
        ({"argv": ("true",), "user": "no such user"}, "become no such user"),
    ],
)
@pytest.mark.parametrize("use_ptrace", [True, False])
def test_what_cannot_be_run_is_one_sentence(more: dict[str, Any], words: str, use_ptrace: bool) -> None:
    with pytest.raises(TraceError, match=words):
        trace(Request(env={"PATH": "/bin:/usr/bin"}, use_ptrace=use_ptrace, **more))


@pytest.mark.parametrize("victim", ["caller", "observer"])
@pytest.mark.parametrize("use_ptrace", [True, False])
def test_nothing_is_left_when_one_of_the_two_is_killed(victim: str, use_ptrace: bool, tmp_path: Path) -> None:
    pidfile = tmp_path / "daemon.pid"
    program = (
        f"import sys; sys.path.insert(0, {str(PLUGINS)!r})\n"
        "from module_utils.processes.trace.run import trace\n"
        "from module_utils.processes.trace.request import Request\n"
        f"words = 'fork setsid fork stubborn pidfile {pidfile} stay'.split()\n"
        f"trace(Request((sys.executable, '-IS', {str(ACTOR)!r}, *words), settle=600, timeout=600, kill_timeout=0.1, "
        f"use_ptrace={use_ptrace}))\n"
    )
    caller = subprocess.Popen([sys.executable, "-IS", "-c", program], stderr=subprocess.DEVNULL)
    try:
        _wait_for(pidfile.exists)
        daemon = int(pidfile.read_text())
        observer = int(Path(f"/proc/{caller.pid}/task/{caller.pid}/children").read_text().split()[0])
        assert observer != daemon
        os.kill(caller.pid if victim == "caller" else observer, signal.SIGKILL)
        _wait_for(lambda: all(_gone(pid) for pid in (daemon, observer)))
    finally:
        caller.kill()
        caller.wait()


def _gone(pid: int) -> bool:
    stat = read_stat(pid)
    return stat is None or stat.state in "ZX"


def _wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
