# SPDX-License-Identifier: GPL-3.0-or-later
"""How jobs end that a killed supervisor has left to its successor, which is not their parent."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from module_utils.supervisor.tracking import proc
from program import system_python

from .conftest import has_ended

OLDER_KERNEL = str(Path(__file__).resolve().parent / "older_kernel.py")
PROGRAMS = ["today", "before 6.15"]


def taken_over(supervisor, program, text):
    """Start the job ``a``, kill the supervisor, and let ``program`` go on; return the job's main process."""
    os.mkfifo(supervisor.folder / "orders", 0o666)
    os.chmod(supervisor.folder / "orders", 0o666)
    supervisor.define(
        "a", f"{text}\nenv ORDERS={supervisor.folder}/orders\nexec sh -c 'read status < $ORDERS; exit $status'\n"
    )
    supervisor.call("a", "Start")
    main = supervisor.main("a")
    supervisor.kill()
    if program == "before 6.15":
        supervisor.program = OLDER_KERNEL
    supervisor.start()
    assert supervisor.main("a") == main
    return main


def rung(supervisor, name):
    return next(each for each in supervisor.ask("Capabilities", "")["tracking"] if each["name"] == name)


def skip_without(supervisor):
    """Skip where nothing tells how such a process ends."""
    reasons = [rung(supervisor, name) for name in ("pidfd exit status", "process connector")]
    if not any(each["in_force"] for each in reasons):
        pytest.skip(reasons[1]["why"])


def end(supervisor, status):
    (supervisor.folder / "orders").write_text(f"{status}\n")
    supervisor.wait_for(lambda: not supervisor.describe("a")["instances"], "the end of the job")


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_exit_status_of_an_adopted_job_is_known(supervisor, program):
    main = taken_over(supervisor, program, "respawn\nnormal exit 7")
    skip_without(supervisor)
    end(supervisor, 7)
    last = supervisor.history("a")[-1]
    assert (last["pid"], last["exit_status"], supervisor.describe("a")["last_failure"]) == (main, 7, None)


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_adopted_job_that_fails_has_failed_with_its_status(supervisor, program):
    taken_over(supervisor, program, "# a service")
    skip_without(supervisor)
    end(supervisor, 3)
    assert supervisor.describe("a")["last_failure"]["exit_status"] == 3


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_signal_that_ends_an_adopted_job_is_known(supervisor, program):
    main = taken_over(supervisor, program, "# a service")
    skip_without(supervisor)
    os.kill(main, signal.SIGSEGV)
    supervisor.wait_for(lambda: not supervisor.describe("a")["instances"], "the end of the job")
    assert supervisor.describe("a")["last_failure"]["signal"] == signal.SIGSEGV


def test_the_connector_is_open_only_while_there_are_adopted_jobs(supervisor):
    taken_over(supervisor, "before 6.15", "# a service")
    if not rung(supervisor, "process connector")["in_force"]:
        pytest.skip(rung(supervisor, "process connector")["why"])
    assert (rung(supervisor, "process connector")["why"][-5:], netlink_sockets(supervisor)) == ("now 1", 1)
    end(supervisor, 0)
    assert (rung(supervisor, "process connector")["why"][-5:], netlink_sockets(supervisor)) == ("now 0", 0)


def test_other_exits_of_the_machine_wake_nobody(supervisor):
    taken_over(supervisor, "before 6.15", "# a service")
    if not rung(supervisor, "process connector")["in_force"]:
        pytest.skip(rung(supervisor, "process connector")["why"])
    assert netlink_sockets(supervisor) == 1
    before = wakings(supervisor)
    for _child in range(300):
        os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
    assert wakings(supervisor) - before < 100
    end(supervisor, 0)


def wakings(supervisor):
    """Return how often the supervisor has gone to sleep."""
    status = Path(f"/proc/{supervisor.daemon.pid}/status").read_text()
    return int(status.partition("voluntary_ctxt_switches:")[2].split()[0])


def netlink_sockets(supervisor):
    """Return how many sockets of the process connector the supervisor has open."""
    inodes = {
        line.split()[-1] for line in Path("/proc/net/netlink").read_text().splitlines() if line.split()[1] == "11"
    }
    folder = Path(f"/proc/{supervisor.daemon.pid}/fd")
    return len([each for each in folder.iterdir() if os.readlink(each)[8:-1] in inodes])


LEAVING = """
import ctypes, os, platform, signal, threading
if os.getpid() != os.getsid(0):
    os.setsid()
threading.Thread(target=signal.pause).start()
ctypes.CDLL(None).syscall({"x86_64": 60, "aarch64": 93}[platform.machine()], 0)
"""


def leaving(supervisor):
    """Return the command line of a program whose first thread leaves the others alone: it looks like a zombie."""
    path = supervisor.folder / "leaving.py"
    path.write_text(LEAVING)
    path.chmod(0o644)
    return f"{system_python()} -S {path}"


def has_left(pid):
    stat = proc.stat(pid)
    return stat is not None and stat.first_left


def test_a_job_whose_first_thread_has_left_is_not_started_a_second_time(supervisor):
    supervisor.define("a", f"respawn\nexec {leaving(supervisor)}\n")
    supervisor.call("a", "Start")
    main = supervisor.main("a")
    supervisor.wait_for(lambda: has_left(main), "the end of its first thread")
    supervisor.kill()
    supervisor.start()
    assert (supervisor.main("a"), supervisor.family("a")) == (main, [main])
    supervisor.call("a", "Stop")
    assert has_ended(main)


def test_a_process_whose_first_thread_has_left_is_not_left_behind(supervisor):
    supervisor.define("a", f"kill timeout 2\nexec sh -c '{leaving(supervisor)} & exec sleep 1000'\n")
    supervisor.call("a", "Start")
    supervisor.wait_for(lambda: any(map(has_left, supervisor.family("a"))), "the end of its first thread")
    (left,) = filter(has_left, supervisor.family("a"))
    supervisor.call("a", "Stop")
    assert has_ended(left)
