# SPDX-License-Identifier: GPL-3.0-or-later
"""The module daemon on real processes: what start-stop-daemon(8) gets wrong, done right."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.foster.init.plugins.module_utils.ansible.errors import TaskError

IGNORES_TERM = (
    "import os, signal, sys, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "os.close(os.open(sys.argv[1], os.O_CREAT, 0o644))\ntime.sleep(1000)\n"
)
THREADS = (
    "import sys, threading, time\nt = threading.Thread(target=time.sleep, args=(1000,))\nt.start()\n"
    "new = sys.argv[1] + '.new'\nopen(new, 'w').write(f'{t.native_id}\\n')\nimport os\nos.rename(new, sys.argv[1])\n"
    "t.join()\n"
)
LEADER_GONE = (
    "import ctypes, sys, threading, time\nthreading.Thread(target=time.sleep, args=(1000,)).start()\n"
    "open(sys.argv[1], 'w').close()\nctypes.CDLL(None).pthread_exit(None)\n"
)
# The descriptor wakes it: a handler of Python's would not run when the signal came just before a sleep.
MASTER = (
    "import os, signal, sys, time\ntold, wake = os.pipe()\nos.set_blocking(wake, False)\nsignal.set_wakeup_fd(wake)\n"
    "def hup(*_): open(sys.argv[1] + f'.hup.{os.getpid()}', 'w').close()\nsignal.signal(signal.SIGHUP, hup)\n"
    "for _ in range(2):\n    if os.fork() == 0:\n        time.sleep(1000)\n"
    "open(sys.argv[1], 'w').close()\n"
    "while True: os.read(told, 1)\n"
)


def sleeper(place: Any, **more: Any) -> dict[str, Any]:
    return {"exec": place.program(), "args": ["1000"], "background": True, **more}


def test_a_life(place: Any) -> None:
    options = sleeper(place, pidfile=place.pidfile(), make_pidfile=True, remove_pidfile=True)
    assert place.run(check=True, **options)["changed"]
    assert place.runner.all() == []
    first = place.run(**options)
    pid = first["daemon"]["pid"]
    assert (first["changed"], Path(options["pidfile"]).read_text()) == (True, f"{pid}\n")
    for check in (True, False):
        again = place.run(check=check, **options)
        assert (again["changed"], again["daemon"]["pid"]) == (False, pid)
    restarted = place.run(**{**options, "state": "restarted"})
    assert restarted["daemon"]["pids"] == place.runner.all() != [pid]
    stop = {**options, "state": "stopped"}
    assert place.run(check=True, **stop)["actions"] == place.run(**stop)["actions"]
    assert (place.runner.all(), os.path.exists(options["pidfile"])) == ([], False)
    assert not place.run(**stop)["changed"]


def test_six_starters_at_once_make_one_copy(place: Any) -> None:
    options = sleeper(place)
    results: list[dict[str, Any]] = []
    starters = [threading.Thread(target=lambda: results.append(place.run(**options))) for _each in range(6)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    assert [result["changed"] for result in results].count(True) == 1
    assert len(place.runner.all()) == 1


def test_a_program_that_was_replaced_still_runs_and_is_outdated(place: Any) -> None:
    options = sleeper(place)
    old = place.run(**options)["daemon"]["pid"]
    place.program()
    found = place.run(**options)
    assert (found["changed"], found["daemon"]["pid"], found["daemon"]["outdated"]) == (False, old, True)
    new = place.run(**options, on_outdated="restart")
    assert (new["changed"], new["daemon"]["outdated"], place.runner.all()) == (True, False, new["daemon"]["pids"])


def test_a_program_that_was_replaced_is_found_without_a_record(place: Any) -> None:
    options = sleeper(place)
    child = place.spawn(options["exec"], "1000")
    place.program()
    found = place.run(**options)["daemon"]
    assert (found["pids"], found["outdated"]) == ([child.pid], True)


def test_a_program_that_was_removed_can_be_stopped(place: Any) -> None:
    options = sleeper(place)
    child = place.spawn(options["exec"], "1000")
    os.unlink(options["exec"])
    assert place.run(exec=options["exec"], state="stopped")["signals"] == [f"TERM to {child.pid}"]
    assert not place.runs(child.pid)


def test_a_script_is_told_from_another_of_the_same_interpreter(place: Any) -> None:
    mine, other = place.script("mine"), place.script("other")
    stranger = place.spawn(other)
    started = place.run(exec=mine, background=True)
    assert started["changed"]
    assert not place.run(exec=mine, background=True)["changed"]
    by_hand = place.run(exec=os.path.realpath(sys.executable), startas=mine, background=True)
    assert by_hand["daemon"]["pids"] == started["daemon"]["pids"]
    place.run(exec=mine, state="stopped")
    assert place.runner.all() == [stranger.pid]


def test_a_script_through_env_started_by_hand(place: Any) -> None:
    path = place.script("mine", line="/usr/bin/env python3")
    child = place.spawn(path)
    place.wait(lambda: place.run(exec=path, state="reloaded", signal="CONT")["daemon"]["pids"] == [child.pid])


@pytest.mark.parametrize("only", [False, True])
def test_a_stale_pidfile_kills_no_stranger_and_does_not_keep_from_starting(place: Any, only: bool) -> None:
    """The pid in the file went to somebody else long ago: after the file was written, for ``only``."""
    path = Path(place.pidfile())
    stranger = place.spawn(place.program("stranger"), "1000")
    path.write_text(f"{stranger.pid}\n")
    os.utime(path, (0, 0))
    options = {"pidfile": str(path)} if only else {"pidfile": str(path), "exec": place.program()}
    stopped = place.run(**options, state="stopped")
    assert (stopped["changed"], place.runs(stranger.pid)) == (False, True)
    assert any(f"Process {stranger.pid}" in each for each in place.warnings)
    if not only:
        assert place.run(**options, args=["1000"], background=True, make_pidfile=True)["changed"]
        assert len(place.runner.all()) == 2


@pytest.mark.parametrize("text", ["99999999999999999999", "-1", "0", "", "1", "4294967297", "self", "-{pid}", "{pid}x"])
def test_an_absurd_pidfile_signals_nobody(place: Any, text: str) -> None:
    stranger = place.spawn(place.program("stranger"), "1000")
    Path(place.pidfile()).write_text(text.replace("{pid}", str(stranger.pid)))
    stopped = place.run(pidfile=place.pidfile(), state="stopped")
    assert (stopped["signals"], place.runs(stranger.pid)) == ([], True)


def test_the_number_of_a_thread_is_no_process(place: Any) -> None:
    path = place.script("threads", THREADS)
    child = place.spawn(path, place.pidfile())
    place.wait(lambda: os.path.exists(place.pidfile()))
    assert not place.run(pidfile=place.pidfile(), state="stopped")["changed"]
    assert place.runs(child.pid)
    assert f"it is a thread of process {child.pid}" in "".join(place.warnings)


def test_a_zombie_does_not_run(place: Any) -> None:
    options = sleeper(place, pidfile=place.pidfile(), make_pidfile=True)
    child = place.spawn(options["exec"], "0")
    place.wait(lambda: not place.runs(child.pid))
    Path(options["pidfile"]).write_text(f"{child.pid}\n")
    assert not place.run(**{**options, "state": "stopped"})["changed"]
    assert place.run(**options)["changed"]


def test_a_process_whose_first_thread_has_ended_still_runs(place: Any) -> None:
    path = place.script("threads", LEADER_GONE)
    child = place.spawn(path, place.pidfile("ready"))
    stat = Path(f"/proc/{child.pid}/stat")
    place.wait(lambda: os.path.exists(place.pidfile("ready")) and stat.read_text().rpartition(")")[2].split()[0] == "Z")
    Path(place.pidfile()).write_text(f"{child.pid}\n")
    stopped = place.run(pidfile=place.pidfile(), state="stopped")
    assert stopped["signals"] == [f"TERM to {child.pid}"]


def test_a_daemon_whose_parent_never_asks_is_gone_all_the_same(place: Any) -> None:
    """The test is its parent and does not reap it: its zombie is no reason to wait for the whole schedule."""
    options = sleeper(place)
    child = place.spawn(options["exec"], "1000")
    stopped = place.run(**{**options, "state": "stopped", "retry": "TERM/1000"})
    assert stopped["signals"] == [f"TERM to {child.pid}"]


def test_the_schedule_goes_on_to_kill(place: Any) -> None:
    path = place.script("stubborn", IGNORES_TERM)
    child = place.spawn(path, place.pidfile("ready"))
    place.wait(lambda: os.path.exists(place.pidfile("ready")))
    with pytest.raises(TaskError, match=f"still runs after the whole schedule: {child.pid}"):
        place.run(exec=path, state="stopped", retry="TERM/0")
    stopped = place.run(exec=path, state="stopped", retry="TERM/0/KILL/60")
    assert stopped["signals"] == [f"TERM to {child.pid}", f"KILL to {child.pid}"]


def test_a_daemon_that_sleeps_on_a_stop_signal_wakes_up_to_end(place: Any) -> None:
    options = sleeper(place)
    child = place.spawn(options["exec"], "1000")
    os.kill(child.pid, signal.SIGSTOP)
    stat = Path(f"/proc/{child.pid}/stat")
    place.wait(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T")
    assert place.run(**{**options, "state": "stopped", "retry": "TERM/60"})["signals"] == [f"TERM to {child.pid}"]


def test_a_reload_reaches_the_master_alone_and_a_stop_leaves_no_worker(place: Any) -> None:
    path = place.script("master", MASTER)
    ready = place.pidfile("ready")
    master = place.spawn(path, ready)
    place.wait(lambda: os.path.exists(ready) and len(place.runner.all()) == 3)
    assert place.run(exec=path, state="reloaded")["signals"] == [f"HUP to {master.pid}"]
    place.wait(lambda: os.path.exists(f"{ready}.hup.{master.pid}"))
    assert len(list(Path(ready).parent.glob("ready.hup.*"))) == 1
    place.run(exec=path, state="stopped", retry="TERM/0/KILL/60")
    assert [pid for pid in place.runner.all() if place.runs(pid)] == []


def test_a_lost_pidfile_makes_no_second_copy_and_nobody_is_ended_on_a_guess(place: Any) -> None:
    options = sleeper(place, pidfile=place.pidfile())
    child = place.spawn(options["exec"], "1000")
    assert not place.run(**options)["changed"]
    assert "no second copy" in "".join(place.warnings)
    assert not place.run(**{**options, "state": "stopped"})["changed"]
    with pytest.raises(TaskError, match=f"give pid: {child.pid}"):
        place.run(**{**options, "state": "restarted"})
    assert place.runner.all() == [child.pid]


def test_two_daemons_of_one_command_with_pidfiles_of_their_own(place: Any) -> None:
    first = sleeper(place, pidfile=place.pidfile("a.pid"), make_pidfile=True)
    second = {**first, "pidfile": place.pidfile("b.pid")}
    one, two = place.run(**first)["daemon"], place.run(**second)["daemon"]
    assert one["pid"] != two["pid"]
    os.unlink(first["pidfile"])
    assert place.run(**first)["actions"] == [f"write pidfile {first['pidfile']}"]
    place.run(**{**first, "state": "stopped"})
    assert place.runner.all() == [two["pid"]]


def test_one_that_ends_at_once_fails_and_leaves_no_pidfile(place: Any) -> None:
    with pytest.raises(TaskError, match="has ended again"):
        options = sleeper(place, args=["0"], pidfile=place.pidfile(), make_pidfile=True)
        place.run(**options, stay_up=60.0)
    assert not os.path.exists(place.pidfile())


def test_the_task_never_means_itself(place: Any) -> None:
    python = os.path.realpath(sys.executable)
    found = place.run(exec=python, state="reloaded", signal="CONT", ppid=os.getppid())
    assert os.getpid() not in found["daemon"]["pids"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a PID namespace")
def test_a_process_of_a_container_is_not_ours(place: Any) -> None:
    path = place.program()
    place.spawn("/usr/bin/unshare", "--pid", "--fork", "--kill-child", path, "1000")
    inside = place.wait(lambda: [p for p in place.runner.all() if os.readlink(f"/proc/{p}/exe") == path])
    assert not place.run(exec=path, state="stopped")["changed"]
    assert place.runs(inside[0])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "Nothing tells"),
        ({"exec": "daemon"}, "absolute"),
        ({"exec": "/tmp"}, "folder"),
        ({"name": "x"}, "needs exec or startas"),
        ({"exec": "/bin/sleep", "pid": 5, "pidfile": "/x"}, "exclude each other"),
        ({"exec": "/bin/sleep", "pid": 0}, "no pid"),
        ({"exec": "/bin/sleep", "make_pidfile": True}, "need pidfile"),
        ({"exec": "/bin/sleep", "output": "/x"}, "needs background"),
        ({"exec": "/bin/sleep", "pidfile": "x.pid"}, "absolute"),
        ({"exec": "/bin/sleep", "user": "no-such-user"}, "no user"),
        ({"exec": "/bin/sleep", "chuid": "root:no-such-group"}, "no group"),
        ({"exec": "/bin/sleep", "umask": "99"}, "octal"),
        ({"exec": "/bin/sleep", "nicelevel": 20}, "between"),
        ({"exec": "/bin/sleep", "procsched": "batch"}, "none of"),
        ({"exec": "/bin/sleep", "procsched": "rr:100"}, "between"),
        ({"exec": "/bin/sleep", "iosched": "best-effort:8"}, "between"),
        ({"exec": "/bin/sleep", "retry": "TERM/x"}, "retry: there is no signal"),
        ({"exec": "/bin/sleep", "signal": "NOPE"}, "no signal"),
        ({"exec": "/bin/sleep", "chroot": "/no/such"}, "No such file"),
        ({"user": "root", "state": "stopped"}, "every process of root"),
        ({"exec": "/no/such/program"}, "no such program"),
        ({"exec": "/bin/sleep", "args": ["a\0b"]}, "zero byte"),
        ({"exec": "/bin/sleep", "environment": {"A=B": "c"}}, "name of a variable"),
    ],
)
def test_bad_input_is_one_sentence(place: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(TaskError) as caught:
        place.run(**options)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert place.runner.all() == []
