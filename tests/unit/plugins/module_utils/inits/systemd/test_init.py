# SPDX-License-Identifier: GPL-3.0-or-later
"""A job task with systemd as its init, from end to end, with a systemd that only remembers what it was told."""

from __future__ import annotations

import os

import pytest
from ansible_collections.foster.init.plugins.module_utils.ansible import jobset
from ansible_collections.foster.init.plugins.module_utils.ansible.converge import Convergence, Request
from ansible_collections.foster.init.plugins.module_utils.ansible.errors import TaskError
from ansible_collections.foster.init.plugins.module_utils.ansible.jobset import JobSet, Member
from ansible_collections.foster.init.plugins.module_utils.ansible.jobset import Request as SetRequest
from ansible_collections.foster.init.plugins.module_utils.inits.errors import InitError
from ansible_collections.foster.init.plugins.module_utils.inits.systemd import failure
from ansible_collections.foster.init.plugins.module_utils.inits.systemd.init import Systemd
from ansible_collections.foster.init.plugins.module_utils.job.errors import JobError
from ansible_collections.foster.init.plugins.module_utils.processes import escape

NO_FAILURE = {"ExecMainCode": 0, "ExecMainStatus": 0, "Result": "success", **dict.fromkeys(failure.COMMANDS, ())}


class FakeManager:
    """Runs what it is told to start as this process; ``told`` is what it was asked to change."""

    user = False
    pid = 1

    def __init__(self):
        self.told = []
        self.running = {}
        self.strangers = {}
        self.enabled = set()
        self.result = "done"
        self.results = {}
        self.failure = NO_FAILURE
        self.starts = 0

    def version(self):
        return 252

    def file_state(self, unit):
        return self.strangers.get(unit) or ("enabled" if unit in self.enabled else "")

    def units(self, pattern):
        before, _star, _after = pattern.partition("*")
        return [unit for unit in self.running if unit == pattern or (_star and unit[: len(before)] == before)]

    def unit(self, name, properties=(), service=()):
        state = "active" if name in self.running else "inactive"
        return {
            "UnitFileState": self.file_state(name), "NeedDaemonReload": False,
            "ActiveState": state, "SubState": "running",
            "InvocationID": self.running.get(name, b""), "InactiveExitTimestamp": 0, "InactiveEnterTimestamp": 0,
            "MainPID": os.getpid(), "ControlPID": 0, "ControlGroup": "/x",
            **self.failure,
        }  # fmt: skip

    def reload(self):
        self.told.append("reload")

    def enable(self, units, wanted, runtime):
        self.told.append(f"{'enable' if wanted else 'disable'} {' '.join(units)}")
        (self.enabled.update if wanted else self.enabled.difference_update)(units)

    def forget_failure(self, unit):
        pass

    def run_all(self, asked, timeout):
        return [self.run(*each, timeout) for each in asked]

    def run(self, member, unit, timeout):
        self.told.append(f"{member} {unit}")
        if member == "StopUnit":
            self.running.pop(unit, None)
            return "done"
        self.starts += 1
        result = self.results.get(unit, self.result)
        if result == "done":
            self.running[unit] = bytes([self.starts])
        return result


@pytest.fixture
def manager():
    return FakeManager()


@pytest.fixture
def converge(manager, tmp_path, monkeypatch):
    proof = escape.Proof(7, 1, "systemd", 7, "/system.slice", True, "")
    monkeypatch.setattr(escape, "proof", lambda pid, **_more: proof)
    monkeypatch.setattr(failure, "journal", lambda unit, invocation, user: ["the reason"])

    def run(**options):
        manager.told.clear()
        init = Systemd(manager, str(tmp_path / "units"), str(tmp_path / "run"), str(tmp_path / "notes" / "units"))
        defaults = {"name": "web", "folder": str(tmp_path), "state": "started", "stay_up": 0}
        return Convergence(Request(**{**defaults, **options}), lambda: init).run()

    return run


def test_a_job_is_written_loaded_enabled_and_started_once(converge, manager, tmp_path):
    text = "start on startup\nexec a\n"
    predicted = converge(text=text, check=True)
    assert manager.told == [] and not (tmp_path / "units").exists()
    done = converge(text=text)
    assert manager.told == ["reload", "enable web.service", "StartUnit web.service"]
    assert predicted.difference.result(True) == done.difference.result(True)
    assert done.escape[0]["escaped"] is True
    again = converge(text=text)
    assert again.difference.changed is False and manager.told == []


def test_what_somebody_disabled_is_enabled_again(converge, manager):
    converge(text="start on startup\nexec a\n")
    manager.enabled.clear()
    assert converge(text="start on startup\nexec a\n").difference.actions == ["enable web"]
    assert converge(state="present", enabled=False).job["enabled"] is False
    assert manager.told == ["reload", "disable web.service"]
    assert converge(state="present", enabled=True).job["enabled"] is True


def test_an_instance_that_was_left_behind_is_known_whoever_starts_it_again(converge, manager):
    converge(text="exec a\n")
    converge(text="exec b\n", on_change="none")
    converge(text="exec c\n", on_change="none")
    assert converge(text="exec b\n").difference.actions[1:] == ["stop web", "start web"]
    converge(text="exec c\n", on_change="none")
    manager.running["web.service"] = b"by hand"
    assert converge(text="exec c\n").difference.changed is False


def test_going_back_to_the_definition_that_runs_restarts_nothing(converge):
    converge(text="exec a\n")
    converge(text="exec b\n", on_change="none")
    converge(text="exec a\n", on_change="none")
    assert converge(text="exec a\n").difference.changed is False


def test_a_comment_is_written_without_a_restart(converge, manager):
    converge(text="exec a\n")
    assert converge(text="# why\nexec a\n").difference.changed
    assert manager.told == ["reload"]


def test_instances_are_units_of_a_template(converge, manager, tmp_path):
    text = "instance $N\nexec a\n"
    converge(text=text, env={"N": "1/x"})
    assert manager.told[-1] == "StartUnit web@1-x.service"
    converge(text=text, env={"N": "2", "MORE": 'a "b" %c'})
    drop_in = tmp_path / "run" / "web@2.service.d" / "50-foster-env.conf"
    assert drop_in.read_text().splitlines()[1:] == ["[Service]", 'Environment="MORE=a \\"b\\" %%c"']
    converge(text="instance $N\nexec b\n", env={"N": "1/x"})
    assert [each for each in manager.told if each != "reload"] == [
        "StopUnit web@1-x.service", "StopUnit web@2.service", "StartUnit web@1-x.service", "StartUnit web@2.service"
    ]  # fmt: skip
    assert drop_in.exists(), "the instance kept its variables"


def test_a_job_that_gets_instances_leaves_its_old_unit_behind_nowhere(converge, manager, tmp_path):
    converge(text="exec a\n")
    converge(text="instance $N\nexec a\n", env={"N": "1"})
    assert os.listdir(tmp_path / "units") == ["web@.service"]
    assert manager.running.keys() == {"web@1.service"}


def test_absent_leaves_nothing(converge, manager, tmp_path):
    converge(text="start on startup\nexec a\n", env={"X": "1"})
    converge(text="start on startup\nexec b\n", on_change="none")
    converge(state="absent")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert manager.running == {} and manager.enabled == set()
    assert converge(state="absent").difference.changed is False


def test_an_instance_that_has_stopped_leaves_its_variables_nowhere(converge, tmp_path):
    text = "instance $N\nexec a\n"
    converge(text=text, env={"N": "1", "X": "1"})
    converge(name="web2", text=text, env={"N": "1", "X": "1"})
    converge(text=text, env={"N": "1"}, state="stopped")
    converge(state="absent")
    assert sorted(os.listdir(tmp_path / "run")) == ["web2@1.service.d"]


@pytest.mark.parametrize("content", ["[Service]\nExecStart=/bin/true\n", ""])
def test_a_unit_of_somebody_else_is_refused(converge, manager, tmp_path, content):
    (tmp_path / "units").mkdir()
    (tmp_path / "units" / "web.service").write_text(content)
    with pytest.raises(InitError, match=r"foster\.init did not make it"):
        converge(text="exec a\n")
    with pytest.raises(InitError, match=r"foster\.init did not make it"):
        converge(state="absent")
    assert (tmp_path / "units" / "web.service").read_text() == content and manager.told == []


def test_a_unit_of_the_distribution_is_refused(converge, manager):
    manager.strangers["web.service"] = "static"
    with pytest.raises(InitError, match=r"web\.service on this host already \(static\)"):
        converge(text="exec a\n")


def test_a_masked_unit_is_refused(converge, tmp_path, manager):
    (tmp_path / "units").mkdir()
    (tmp_path / "units" / "web.service").symlink_to("/dev/null")
    with pytest.raises(InitError, match=r"web\.service is masked"):
        converge(text="exec a\n")
    assert manager.told == []


def test_two_jobs_cannot_share_a_unit(converge):
    converge(name="net/web", text="exec a\n")
    with pytest.raises(InitError, match="belongs to the job net/web"):
        converge(name="net-web", text="exec a\n")


def test_what_a_unit_cannot_say_changes_nothing_and_says_where(converge, manager, tmp_path):
    with pytest.raises(JobError, match=r"^web\.conf:3: expect: .*use: foster"):
        converge(text="exec a\n\nexpect stop\n")
    with pytest.raises(JobError, match=r"^web\.override:1: debug: "):
        converge(text="exec a\n", override="debug\n")
    assert manager.told == [] and not (tmp_path / "units").exists()


def test_a_failed_start_says_what_failed_and_is_not_tried_again(converge, manager):
    manager.result = "failed"
    command = ("/bin/sh", ["sh"], False, 0, 0, 0, 0, 9, 1, 3)
    manager.failure = {**NO_FAILURE, "Result": "exit-code", "ExecStartPre": [command]}
    with pytest.raises(TaskError, match=r"its pre-start process ended with exit status 3\. It last wrote: the reason"):
        converge(text="exec a\n")
    assert manager.told[-1] == "StopUnit web.service"


@pytest.mark.parametrize(
    ("properties", "end"),
    [
        ({"ExecMainCode": 1, "ExecMainStatus": 203}, {"step": "exec", "errno": 2, "exit_status": 203}),
        ({"ExecMainCode": 1, "ExecMainStatus": 217}, {"step": "setuid", "errno": 2, "exit_status": 217}),
        ({"ExecMainCode": 2, "ExecMainStatus": 9}, {"signal": "KILL"}),
        ({"Result": "timeout"}, {"reason": "timeout"}),
    ],
)
def test_how_a_unit_has_failed(properties, end):
    assert failure.failure({**NO_FAILURE, **properties}, []) == {"process": "main", **end, "log_tail": []}


@pytest.fixture
def converge_set(converge, manager, tmp_path):
    """Bring jobs, name to text, to their state in one task; ``converge`` is for its fakes."""

    def run(texts, state="started", check=False, **options):
        manager.told.clear()
        init = Systemd(manager, str(tmp_path / "units"), str(tmp_path / "run"), str(tmp_path / "notes" / "units"))
        jobs = [Request(name, str(tmp_path), state, text=text, check=check) for name, text in texts.items()]
        options = {"stay_up": 0, **options}
        request = SetRequest(tuple(map(Member, jobs)), str(tmp_path), check=check, **options)
        return JobSet(request, lambda: init).run()

    return run


SET = {"net/a": "start on startup\nexec a\n", "b": "start on started net/a\nexec b\n"}


def test_a_set_is_loaded_and_enabled_once_and_a_second_run_does_nothing(converge_set, manager, tmp_path):
    foreseen = converge_set(SET, owner="shop", check=True)
    assert manager.told == [] and not (tmp_path / "units").exists()
    done = converge_set(SET, owner="shop")
    assert manager.told == [
        "reload", "enable net-a.service b.service", "StartUnit net-a.service", "StartUnit b.service"
    ]  # fmt: skip
    assert foreseen.difference.result(True) == done.difference.result(True)
    assert converge_set(SET, owner="shop").changed == [] and manager.told == []


def test_of_a_set_the_instances_of_each_template_are_told_apart(converge_set, converge, manager):
    texts = {"w": "instance $N\nexec a\n", "w2": "instance $N\nexec a\n", "b": "exec b\n"}
    for name in ("w", "w2"):
        converge(name=name, text=texts[name], env={"N": "1"})
    found = converge_set(dict.fromkeys(texts), state="stopped")
    assert found.changed == ["w", "w2"]
    assert [told for told in manager.told if told.startswith("Stop")] == [
        "StopUnit w@1.service",
        "StopUnit w2@1.service",
    ]


def test_a_purge_removes_the_units_of_the_owner_and_no_others(converge_set, converge, manager, tmp_path):
    converge(name="mine", text="exec a\n")
    converge_set({"other": "exec a\n"}, owner="bank")
    (tmp_path / "units" / "stranger.service").write_text("[Service]\nExecStart=/bin/true\n")
    converge_set(SET, owner="shop")
    done = converge_set({"b": SET["b"]}, owner="shop", purge=True)
    assert (done.removed, done.changed, done.failures) == (["net/a"], [], [])
    assert manager.told == ["StopUnit net-a.service", "disable net-a.service", "reload"]
    left = sorted(path.name for path in (tmp_path / "units").iterdir())
    assert left == ["b.service", "mine.service", "other.service", "stranger.service"]


def test_in_a_set_one_that_fails_keeps_no_other_back(converge_set, manager):
    manager.results = {"net-a.service": "failed"}
    manager.failure = {**NO_FAILURE, "Result": "exit-code", "ExecMainCode": 1, "ExecMainStatus": 3}
    done = converge_set({**SET, "bad": "exec a\nexpect stop\n"})
    told = {each["name"]: each["msg"] for each in done.failures}
    assert sorted(told) == ["bad", "net/a"]
    assert "ended with exit status 3" in told["net/a"]
    assert told["bad"].startswith("bad: bad.conf:2: expect: ")
    assert set(manager.running) == {"b.service"}


def test_a_process_of_a_set_that_is_younger_than_its_start_is_a_failure(converge_set, manager, monkeypatch):
    """Its main process is this one, which is older than any start, unless the clock says otherwise."""
    monkeypatch.setattr(jobset.time, "sleep", lambda _seconds: None)
    manager.failure = {**NO_FAILURE, "ExecMainCode": 1, "ExecMainStatus": 4}
    assert converge_set({"b": "exec b\n"}, stay_up=0.1).failures == []
    monkeypatch.setattr(jobset.time, "clock_gettime", lambda _clock: 0.0)
    failures = converge_set({"c": "exec c\n"}, stay_up=0.1).failures
    assert [each["name"] for each in failures] == ["c"]
    assert "its main process ended with exit status 4" in failures[0]["msg"]


def test_why_a_unit_does_not_run_is_said_as_far_as_systemd_knows(converge, manager, tmp_path):
    converge(state="present", text="start on startup\nexec a\n")
    init = Systemd(manager, str(tmp_path / "units"), str(tmp_path / "run"), str(tmp_path / "notes" / "units"))
    assert "start on has not come true" in init.explain("web", "")["reason"]
    manager.enabled.clear()
    assert "by hand only" in init.explain("web", "")["reason"]
    manager.failure = {**NO_FAILURE, "InactiveEnterTimestamp": 7}
    assert init.explain("web", "")["reason"].startswith("It has ended or was stopped")
    manager.failure = {
        **NO_FAILURE,
        "ActiveState": "failed",
        "Result": "signal",
        "ExecMainCode": 2,
        "ExecMainStatus": 9,
    }
    told = init.explain("web", "")
    assert told["reason"] == "It has failed (systemd says signal)"
    assert told["failure"] == {"process": "main", "signal": "KILL", "log_tail": ["the reason"]}


def test_a_job_that_another_init_has_is_not_started_twice(converge, manager):
    with pytest.raises(TaskError, match=r"another init has this job as /etc/foster/web\.conf"):
        converge(text="exec a\n", elsewhere="/etc/foster/web.conf")
    assert manager.told == []
