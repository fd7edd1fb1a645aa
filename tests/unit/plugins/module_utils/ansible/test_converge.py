# SPDX-License-Identifier: GPL-3.0-or-later
"""A job task from end to end, with a supervisor that only remembers what it was told."""

from __future__ import annotations

import os

import pytest
from ansible_collections.foster.init.plugins.module_utils.ansible.converge import Convergence, Request
from ansible_collections.foster.init.plugins.module_utils.ansible.errors import NoSupervisor, TaskError
from ansible_collections.foster.init.plugins.module_utils.dbus.errors import BusError
from ansible_collections.foster.init.plugins.module_utils.inits.jobfolder import JobFolder
from ansible_collections.foster.init.plugins.module_utils.job.errors import JobError
from ansible_collections.foster.init.plugins.module_utils.processes import escape

ERROR = "com.ubuntu.Upstart0_6.Error."


class FakeSupervisor:
    """Knows the jobs whose files are in ``folder`` when it is told to load; ``told`` is what it was asked to change."""

    pid = 7

    def __init__(self, folder):
        self.folder = folder
        self.definitions = JobFolder(str(folder))
        self.jobs = {}
        self.told = []
        self.start_error = None
        self.failure = None
        self.load_quietly()

    def load_quietly(self):
        known = self.jobs
        self.jobs = {}
        for file in sorted(os.listdir(self.folder)):
            if file.endswith(".conf"):
                name = file[:-5]
                instances = known.get(name, {}).get("instances", [])
                self.jobs[name] = {"name": name, "digest": "d", "instances": instances}

    def describe(self, *names):
        return {name: {**job, "last_failure": self.failure} for name, job in self.jobs.items() if name in names}

    settle = stays = last_end = None

    def enabled(self, name):
        return None

    def look(self, name):
        return f"look {name}"

    def load(self):
        self.told.append("load")
        self.load_quietly()

    def start(self, job, instance, env, timeout):
        self.told.append(f"start {job} {dict(env)}")
        if self.start_error:
            raise self.start_error
        assert instance == env.get("N", "")
        process = {"kind": "main", "pid": 100 + len(self.told), "start_time": 1}
        self.jobs[job]["instances"].append(
            {"name": instance, "goal": "start", "state": "running", "digest": "d", "processes": [process]}
        )

    def stop_instance(self, job, instance, timeout):
        self.told.append(f"stop {job} {instance}")
        self.jobs[job]["instances"] = [each for each in self.jobs[job]["instances"] if each["name"] != instance]

    def environment(self, job, instance):
        return {"N": instance}


@pytest.fixture
def supervisor(tmp_path, monkeypatch):
    def proof(pid, supervisor=None, user=False, above=None):
        return escape.Proof(pid, 7, "fosterd", pid, "/foster", True, "")

    monkeypatch.setattr(escape, "proof", proof)
    return FakeSupervisor(tmp_path)


def converge(supervisor, **options):
    defaults = {"name": "web", "folder": str(supervisor.folder), "state": "started", "stay_up": 0}
    return Convergence(Request(**{**defaults, **options}), lambda: supervisor).run()


def test_the_second_run_changes_nothing(supervisor):
    first = converge(supervisor, text="exec a\n")
    assert first.difference.actions == [f"write {supervisor.folder}/web.conf", "start web"]
    assert first.escape[0]["escaped"] is True
    supervisor.told.clear()
    assert converge(supervisor, text="exec a\n").difference.changed is False
    assert supervisor.told == []


def test_check_mode_predicts_and_sends_nothing(supervisor):
    predicted = converge(supervisor, text="exec a\n", check=True)
    assert supervisor.told == []
    assert os.listdir(supervisor.folder) == []
    done = converge(supervisor, text="exec a\n")
    assert predicted.difference.result(True) == done.difference.result(True)


def test_a_comment_is_written_without_a_restart(supervisor):
    converge(supervisor, text="exec a\n")
    supervisor.told.clear()
    outcome = converge(supervisor, text="# why\nexec a\n")
    assert outcome.difference.changed
    assert supervisor.told == ["load"]


def test_env_selects_the_instance_and_a_change_replaces_all(supervisor):
    text = "instance $N\nexec a\n"
    for number in ("1", "2"):
        converge(supervisor, text=text, env={"N": number})
    supervisor.told.clear()
    converge(supervisor, text="instance $N\nexec b\n", env={"N": "1"})
    assert supervisor.told == ["load", "stop web 1", "stop web 2", "start web {'N': '1'}", "start web {'N': '2'}"]


def test_a_missing_instance_variable_is_named(supervisor):
    with pytest.raises(TaskError, match="env lacks N"):
        converge(supervisor, text="instance $N\nexec a\n")
    assert os.listdir(supervisor.folder) == []


def test_a_broken_definition_changes_nothing(supervisor):
    with pytest.raises(JobError, match=r"web\.conf:1"):
        converge(supervisor, text="respwan\n")
    assert os.listdir(supervisor.folder) == []


def test_somebody_elses_start_is_as_good(supervisor):
    """Two starters at one instant: the one who comes second waits until the job runs."""
    (supervisor.folder / "web.conf").write_text("exec a\n")
    supervisor.load_quietly()
    supervisor.start_error = BusError(ERROR + "AlreadyStarted", "Job is already running: web")
    supervisor.settle = lambda job, instance, timeout: {"goal": "start", "state": "running"}
    assert converge(supervisor).difference.actions == ["start web"]


def test_a_failed_start_says_what_failed_and_what_it_wrote(supervisor):
    supervisor.start_error = BusError(ERROR + "JobFailed", "Job failed to start")
    supervisor.failure = {"process": "pre-start", "exit_status": 3, "log_tail": ["one", "no luck"]}
    with pytest.raises(
        TaskError, match=r"its pre-start process ended with exit status 3\. It last wrote: no luck"
    ) as caught:
        converge(supervisor, text="exec a\n")
    assert caught.value.details["failure"] == supervisor.failure


def test_a_main_process_that_ends_at_once_is_a_failure(supervisor):
    supervisor.stays = lambda job, instance, seconds: False
    supervisor.failure = {"process": "main", "exit_status": 1, "log_tail": []}
    with pytest.raises(TaskError, match="its main process ended with exit status 1"):
        converge(supervisor, text="exec a\n", stay_up=0.5)


def test_a_supervisor_below_a_login_starts_nothing(supervisor, monkeypatch):
    bound = escape.Proof(7, 6, "sshd", 6, "/user.slice/session-1.scope", False, "its control group belongs to a login")
    monkeypatch.setattr(escape, "proof", lambda pid, **_more: bound)
    with pytest.raises(TaskError, match="runs under a login session"):
        converge(supervisor, text="exec a\n")
    assert supervisor.told == []


def test_a_job_that_outlived_its_supervisor_has_escaped(supervisor, monkeypatch):
    """After kill -9 of the supervisor its jobs are children of PID 1, and a second run failed because of that."""

    def proof(pid, supervisor=None, user=False, above=None):
        escaped = pid == 7 or supervisor == 1
        return escape.Proof(pid, 1, "init", pid, "/foster", escaped, "" if escaped else "not the supervisor")

    monkeypatch.setattr(escape, "proof", proof)
    assert converge(supervisor, text="exec a\n").escape[0]["escaped"] is True


def test_enabled_keeps_the_rest_of_the_override(supervisor):
    override = supervisor.folder / "web.override"
    override.write_text("nice 5\n")
    text = "start on startup\nexec a\n"
    assert converge(supervisor, text=text, state="present", enabled=False).job["enabled"] is False
    assert override.read_text() == "nice 5\nmanual\n"
    assert converge(supervisor, state="present", enabled=False).difference.changed is False
    assert converge(supervisor, state="present", enabled=True).job["enabled"] is True
    assert override.read_text() == "nice 5\n"
    assert converge(supervisor, state="present", enabled=True).difference.changed is False


def test_without_a_supervisor_only_definitions_work(supervisor):
    def nobody():
        raise NoSupervisor("Nobody answers.")

    request = Request(name="web", folder=str(supervisor.folder), state="present", text="exec a\n")
    assert Convergence(request, nobody).run().difference.changed
    with pytest.raises(NoSupervisor):
        Convergence(Request(name="web", folder=str(supervisor.folder), state="started"), nobody).run()
    checked = Convergence(Request(name="web", folder=str(supervisor.folder), state="started", check=True), nobody).run()
    assert checked.difference.actions == ["start web"]
    assert checked.warnings


@pytest.mark.parametrize("name", ["../web", "", "/web", "a//b"])
def test_a_name_that_leaves_the_folder_is_refused(supervisor, name):
    with pytest.raises(JobError, match="is not the name of a job"):
        converge(supervisor, name=name, text="exec a\n")
