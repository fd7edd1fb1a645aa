# SPDX-License-Identifier: GPL-3.0-or-later
"""What was left behind once by random process trees, each by itself, wherever a supervisor may run."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from module_utils.supervisor.tracking import proc

from .conftest import Supervisor, has_ended, running
from .places import PLACES, prefix
from .program import system_python
from .trees import Stuck, Tree, Trial

TREES = {
    # Its first thread has ended, so /proc calls it a zombie, and cgroup.kill (Linux 6.18) does not end it.
    "first thread gone": ("none", "ignore leader live"),
    "first thread of a daemon gone": ("daemon", "fork setsid fork ignore leader live"),
    # Between two looks its process is another one.
    "forks and ends": ("none", "hop"),
    "forks and ends, no longer followed": ("auto", "ignore setsid hop"),
    # A new session each time: no process group has all of them.
    "forks, leaves and ends": ("none", "leap"),
    "forks, leaves and ends below a reaper of its own": ("auto", "reaper stay leap"),
    # Its child is not its own but the supervisor's.
    "gives its child to its parent": ("fork", "sibling setsid sibling live"),
}


@pytest.fixture(scope="module", params=PLACES)
def supervisor(request: pytest.FixtureRequest) -> Iterator[Supervisor]:
    if os.geteuid() != 0:
        pytest.skip("giving a supervisor its cgroups, or taking them away, needs root")
    with running(PLACES[request.param].user, prefix(request.param)) as made:
        (made.folder / "tokens").mkdir()
        (made.folder / "tokens").chmod(0o777)
        yield made


@pytest.mark.parametrize("name", TREES)
def test_a_stop_ends_all_of(supervisor, tree_program, name):
    expect, words = TREES[name]
    trial = Trial(str(supervisor.folder), tree_program, supervisor.connect)
    try:
        trial.check("a", Tree(tuple(words.split()), expect, ""))
    except Stuck as problem:
        pytest.fail(str(problem))


@pytest.mark.parametrize("supervisor", ["cgroup2", "cgroup1", "user-cgroup2"], indirect=True)
def test_a_cgroup_that_the_job_has_made_for_itself_is_ended_and_removed(supervisor):
    own = f"{supervisor.ask('Capabilities', '')['cgroup']['path']}/job-b"
    # The supervisor's view of /sys/fs/cgroup is its own: what is in it is asked from inside of the job.
    text = (
        f"kill timeout 1\nscript\n  ls {own}\n  mkdir {own}/below\n"
        f"  sh -c 'echo $$ > {own}/below/cgroup.procs; exec sleep 1000' &\n"
        "  echo child=$!\n  until grep -q job-b/below /proc/$!/cgroup; do sleep 0.05; done\n"
        "  echo moved\n  exec sleep 1000\nend script\n"
    )
    supervisor.define("b", text)
    for times in (1, 2):  # the second time it is made anew
        supervisor.call("b", "Start")
        supervisor.wait_for(lambda times=times: supervisor.log("b").count("moved") == times, "the child to move")
        child = supervisor.log("b").rpartition("child=")[2].split()[0]
        supervisor.call("b", "Stop")
        assert has_ended(int(child))
    assert "below" not in supervisor.log("b").partition("child=")[2]


# Its end takes long: closing such a socket waits for a grace period of RCU. Its first thread is gone before.
SLOW = """
import ctypes, os, signal, socket, threading
os.setsid()
sockets = [socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) for _number in range(20)]
threading.Thread(target=signal.pause).start()
print(f"slow={os.getpid()}", flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""


@pytest.mark.parametrize("supervisor", ["cgroup2", "cgroup1", "none"], indirect=True)
@pytest.mark.parametrize("timeout", [0, 5])
def test_a_stop_waits_for_a_process_until_it_has_given_back_what_it_holds(supervisor, timeout):
    """The kernel does not list such a process any more: the answer came while its port was still taken."""
    name = f"slow{timeout}"
    program = supervisor.folder / "slow.py"
    program.write_text(SLOW)
    supervisor.define(name, f"kill timeout {timeout}\nexec sh -c '{system_python()} {program} & exec sleep 1000'\n")
    supervisor.call(name, "Start")
    supervisor.wait_for(lambda: "slow=" in supervisor.log(name), "the program")
    slow = int(supervisor.log(name).partition("slow=")[2].split()[0])
    supervisor.wait_for(
        lambda: (stat := proc.stat(slow)) is not None and stat.first_left, "the end of its first thread"
    )
    supervisor.call(name, "Stop")
    assert has_ended(slow)


def freeze(cgroup: str) -> None:
    with open(f"{cgroup}/cgroup.freeze", "w", encoding="ascii") as file:
        file.write("1")


LEFT = {
    "nothing": lambda _cgroup: None,
    "frozen": freeze,  # the next one would be frozen as well, and the supervisor with it
    "a cgroup below": lambda cgroup: os.mkdir(f"{cgroup}/below"),
}


@pytest.mark.parametrize("supervisor", ["cgroup2", "user-cgroup2"], indirect=True)
@pytest.mark.parametrize("left", LEFT)
def test_the_next_process_gets_the_same_cgroup_unless_something_was_left_in_it(supervisor, left):
    supervisor.define("c", "respawn\nrespawn limit 0 0\nexec sleep 1000\n")
    supervisor.call("c", "Start")
    first = supervisor.main("c")
    # Where the supervisor sees it: it has mounts of its own.
    cgroup = f"/proc/{supervisor.daemon.pid}/root{supervisor.describe('c')['instances'][0]['cgroup']}"
    before = os.stat(cgroup).st_ino
    LEFT[left](cgroup)
    os.kill(first, 9)
    supervisor.wait_for(lambda: supervisor.process("c")["pid"] != first, "the next one")
    assert (os.stat(cgroup).st_ino == before) is (left == "nothing")
    supervisor.call("c", "Stop")
