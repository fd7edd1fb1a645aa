# SPDX-License-Identifier: GPL-3.0-or-later
"""Which expect fits: known daemons as stories, and random families whose right answer is known."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.foster.init.plugins.module_utils.processes.trace.alternatives import alternatives
from ansible_collections.foster.init.plugins.module_utils.processes.trace.conclusion import Conclusion, conclude
from ansible_collections.foster.init.plugins.module_utils.processes.trace.events import Event, Observation
from ansible_collections.foster.init.plugins.module_utils.processes.trace.family import Family
from ansible_collections.foster.init.plugins.module_utils.processes.trace.report import as_data, lines, report
from hypothesis import given
from hypothesis import strategies as st


def story(text: str, **more: Any) -> Observation:
    """Return the observation of a few words: ``1>2`` fork, ``2!`` exec, ``1=0`` exit, ``1s`` stop, ``1r`` READY=1,
    ``1m2`` MAINPID, ``1l`` listen, ``1t`` thread, ``1S`` setsid. The first process is 1.
    """
    kinds = {
        "!": ("exec", "/bin/p"), "=": ("exit", ""), "s": ("stop", "SIGSTOP"), "r": ("notify", "STATUS=x\nREADY=1"),
        "l": ("listen", "77"), "t": ("thread", ""), "S": ("session", ""),
    }  # fmt: skip
    events = [Event(0.0, 1, "fork", "p1")]
    for number, word in enumerate(text.split(), 1):
        pid, what, rest = int(word[0]), word[1], word[2:]
        if what == ">":
            events.append(Event(number / 10, int(rest), "fork", f"p{rest}", parent=pid))
        elif what == "m":
            events.append(Event(number / 10, pid, "notify", f"p{pid}", detail=f"MAINPID={rest}"))
        else:
            kind, detail = kinds[what]
            status = int(rest) if what == "=" else None
            events.append(Event(number / 10, pid, kind, f"p{pid}", status=status, detail=detail))
    given_ = {"method": "ptrace", "settled": True, "seconds": 2.0, **more}
    return Observation(tuple(events), **given_)


def concluded(text: str, **more: Any) -> Conclusion:
    observation = story(text, **more)
    return conclude(observation, Family(observation))


@pytest.mark.parametrize(
    ("text", "expect", "main", "sure"),
    [
        ("1!", "none", 1, "certain"),
        ("1! 1>2 1>3 2=0", "none", 1, "certain"),
        ("1! 1>2 1=0", "fork", 2, "certain"),
        ("1! 1>2 1=0 2S 2>3 2>4", "fork", 2, "certain"),  # workers do not count
        ("1! 1>2 2S 1=0 2>3 2=0", "daemon", 3, "certain"),
        ("1! 1>2 1=0 2>3 2=0 3>4 3=0", "fork 3", 4, "certain"),
        ("1! 1>2 2! 2=0 1>3 1=0 3!", "auto", 3, "certain"),  # a shell script, whose first fork is a tool
        ("1! 1>2 1=0 2! 2>3 2=0", "auto", 3, "certain"),  # Upstart stops counting at the exec
        ("1! 1>2 1=0 2!", "fork", 2, "certain"),
        ("1! 1s", "stop", 1, "certain"),
        ("1! 1r", "notify", 1, "certain"),
        ("1! 1>2 1=0 2r", "fork", 2, "certain"),
        ("1! 1>2 1>3 1=0", "fork", 2, "likely"),
    ],
)
def test_a_known_story_has_a_known_expect(text: str, expect: str, main: int, sure: str) -> None:
    found = concluded(text)
    assert (found.expect, found.sure) == (expect, sure)
    assert found.main is not None
    assert found.main.pid == main


def test_the_pidfile_decides_between_orphans() -> None:
    found = concluded("1! 1>2 1>3 1=0", pidfiles=(("/run/x.pid", 3),))
    assert found.main is not None
    assert found.main.pid == 3
    assert "pidfile" in found.warnings[0]


def test_a_pidfile_that_names_a_child_of_the_one_at_the_top_is_what_to_expect() -> None:
    found = concluded("1! 1>2 1=0 2>3", pidfiles=(("/run/x.pid", 3),))
    assert found.expect == "pidfile /run/x.pid"
    assert found.main is not None
    assert found.main.pid == 3


def test_a_wrapper_that_stays_is_not_the_main_process_where_the_pidfile_names_its_only_child() -> None:
    found = concluded("1! 1>2 2=0 1>3 3!", pidfiles=(("/run/x.pid", 3),))
    assert found.expect == "pidfile /run/x.pid"
    assert concluded("1! 1>2 1>3", pidfiles=(("/run/x.pid", 3),)).expect == "none"  # it looks after several
    assert concluded("1! 1>2", pidfiles=(("/run/x.pid", 2), ("/run/y.pid", 1))).expect == "none"


def test_a_pidfile_of_a_worker_beside_the_main_one_changes_nothing() -> None:
    found = concluded("1! 1>2 1=0 2>3", pidfiles=(("/run/x.pid", 2), ("/run/worker.pid", 3)))
    assert found.expect == "fork"


@pytest.mark.parametrize(
    ("text", "words"),
    [("1! 1=1", "exited with 1"), ("1! 1=-11", "signal 11"), ("1! 1>2 2S 1=0 2=3", "exited with 3")],
)
def test_a_program_that_did_not_start_has_no_expect(text: str, words: str) -> None:
    found = concluded(text)
    assert (found.expect, found.sure) == ("", "none")
    assert words in found.reason


def test_a_program_that_leaves_nothing_is_a_task() -> None:
    found = concluded("1! 1>2 2! 2=1 1=0")
    assert found.task
    assert found.expect == "none"


@pytest.mark.parametrize("more", [{"method": "proc"}, {"settled": False}])
def test_it_is_not_certain_when_something_may_have_been_missed(more: dict[str, Any]) -> None:
    assert concluded("1! 1>2 1=0", **more).sure == "likely"


def test_a_pid_that_is_given_again_is_another_process() -> None:
    found = concluded("1! 1>2 2=0 1>2 1=0")
    assert found.main is not None
    assert found.main.born > 0.3
    assert found.expect == "auto"


def test_the_others_are_said_to_do_what_they_would() -> None:
    observation = story("1! 1>2 2S 1=0 2>3 2=0 3l 3r", listening=((3, "77", "0.0.0.0:80"),), pidfiles=(("/p", 3),))
    family = Family(observation)
    found = {each.expect: each for each in alternatives(conclude(observation, family), family)}
    assert {name for name, each in found.items() if each.fits} == {"daemon", "auto", "listen", "pidfile /p", "notify"}
    assert "ends after 0.40 s" in found["none"].outcome
    assert "p2 (2), which has ended" in found["fork"].outcome
    assert "0.0.0.0:80" in found["listen"].outcome


def test_ready_before_the_first_process_has_left_does_not_fit() -> None:
    observation = story("1! 1>2 2r 1=0")
    family = Family(observation)
    found = {each.expect: each for each in alternatives(conclude(observation, family), family)}
    assert not found["notify"].fits


def test_lines_count_the_forks_of_the_program() -> None:
    observation = story("1! 1>2 1t 1=0 2>3 3=-9")
    assert lines(observation.events) == ["0 1 p1 exec", "1 2 p2 fork", "1 1 p1 exit", "2 3 p3 fork", "2 3 p3 exit"]
    data = as_data(report(observation))
    assert [process["exit_status"] for process in data["processes"]] == [0, None, -9]
    assert data["processes"][0]["threads"] == 1


# ---- random families ----


class _Script:
    """A start that is made up: a chain of processes that leave, with other things going on at each link."""

    def __init__(self) -> None:
        self.events = [Event(0.0, 1, "fork", "p", 0)]
        self.next_pid = 2

    def add(self, kind: str, pid: int, **more: Any) -> None:
        self.events.append(Event(len(self.events) / 100, pid, kind, "p", **more))

    def fork(self, parent: int) -> int:
        pid = self.next_pid
        self.next_pid += 1
        self.add("fork", pid, parent=parent)
        return pid


_LINK = st.fixed_dictionaries(
    {
        "helpers_before": st.integers(0, 2),  # tools that run and end before the fork that matters
        "helpers_after": st.integers(0, 2),
        "exec_first": st.booleans(),
        "threads": st.integers(0, 3),
        "waits": st.booleans(),  # leaves only at the very end
    }
)


@given(st.lists(_LINK, max_size=6), st.integers(0, 4), st.booleans())
def test_any_chain_leads_to_its_end_and_is_counted_as_upstart_counts(
    chain: list[dict[str, Any]], workers: int, workers_fork: bool
) -> None:
    script = _Script()
    script.add("exec", 1)
    current = 1
    first_children: list[bool] = []  # whether the next link is the first fork of this one
    execs: list[bool] = []
    late = []
    for link in chain:
        if link["exec_first"]:
            script.add("exec", current)
        for _number in range(link["threads"]):
            script.add("thread", current)
        for _number in range(link["helpers_before"]):
            helper = script.fork(current)
            script.add("exec", helper)
            script.add("exit", helper, status=0)
        following = script.fork(current)
        for _number in range(link["helpers_after"]):
            script.add("exit", script.fork(current), status=1)
        if link["waits"]:
            late.append(current)
        else:
            script.add("exit", current, status=0)
        first_children.append(not link["helpers_before"])
        execs.append(link["exec_first"])
        current = following
    for _number in range(workers):
        worker = script.fork(current)
        if workers_fork:
            script.fork(worker)
    for pid in reversed(late):
        script.add("exit", pid, status=0)
    observation = Observation(tuple(script.events), "ptrace", True, 9.0)
    found = conclude(observation, Family(observation))

    assert found.main is not None
    assert found.main.pid == current
    assert found.sure == "certain"
    assert found.hops == len(chain)
    countable = all(first_children) and not any(execs[1:])
    right = (
        {0: "none", 1: "fork", 2: "daemon"}.get(len(chain), f"fork {len(chain)}") if countable or not chain else "auto"
    )
    assert found.expect == right


@given(st.lists(st.tuples(st.sampled_from(">!=srltSm"), st.integers(1, 9), st.integers(-15, 9)), max_size=40))
def test_any_events_at_all_are_concluded_from(words: list[tuple[str, int, int]]) -> None:
    """Nothing that can be seen, however odd (a pid that is given again, an end before the birth), is an error."""
    text = " ".join(f"{pid}{what}{abs(number) if what in '>m' else number}" for what, pid, number in words)
    observation = story(text, pidfiles=(("/p", 3),), listening=((2, "77", "[::]:1"),))
    data = as_data(report(observation))
    assert data["failed"] == (data["expect"] == "")
    if data["main"] is not None:
        assert data["main"]["exited"] is None
