# SPDX-License-Identifier: GPL-3.0-or-later
"""Stanza by stanza: the directives of the unit, or the sentence that says why there are none."""

from __future__ import annotations

from dataclasses import fields

import pytest
from ansible_collections.foster.init.plugins.module_utils.job.compound import EXPECT_ARGUMENTS
from ansible_collections.foster.init.plugins.module_utils.job.exporters.errors import CannotSay
from ansible_collections.foster.init.plugins.module_utils.job.exporters.lifecycle import EXPECT_NOTES
from ansible_collections.foster.init.plugins.module_utils.job.exporters.table import ROWS
from ansible_collections.foster.init.plugins.module_utils.job.exporters.target import Target
from ansible_collections.foster.init.plugins.module_utils.job.exporters.unit import unit_file_name, unit_text
from ansible_collections.foster.init.plugins.module_utils.job.model import Job
from ansible_collections.foster.init.plugins.module_utils.job.parser import parse_job

OTHERS = {
    "setup": parse_job("task\nexec true", "setup", ""),
    "worker": parse_job("instance $N\nexec true", "worker", ""),
}


def unit(text: str, **target: object) -> list[str]:
    job = parse_job(text, "web", "web.conf")
    return unit_text(job, Target(**{"others": OTHERS, **target})).splitlines()


def test_every_stanza_has_its_row() -> None:
    assert sorted(row.field for row in ROWS) == sorted(field.name for field in fields(Job) if field.name != "name")
    assert set(EXPECT_NOTES) == set(EXPECT_ARGUMENTS)


def test_a_plain_service() -> None:
    assert unit("exec /usr/sbin/web --port 80") == [
        "[Unit]", "StartLimitIntervalSec=0", "", "[Service]", "Environment=UPSTART_JOB=web UPSTART_INSTANCE=",
        "Type=exec", "ExecStart=/usr/sbin/web --port 80", 'ExecReload=/bin/sh -c "kill -HUP $MAINPID"',
        "TimeoutStartSec=infinity", "TimeoutStopSec=5", "IgnoreSIGPIPE=no",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("exec web", ["ExecStart=web"]),
        ("exec web $PORT", ['ExecStart=/bin/sh -e -c "exec web $$PORT" /bin/sh']),
        ("env PATH=/opt/bin\nexec web", ['ExecStart=/bin/sh -e -c "exec web" /bin/sh', "Environment=PATH=/opt/bin"]),
        ("exec -web", ['ExecStart=/bin/sh -e -c "exec -web" /bin/sh']),
        ("script\n  a\n  b\nend script", ['ExecStart=/bin/sh -e -c "a\\nb" /bin/sh']),
        ("exec a\npre-start exec b", ["ExecStartPre=b"]),
        ("exec a\npost-start exec b", ["ExecStartPost=-b"]),
        ("exec a\npost-stop exec b", ["ExecStopPost=b"]),
        ("exec a\npre-stop exec b", [
            'ExecStop=-/bin/sh -e -c "test -n \\"$${MAINPID:-}\\" || exit 0\\nexec b" /bin/sh', "TimeoutStopSec=90"]),
        ("exec a\npre-stop exec b\nkill timeout 7", ["TimeoutStopSec=7"]),
        ("exec a\nrespawn", [
            "Restart=always", "RestartPreventExitStatus=200 203 210 216 217", "RestartSec=0",
            "StartLimitBurst=11", "StartLimitIntervalSec=5"]),
        ("exec a\nrespawn\nrespawn limit unlimited", ["StartLimitIntervalSec=0"]),
        ("exec a\nrespawn\nrespawn delay 2", ["RestartSec=2"]),
        ("exec a\nrespawn\nnormal exit 0 TERM", [
            "SuccessExitStatus=0 SIGTERM", "RestartPreventExitStatus=200 203 210 216 217 0 SIGTERM"]),
        ("exec a\nrespawn\npermanent failure 78", ["RestartPreventExitStatus=200 203 210 216 217 78"]),
        ("task\nexec a\nrespawn", ["Type=oneshot", "Restart=on-failure"]),
        ("pre-start exec a", ["Type=oneshot", "RemainAfterExit=yes", "ExecStart=/bin/true", "ExecStartPre=a"]),
        ("exec a\nexpect fork", ["Type=forking"]),
        ("exec a\nexpect notify\nwatchdog 5", ["Type=notify", "NotifyAccess=all", "WatchdogSec=5"]),
        ("exec a\nexpect dbus org.a", ["Type=dbus", "BusName=org.a"]),
        ("exec a\nexpect pidfile /run/a", ["Type=forking", "PIDFile=/run/a"]),
        ("exec a\nstart timeout 3.5", ["TimeoutStartSec=3.5"]),
        ("exec a\nkill signal INT\nkill timeout 0", ["KillSignal=SIGINT", "TimeoutStopSec=1ms"]),
        ("exec a\nkill schedule QUIT/30/KILL/5", ["KillSignal=SIGQUIT", "TimeoutStopSec=30"]),
        ("exec a\nreload signal USR1", ['ExecReload=/bin/sh -c "kill -USR1 $MAINPID"']),
        ("exec a\nkeep leftovers", ["KillMode=process"]),
        ("exec a\nenv A=\"x %y $z\"\nenv B", ['Environment="A=x %%y $z"', "PassEnvironment=B"]),
        ("exec a\nenvironment file -/etc/a", ["EnvironmentFile=-/etc/a"]),
        ("exec a\nlimit nofile 1 unlimited\nlimit core 0 0", ["LimitNOFILE=1:infinity", "LimitCORE=0"]),
        ("exec a\numask 077\nnice -5\noom score never", ["UMask=0077", "Nice=-5", "OOMScoreAdjust=-1000"]),
        ("exec a\nchroot /srv\nchdir /x\nsetuid u\nsetgid g", [
            "RootDirectory=/srv", "WorkingDirectory=/x", "User=u", "Group=g"]),
        ("exec a\nconsole none", ["StandardOutput=null", "StandardError=null"]),
        ("exec a\ncgroup memory.max max\ncgroup cpu.max \"50000 100000\"", ["MemoryMax=infinity", "CPUQuota=50%"]),
        ("exec a\napparmor switch web", ["AppArmorProfile=web"]),
        ("instance $N\nexec a $N", ["Environment=N=%I", "Environment=UPSTART_JOB=web UPSTART_INSTANCE=%I"]),
        ("env N=a/b\ninstance $N\nstart on startup\nexec a", ["DefaultInstance=a-b", "WantedBy=multi-user.target"]),
        ("exec a\nstart on startup", ["WantedBy=multi-user.target"]),
        ("exec a\nstart on runlevel [2345]\nstop on runlevel [!2345]", ["WantedBy=multi-user.target"]),
        ("exec a\nstart on runlevel 5", ["WantedBy=graphical.target"]),
        ("exec a\nstop on runlevel [06]", ["IgnoreOnIsolate=yes"]),
        ("exec a\nstart on stopped rc RUNLEVEL=[2345]", ["WantedBy=multi-user.target"]),
        ("exec a\nstart on filesystem and net-device-up IFACE!=lo", [
            "WantedBy=multi-user.target", "Wants=network-online.target",
            "After=local-fs.target remote-fs.target network-online.target"]),
        ("exec a\nstart on started db\nstop on stopping db", [
            "WantedBy=db.service", "After=db.service", "BindsTo=db.service"]),
        ("exec a\nstart on started a and started b", [
            "WantedBy=a.service b.service", "Requisite=a.service b.service", "After=a.service b.service"]),
        ("exec a\nstart on started a or startup", ["WantedBy=a.service multi-user.target", "After=a.service"]),
        ("exec a\nstart on starting db\nstop on stopped db", [
            "WantedBy=db.service", "Before=db.service", "BindsTo=db.service"]),
        ("exec a\nstart on stopped setup", ["WantedBy=setup.service", "After=setup.service"]),
        ("exec a\nstart on started worker 1", ["WantedBy=worker@1.service"]),
    ],
)  # fmt: skip
def test_what_a_unit_says(text: str, lines: list[str]) -> None:
    written = unit(text)
    assert [line for line in lines if line not in written] == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("exec a\nexpect stop", "expect: systemd does not wait .*use: foster"),
        ("exec a\nexpect listen 80", "expect: "),
        ("exec a\nready on x", "ready on: "),
        ("exec a\nlog size 1M", "log size: "),
        ("exec a\ndebug", "debug: "),
        ("exec a\nimport A", "import: "),
        ("exec a\nrestart in place", "restart in place: "),
        ("exec a\ncgroup memory name", "cgroup CONTROLLER: "),
        ("exec a\ncgroup rdma.max 1", "cgroup: systemd has no directive for rdma.max"),
        ("exec a\ncgroup memory.max lots", "cgroup: "),
        ("exec a\ncgroup cpu.max \"12345 100000\"", "cgroup: systemd takes whole percents"),
        ("exec a\nkill schedule TERM/1/INT/1", "kill schedule: "),
        ("exec a\nrespawn\nrespawn delay 1 8", "respawn delay: a growing one needs systemd 254, not 247"),
        ("exec a\nnormal exit 300", "normal exit: 300 "),
        ("exec a\npermanent failure 0", "permanent failure: "),
        ("exec a\nchdir x", "chdir: x is not an absolute path"),
        ("exec a\nsetuid \"a b\"", "setuid: "),
        ("exec a\nlimit nofile unlimited 5", "limit: the soft limit"),
        ("task\nexec a\npost-start exec b", "post-start: "),
        ("task\nexec a\npre-stop exec b", "pre-stop: "),
        ("task\nexec a\nexpect fork", "expect: "),
        ("task\npre-start exec a", "task: "),
        ("exec a\nenv a-b=1", "env: a-b "),
        ("exec a\nenvironment file /etc/*", "environment file: "),
        ("exec a\nstart on custom", "start on: systemd has no event custom"),
        ("exec a\nstart on startup X=1", "start on: "),
        ("exec a\nstart on stopped db", "start on: .*db is none here"),
        ("exec a\nstart on started setup", "start on: setup is a task"),
        ("exec a\nstart on started worker", "start on: worker has instances"),
        ("exec a\nstart on started db RESULT=ok", "start on: "),
        ("exec a\nstart on started d*", "start on: "),
        ("exec a\nstart on runlevel 0", "start on: a unit cannot start in runlevel 0"),
        ("exec a\nstart on (started a and started b) or startup", "start on: "),
        ("exec a\nstop on starting db", "stop on: "),
        ("exec a\nstop on stopping a and stopping b", "stop on: "),
        ("exec a\nstop on runlevel 1", "stop on: "),
        ("exec a\nstart on starting db\nstop on stopping db", "stop on: a unit stops in the order opposite"),
        ("exec a\nstart on startup\ninstance $N", "instance: .*no env says N"),
    ],
)  # fmt: skip
def test_what_a_unit_cannot_say_is_named(text: str, sentence: str) -> None:
    with pytest.raises(CannotSay, match=sentence) as caught:
        unit(text)
    assert str(caught.value).endswith("with use: foster the supervisor runs this job")


def test_a_newer_systemd_lets_the_delay_grow() -> None:
    written = unit("exec a\nrespawn\nrespawn delay 1 8", version=254)
    assert {"RestartSec=1", "RestartSteps=3", "RestartMaxDelaySec=8"} <= set(written)


def test_a_users_manager_has_targets_of_its_own_and_one_user() -> None:
    assert "WantedBy=default.target" in unit("exec a\nstart on startup", user=True)
    with pytest.raises(CannotSay, match="setuid"):
        unit("exec a\nsetuid root", user=True)
    with pytest.raises(CannotSay, match="runlevel"):
        unit("exec a\nstart on runlevel 2", user=True)


def test_a_job_with_instances_is_a_template() -> None:
    assert unit_file_name(parse_job("instance $N\nexec a", "web", "")) == "web@.service"


def test_variables_keep_their_order() -> None:
    written = unit("exec a\nenv A=1\nenv A=2\nenv A=1")
    assert [line for line in written if "A=" in line] == ["Environment=A=1", "Environment=A=2", "Environment=A=1"]
