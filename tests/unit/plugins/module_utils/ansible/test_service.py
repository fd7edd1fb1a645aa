# SPDX-License-Identifier: GPL-3.0-or-later
"""A service task from end to end, with packages in a folder and a supervisor that only remembers what it was told."""

from __future__ import annotations

import os

import pytest
from ansible_collections.foster.init.plugins.module_utils.ansible.errors import NoSupervisor, TaskError
from ansible_collections.foster.init.plugins.module_utils.ansible.packaged import Packages
from ansible_collections.foster.init.plugins.module_utils.ansible.service import Request, Service
from ansible_collections.foster.init.plugins.module_utils.inits.jobfolder import JobFolder
from ansible_collections.foster.init.plugins.module_utils.processes import escape

UNIT = "[Service]\nExecStart=/bin/x\nType=notify\n[Install]\nWantedBy=multi-user.target\nAlias=also.service\n"


class Remembering:
    """Knows the jobs whose files are in ``folder`` when it is told to load; ``told`` is what it was asked to change."""

    pid = os.getpid()

    def __init__(self, folder):
        self.folder = folder
        self.definitions = JobFolder(str(folder))
        self.up = set()
        self.told = []

    def describe(self, *names):
        found = {}
        for name in names:
            if (self.folder / f"{name}.conf").exists():
                each = {"name": "", "goal": "start", "state": "running", "digest": "d", "processes": []}
                found[name] = {"name": name, "digest": "d", "instances": [each] if name in self.up else []}
        return found

    def load(self):
        pass

    def enabled(self, name):
        return None

    def environment(self, job, instance):
        return {}

    def start(self, job, instance, env, timeout):
        self.told.append(f"start {job}")
        if not job.endswith("/reload"):
            self.up.add(job)

    def stays(self, job, instance, seconds):
        return True

    def restart(self, job, instance, env, timeout):
        self.told.append(f"restart {job}")

    def reload_instance(self, job, instance):
        self.told.append(f"signal {job}")

    def stop_instance(self, job, instance, timeout):
        self.told.append(f"stop {job}")
        self.up.discard(job)


@pytest.fixture
def host(tmp_path, monkeypatch):
    """Return a function that runs a task, with the supervisor as ``.supervisor`` and the root folder as ``.root``."""
    monkeypatch.setattr(escape, "proof", lambda pid, **_more: escape.Proof(pid, 7, "fosterd", pid, "/", True, ""))
    folder = tmp_path / "foster"
    folder.mkdir()
    supervisor = Remembering(folder)

    def run(name="web", connect=lambda: supervisor, **options):
        return Service(Request(name, str(folder), **options), connect, Packages(str(tmp_path / "root"))).run()

    def unit(name, text):
        path = tmp_path / "root/lib/systemd/system" / f"{name}.service"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    run.supervisor, run.unit, run.folder, run.root = supervisor, unit, folder, tmp_path / "root"
    unit("web", UNIT)
    return run


def test_it_is_started_once_and_then_left_alone(host):
    foreseen = host(state="started", enabled=True, check=True)
    assert (host.supervisor.told, os.listdir(host.folder)) == ([], [])
    done = host(state="started", enabled=True)
    assert done.difference.actions == foreseen.difference.actions == [f"write {host.folder}/web.conf", "start web"]
    assert not host("also.service", state="started", enabled=True).difference.changed
    assert host.supervisor.told == ["start web"]


def test_a_changed_unit_is_read_again_but_restarts_nothing(host):
    host(state="started")
    host.unit("web", UNIT.replace("/bin/x", "/bin/y"))
    assert host(state="started").difference.actions == [f"write {host.folder}/web.conf"]
    assert host(state="restarted").difference.changed


def test_enabled_is_what_the_package_has_set_until_a_task_says_otherwise(host):
    assert host(state="started").job["enabled"] is False
    assert host(enabled=True).job["enabled"] is True
    assert host(state="stopped").job["enabled"] is True
    host.unit("wanted", UNIT)
    wants = host.root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    (wants / "wanted.service").symlink_to("/lib/systemd/system/wanted.service")
    assert host("wanted", state="started").job["enabled"] is True


def test_a_unit_that_does_not_say_when_to_start_cannot_be_enabled(host):
    host.unit("web", "[Service]\nExecStart=/bin/x\nType=notify\n")
    done = host(state="started", enabled=True)
    assert "cannot be enabled" in done.warnings[0]
    assert not host(state="started", enabled=True).difference.changed


def test_stopped_defines_nothing_where_nothing_runs(host):
    assert not host(state="stopped").difference.changed
    assert os.listdir(host.folder) == []


def test_reload_by_signal_by_command_and_not_at_all(host):
    host(state="started")
    with pytest.raises(TaskError, match="no way to reload"):
        host(state="reloaded")
    host.unit("web", UNIT.replace("[Install]", "ExecReload=/bin/kill -HUP $MAINPID\n[Install]"))
    assert host(state="reloaded").difference.actions[-1] == "reload web"
    host.unit("web", UNIT.replace("[Install]", "ExecReload=/bin/again\n[Install]"))
    assert host(state="reloaded").difference.actions[-1] == "reload web"
    assert host.supervisor.told == ["start web", "signal web", "start web/reload"]
    host.unit("web", UNIT)
    host(state="started")
    assert sorted(os.listdir(host.folder / "web")) == []


def test_reload_starts_what_does_not_run(host):
    assert host(state="reloaded").difference.actions[-1] == "start web"


@pytest.mark.parametrize("check", [True, False])
def test_an_unmet_condition_is_a_warning_and_no_start(host, check):
    host.unit("web", "[Unit]\nConditionPathExists=/not/there\n" + UNIT)
    done = host(state="started", check=check)
    assert "ConditionPathExists=/not/there does not hold" in done.warnings[0]
    assert host.supervisor.told == []


def test_an_unmet_assertion_is_an_error(host):
    host.unit("web", "[Unit]\nAssertPathExists=/not/there\n" + UNIT)
    with pytest.raises(TaskError, match="AssertPathExists=/not/there does not hold"):
        host(state="started")


def test_what_it_requires_is_started_first_also_in_a_circle(host):
    host.unit("web", "[Unit]\nRequires=db.service gone.service x.target\n" + UNIT)
    host.unit("db", "[Unit]\nRequires=web.service\n" + UNIT)
    host(state="started")
    assert host.supervisor.told == ["start db", "start web"]


def test_a_job_of_ones_own_comes_first(host):
    (host.folder / "web.conf").write_text("exec mine\n")
    assert host(state="started").difference.actions == ["start web"]
    assert (host.folder / "web.conf").read_text() == "exec mine\n"
    (host.folder / "own.conf").write_text("exec mine\n")
    assert host("own", state="started").source == ""


def test_a_copy_outside_of_the_supervisor_is_stopped_by_its_script(host):
    script = host.root / "etc/init.d/web"
    script.parent.mkdir(parents=True)
    running = host.root / "running"
    running.write_text("yes")
    script.write_text(f"#!/bin/sh\ncase $1 in status) test -s {running};; stop) : >{running};; esac\n")
    script.chmod(0o755)
    foreseen = host(state="started", check=True)
    assert running.read_text() == "yes"
    done = host(state="started")
    assert done.difference.actions == foreseen.difference.actions
    assert done.difference.actions[0] == "stop web outside of the supervisor"
    assert running.read_text() == ""


def test_an_unknown_service_is_an_error_with_the_nearest_name(host):
    with pytest.raises(TaskError, match=r"wbe: there is no such service .* did you mean web"):
        host("wbe", state="started")


def test_losses_are_told_when_the_service_is_new_and_returned_always(host):
    host.unit("web", UNIT.replace("[Install]", "PrivateTmp=yes\n[Install]"))
    assert "PrivateTmp" in host(state="started").warnings[0]
    again = host(state="started")
    assert (again.warnings, [each.directive for each in again.lost]) == ([], ["PrivateTmp"])


def test_without_a_supervisor_a_start_fails_and_check_mode_goes_on(host):
    def nobody():
        raise NoSupervisor("nobody is there.")

    with pytest.raises(NoSupervisor):
        host(connect=nobody, state="started")
    assert host(connect=nobody, state="started", check=True).difference.actions[-1] == "start web"
    assert os.listdir(host.folder) == []
