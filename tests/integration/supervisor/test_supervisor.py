# SPDX-License-Identifier: GPL-3.0-or-later
"""What the supervisor promises, with real processes: nothing stuck, nothing left, one copy, and it may die."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from module_utils.dbus.errors import BusError
from module_utils.supervisor.tracking import proc

FORKER_SOURCE = Path(__file__).resolve().parents[2] / "conformance" / "forker.c"
EXPECTS = ["none", "fork", "daemon", "stop", "auto"]


@pytest.fixture(scope="module")
def forker() -> Iterator[str]:
    """A daemon of which one can say how often it forks, where nobody may execute it: pytest's folders are private."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        subprocess.run(["cc", "-o", f"{folder}/forker", FORKER_SOURCE], check=True)
        yield f"{folder}/forker"


def test_a_job_is_a_session_of_its_own_below_the_supervisor(supervisor):
    supervisor.define("a", "exec sleep 1000\n")
    supervisor.call("a", "Start")
    stat = proc.stat(supervisor.main("a"))
    assert stat is not None
    assert (stat.session, stat.group, stat.parent) == (stat.pid, stat.pid, supervisor.daemon.pid)


@pytest.mark.parametrize("way", ["", "limit nofile 100 100\n"])  # a limit needs steps in the child
def test_a_job_that_signals_its_group_or_its_parent_does_not_end_the_supervisor(supervisor, way):
    """A daemon that meant the process that had started it took the supervisor, and with it all jobs, along."""
    names = ("TERM", "INT", "USR1", "ALRM")
    supervisor.define("other", "exec sleep 1000\n")
    supervisor.call("other", "Start")
    before = supervisor.main("other")
    supervisor.define("group", f"task\n{way}exec kill -TERM 0\n")
    supervisor.define("parent", f"task\n{way}exec sh -c 'for name in {' '.join(names)}; do kill -$name $PPID; done'\n")
    with pytest.raises(BusError, match="Job failed"):
        supervisor.call("group", "Start")
    supervisor.call("parent", "Start")
    for name in names:
        supervisor.wait_for(lambda: f"SIG{name} from pid" in supervisor.output(), name)  # noqa: B023
    assert supervisor.main("other") == before


def test_a_killed_process_is_respawned(supervisor):
    supervisor.define("a", "respawn\nexec sleep 1000\n")
    supervisor.call("a", "Start")
    old = supervisor.main("a")
    os.kill(old, signal.SIGKILL)
    supervisor.wait_for(lambda: supervisor.copies() not in ([], [old]) and supervisor.main("a") != old, "respawn")


def test_a_second_start_makes_no_second_copy(supervisor):
    supervisor.define("a", "exec sleep 1000\n")
    supervisor.call("a", "Start")
    with pytest.raises(BusError, match="already running"):
        supervisor.call("a", "Start")
    assert len(supervisor.copies()) == 1


def test_a_stop_takes_children_that_left_the_session_along(supervisor):
    supervisor.define("a", "script\n  setsid sleep 1000 &\n  sleep 1000 &\n  exec sleep 1000\nend script\n")
    supervisor.call("a", "Start")
    supervisor.wait_for(lambda: len(supervisor.copies()) == 3, "three processes")
    supervisor.call("a", "Stop")
    assert supervisor.copies() == []


@pytest.mark.parametrize("expect", EXPECTS)
@pytest.mark.parametrize("pattern", ["0", "1", "2", "0 stop", "1 stop", "0 -1 exit=3"])
def test_no_fork_pattern_under_any_expect_is_stuck_or_leaves_anything(supervisor, forker, expect, pattern):
    line = "" if expect == "none" else f"expect {expect}\n"
    supervisor.define("a", f"{line}kill timeout 1\nexec {forker} {pattern}\n")
    for _round in range(2):
        if not supervisor.describe("a")["instances"]:
            supervisor.connection.call(
                "/com/ubuntu/Upstart/jobs/a", "com.ubuntu.Upstart0_6.Job", "Start", "asb", [], False, timeout=10
            )
        try:
            supervisor.call("a", "Stop")
        except BusError as error:
            assert error.short in ("UnknownInstance", "AlreadyStopped")
        supervisor.wait_for(lambda: supervisor.describe("a")["instances"] == [], "stopped")
        assert supervisor.copies() == []


@pytest.mark.parametrize(("expect", "forks"), [("fork", 1), ("daemon", 2), ("auto", 0), ("auto", 1), ("auto", 3)])
def test_the_main_process_of_a_daemon_is_found(supervisor, forker, expect, forks):
    supervisor.define("a", f"expect {expect}\nexec {forker} {forks}\n")
    supervisor.call("a", "Start")
    assert supervisor.copies() == [supervisor.main("a")]


def test_every_running_job_outlives_the_supervisor_and_is_known_again(supervisor, forker):
    supervisor.define("plain", "exec sleep 1000\n")
    supervisor.define("daemon", f"expect daemon\nexec {forker} 2\n")
    supervisor.define("limited", "limit nofile 100 200\nexec sleep 1000\n")
    before = {}
    for name in ("plain", "daemon", "limited"):
        supervisor.call(name, "Start")
        before[name] = supervisor.main(name)
    supervisor.kill()
    supervisor.start()
    assert {name: supervisor.main(name) for name in before} == before
    assert sorted(supervisor.copies()) == sorted(before.values())
    supervisor.call("plain", "Stop")
    assert before["plain"] not in supervisor.copies()


def test_a_job_that_died_while_there_was_no_supervisor_is_respawned(supervisor):
    supervisor.define("a", "respawn\nexec sleep 1000\n")
    supervisor.call("a", "Start")
    old = supervisor.main("a")
    supervisor.kill()
    os.kill(old, signal.SIGKILL)
    supervisor.start()
    supervisor.wait_for(lambda: len(supervisor.copies()) == 1, "respawn")
    assert supervisor.main("a") != old


def test_an_adopted_job_is_respawned_when_it_dies(supervisor):
    supervisor.define("a", "respawn\nexec sleep 1000\n")
    supervisor.call("a", "Start")
    old = supervisor.main("a")
    supervisor.kill()
    supervisor.start()
    os.kill(old, signal.SIGKILL)
    supervisor.wait_for(lambda: supervisor.copies() not in ([], [old]), "respawn")


def test_a_restarted_program_keeps_its_pid_and_its_jobs(supervisor):
    supervisor.define("a", "exec sleep 1000\n")
    supervisor.call("a", "Start")
    main, pid = supervisor.main("a"), supervisor.daemon.pid
    with pytest.raises(BusError):
        supervisor.connection.call("/com/ubuntu/Upstart", "com.ubuntu.Upstart0_6", "Restart", timeout=10)
    from module_utils.dbus.client import Connection

    supervisor.connection = Connection.open(f"unix:path={supervisor.folder}/run/control", 20)
    stat = proc.stat(main)
    assert stat is not None
    assert (supervisor.main("a"), stat.parent) == (main, pid)
    supervisor.call("a", "Stop")
    assert supervisor.copies() == []


def test_nothing_that_a_job_says_is_lost_when_the_supervisor_dies(supervisor):
    supervisor.define(
        "a", "script\n  n=0\n  while [ $n -lt 2000 ]; do echo $n; n=$((n + 1)); done\n  exec sleep 1000\nend script\n"
    )
    supervisor.call("a", "Start")
    supervisor.kill()
    supervisor.start()
    supervisor.wait_for(lambda: supervisor.log("a").endswith("1999\n"), "the last line")
    assert supervisor.log("a").split() == [str(number) for number in range(2000)]


def test_what_a_child_says_after_its_main_process_has_ended_is_kept(supervisor):
    supervisor.define("a", "kill timeout 3\nexec sh -c '(trap \"\" TERM; sleep 0.5; echo late) & sleep 0.2'\n")
    supervisor.call("a", "Start")
    supervisor.wait_for(lambda: "late" in supervisor.log("a"), "the late line")


def test_the_step_that_failed_is_told(supervisor):
    supervisor.define("a", "chdir /no/such/folder\nexec sleep 1\n")
    with pytest.raises(BusError, match="failed to start"):
        supervisor.call("a", "Start")
    assert supervisor.describe("a")["last_failure"]["step"] == "chdir"


def test_an_event_starts_a_chain_of_jobs(supervisor):
    supervisor.define("first", "start on go\nexec sleep 1000\n")
    supervisor.define("second", "start on started first\nexec sleep 1000\n")
    supervisor.emit("go")
    supervisor.wait_for(lambda: len(supervisor.copies()) == 2, "two jobs")


def test_a_second_supervisor_of_the_same_folder_is_refused(supervisor):
    first = supervisor.daemon
    connection = supervisor.connection
    try:
        supervisor.start()
        assert supervisor.daemon.wait(10) == 1
    finally:
        supervisor.daemon = first
        supervisor.connection = connection
    assert "another supervisor" in (supervisor.folder / "output").read_text()


def test_an_orderly_end_leaves_nothing(supervisor):
    supervisor.define("a", "exec sleep 1000\n")
    supervisor.call("a", "Start")
    cgroup = supervisor.describe("a")["instances"][0]["cgroup"]
    assert supervisor.terminate() == 0
    assert supervisor.copies() == []
    assert not (supervisor.folder / "run").exists()
    assert cgroup is None or not os.path.exists(os.path.dirname(cgroup))
