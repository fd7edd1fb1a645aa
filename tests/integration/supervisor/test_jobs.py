# SPDX-License-Identifier: GPL-3.0-or-later
"""A task on a whole set of jobs, with a real supervisor."""

from __future__ import annotations

from typing import Any

import pytest
from module_utils.ansible.converge import Request as JobRequest
from module_utils.ansible.jobset import JobSet, Member, Request, Result
from module_utils.ansible.supervisor import Supervisor
from module_utils.processes import escape


@pytest.fixture(autouse=True)
def _escaped(monkeypatch):
    """The supervisor under test hangs on the session that the tests run in; that is not what these are about."""
    monkeypatch.setattr(escape, "proof", lambda pid, **_more: escape.Proof(pid, 1, "init", pid, "/", True, ""))


def converge(supervisor: Any, texts: dict[str, str | None], **options: Any) -> Result:
    folder = str(supervisor.jobs)
    check = options.get("check", False)
    state = options.pop("state", "started")
    instances = options.pop("instances", {})
    members = tuple(
        Member(JobRequest(name, folder, state, text=text, check=check), tuple(instances.get(name, ())))
        for name, text in texts.items()
    )
    address = f"unix:path={supervisor.folder}/run/control"
    return JobSet(Request(members, folder, **options), lambda: Supervisor.open(address, folder)).run()


def running(supervisor: Any, name: str) -> list[str]:
    return [each["name"] for each in supervisor.describe(name)["instances"] if each["state"] == "running"]


def test_a_set_is_started_in_one_task_and_a_second_run_has_nothing_to_do(supervisor):
    texts = {f"many/j{number}": "exec sleep 1000\n" for number in range(30)}
    foreseen = converge(supervisor, texts, owner="a", check=True)
    assert not supervisor.copies()
    done = converge(supervisor, texts, owner="a")
    assert (done.failures, done.changed, len(supervisor.copies())) == ([], list(texts), 30)
    assert foreseen.difference.result(True) == done.difference.result(True)
    pids = supervisor.copies()
    again = converge(supervisor, texts, owner="a")
    assert (again.difference.changed, again.changed, supervisor.copies()) == (False, [], pids)


def test_purge_removes_what_the_owner_brought_and_nothing_else(supervisor):
    (supervisor.jobs / "mine.conf").write_text("exec sleep 1000\n")
    converge(supervisor, {"a": "exec sleep 1000\n", "b": "exec sleep 1000\n"}, owner="one")
    converge(supervisor, {"c": "exec sleep 1000\n"}, owner="two")
    done = converge(supervisor, {"b": "exec sleep 1000\n"}, owner="one", purge=True)
    assert (done.removed, done.failures) == (["a"], [])
    assert sorted(path.name for path in supervisor.jobs.iterdir()) == ["b.conf", "c.conf", "mine.conf"]
    assert len(supervisor.copies()) == 2


def test_a_job_of_another_owner_is_not_taken_over(supervisor):
    converge(supervisor, {"a": "exec sleep 1000\n"}, owner="one")
    done = converge(supervisor, {"a": "exec sleep 2000\n"}, owner="two")
    assert [each["msg"][:17] for each in done.failures] == ["a: belongs to one"]
    assert "sleep 1000" in (supervisor.jobs / "a.conf").read_text()


def test_those_that_fail_are_all_told_and_do_not_keep_the_others_back(supervisor):
    texts = {
        "good": "exec sleep 1000\n",
        "wrong": "exec true\nrespwan\n",
        "fails": "pre-start exec false\nexec sleep 1000\n",
        "dies": "exec sh -c 'exit 3'\n",
        "missing": None,
    }
    done = converge(supervisor, texts)
    assert sorted(each["name"] for each in done.failures) == ["dies", "fails", "missing", "wrong"]
    told = {each["name"]: each["msg"] for each in done.failures}
    assert "wrong.conf:2" in told["wrong"]
    assert "pre-start process ended with exit status 1" in told["fails"]
    assert "exit status 3" in told["dies"]
    assert running(supervisor, "good") == [""]


def test_a_wrong_definition_changes_nothing_where_the_task_is_to_stop(supervisor):
    done = converge(supervisor, {"a": "exec sleep 1000\n", "b": "respwan\n"}, go_on=False)
    assert [each["name"] for each in done.failures] == ["b"]
    assert list(supervisor.jobs.iterdir()) == []


def test_after_a_failure_nothing_more_is_started_where_the_task_is_to_stop(supervisor):
    texts = {"a": "exec sleep 1000\n", "b": "pre-start exec false\nexec sleep 1000\n", "c": "exec sleep 1000\n"}
    done = converge(supervisor, texts, go_on=False, at_once=1)
    assert [each["name"] for each in done.failures] == ["b"]
    assert (running(supervisor, "a"), running(supervisor, "c")) == ([""], [])


def test_another_definition_replaces_all_instances_and_starts_those_that_lack(supervisor):
    text = "instance $N\nexec sleep {}\n"
    converge(supervisor, {"w": text.format(1000)}, instances={"w": [{"N": "1"}, {"N": "2"}]})
    assert running(supervisor, "w") == ["1", "2"]
    before = set(supervisor.copies())
    done = converge(supervisor, {"w": text.format(2000)}, instances={"w": [{"N": "1"}, {"N": "3"}]})
    assert done.failures == []
    assert running(supervisor, "w") == ["1", "2", "3"]
    assert not before & set(supervisor.copies())
    assert done.difference.actions.count("stop w (1)") == 1


def test_a_set_is_stopped_and_removed(supervisor):
    texts = {"a": "exec sleep 1000\n", "b": "exec sleep 1000\n"}
    converge(supervisor, texts)
    assert converge(supervisor, dict.fromkeys(texts), state="stopped").changed == ["a", "b"]
    assert supervisor.copies() == []
    assert converge(supervisor, dict.fromkeys(texts), state="absent").removed == ["a", "b"]
    assert list(supervisor.jobs.iterdir()) == []
