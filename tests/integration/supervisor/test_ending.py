# SPDX-License-Identifier: GPL-3.0-or-later
"""What was left behind once by random process trees, each by itself, wherever a supervisor may run."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from .conftest import Supervisor, running
from .places import PLACES, prefix
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
        assert not os.path.exists(f"/proc/{child}")
    assert "below" not in supervisor.log("b").partition("child=")[2]
