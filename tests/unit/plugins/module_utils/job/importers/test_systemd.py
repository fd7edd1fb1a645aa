# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of systemd as jobs. The scripts that come out are run by a real shell where that is what counts."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from ansible_collections.foster.init.plugins.module_utils.job.errors import JobError
from ansible_collections.foster.init.plugins.module_utils.job.importers import unlike
from ansible_collections.foster.init.plugins.module_utils.job.importers.imported import (
    BEHAVIOUR,
    PROTECTION,
    Around,
    Imported,
)
from ansible_collections.foster.init.plugins.module_utils.job.importers.scripts import NO_START
from ansible_collections.foster.init.plugins.module_utils.job.importers.systemd import CARRIED, import_unit
from ansible_collections.foster.init.plugins.module_utils.job.importers.unitfile import LISTS
from ansible_collections.foster.init.plugins.module_utils.job.model import (
    Expect,
    Limit,
    Match,
    Or,
    RespawnDelay,
    RespawnLimit,
)
from ansible_collections.foster.init.plugins.module_utils.job.parser import parse_job
from ansible_collections.foster.init.plugins.module_utils.job.writer import write_job
from hypothesis import given
from hypothesis import strategies as st

HOST = Around(hostname="box.example", home={"redis": "/var/lib/redis", "web": "/srv/web"}.get)


def service(*lines: str, name: str = "web", around: Around = HOST, unit: str = "", install: str = "") -> Imported:
    text = f"[Unit]\n{unit}\n[Service]\n" + "\n".join(lines) + f"\n[Install]\n{install}\n"
    found = import_unit(name, [(f"/lib/systemd/system/{name}.service", text)], around)
    for job in (found.job, found.reload):
        if job is not None:
            assert parse_job(write_job(job), job.name, "written") == job
    return found


def main(*lines: str, **more: Any) -> str:
    process = service(*lines, **more).job.exec_main
    assert process is not None
    return process.command


def lost(found: Imported) -> dict[str, tuple[str, bool]]:
    return {each.directive: (each.kind, each.matters) for each in found.lost}


def arguments(command: str, env: dict[str, str]) -> list[str]:
    """Return what the program of an imported command is given, by the shell that runs it."""
    done = subprocess.run(["/bin/sh", "-e", "-c", command], env=env, stdout=subprocess.PIPE, check=True)
    return done.stdout.decode().split("\0")[:-1]


# ---- command lines ----


@pytest.mark.parametrize(
    ("line", "env", "given_to_it"),
    [
        ("a b", {}, ["a", "b"]),
        ("'a b' \"c d\" e\\x20f \\;", {}, ["a b", "c d", "e f", ";"]),
        ("$OPTIONS", {"OPTIONS": "-x * -y"}, ["-x", "*", "-y"]),
        ("${OPTIONS}", {"OPTIONS": "-x * -y"}, ["-x * -y"]),
        ("pre${A}post $NONE ${NONE}", {"A": "1 2"}, ["pre1 2post", ""]),
        ("$$HOME a$HOME '$(id)' `id` %%", {"HOME": "/h"}, ["$HOME", "a$HOME", "$(id)", "`id`", "%"]),
        ("-g 'daemon on; master_process on;'", {}, ["-g", "daemon on; master_process on;"]),
        ("a#b 'c # d' ~ !x {1,2} <y >z &", {}, ["a#b", "c # d", "~", "!x", "{1,2}", "<y", ">z", "&"]),
        ("it''s \"it's\"", {}, ["its", "it's"]),
    ],
)
def test_the_program_gets_the_words_that_systemd_gives_it(
    line: str, env: dict[str, str], given_to_it: list[str]
) -> None:
    assert arguments(main(f"ExecStart=/usr/bin/printf %%s\\\\0 {line}"), env) == given_to_it


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0\n\r"), max_size=12), min_size=1, max_size=4)
)
def test_words_that_are_quoted_for_systemd_come_through_whole(words: list[str]) -> None:
    escape = {"\\": "\\\\", '"': '\\"', "$": "$$", "%": "%%"}
    line = " ".join('"' + "".join(escape.get(c, c) for c in word) + '"' for word in words)
    assert arguments(main(f"ExecStart=/usr/bin/printf %%s\\\\0 {line}"), {}) == words


@pytest.mark.parametrize("line", ["", "'open", "-", "@", "'", ";"])
def test_a_command_that_is_none_is_an_error_with_its_line(line: str) -> None:
    with pytest.raises(JobError) as caught:
        service("ExecStart=/bin/true", f"ExecStartPre={line or '-@'}")
    assert str(caught.value).startswith("/lib/systemd/system/web.service:5: ExecStartPre: ")


def test_commands_in_one_line_run_in_order_and_a_dash_lets_one_fail() -> None:
    found = service("ExecStartPre=/bin/a ; -/bin/b", "ExecStartPre=-/bin/c x", "ExecStart=/bin/d")
    assert found.job.pre_start is not None
    assert found.job.pre_start.command == "/bin/a\n/bin/b || :\n/bin/c x || :\n"


def test_specifiers_of_an_instance() -> None:
    found = service("ExecStart=/bin/x %i %I %p %n %N %H %%", name=r"pg@15-main\x2da")
    assert found.job.exec_main is not None
    assert found.job.exec_main.command == (
        "/bin/x '15-main\\x2da' 15/main-a pg 'pg@15-main\\x2da.service' 'pg@15-main\\x2da' box.example %"
    )


# ---- what is carried over ----


@pytest.mark.parametrize(
    ("lines", "expect", "timeout"),
    [
        ([], Expect(), None),
        (["Type=exec"], Expect(), None),
        (["Type=notify"], Expect("notify"), 90.0),
        (["Type=forking", "PIDFile=/run/x.pid"], Expect("pidfile", "/run/x.pid"), 90.0),
        (["Type=forking", "PIDFile=x.pid", "TimeoutStartSec=2min 5s"], Expect("pidfile", "/run/x.pid"), 125.0),
        (["Type=forking", "TimeoutSec=infinity"], Expect("exit"), None),
        (["BusName=org.example.X"], Expect("dbus", "org.example.X"), 90.0),
        (["Type=oneshot"], Expect(), None),
    ],
)
def test_when_it_is_ready(lines: list[str], expect: Expect, timeout: float | None) -> None:
    job = service("ExecStart=/bin/x", *lines).job
    assert (job.expect, job.start_timeout, job.task) == (expect, timeout, "Type=oneshot" in lines)


def test_the_watchdog_of_a_service_that_notifies() -> None:
    assert service("ExecStart=/bin/x", "Type=notify", "WatchdogSec=3min").job.watchdog == 180
    assert service("ExecStart=/bin/x", "Type=notify", "WatchdogSec=0").job.watchdog is None


def test_a_oneshot_that_remains_runs_without_a_process() -> None:
    job = service("Type=oneshot", "RemainAfterExit=yes", "ExecStart=/bin/a", "ExecStart=/bin/b", "ExecStop=/bin/c").job
    assert (job.exec_main, job.task) == (None, False)
    assert job.pre_start is not None
    assert job.pre_start.command == "/bin/a\n/bin/b\n"
    assert job.pre_stop is None  # which does not run where there is no main process
    assert job.post_stop is not None
    assert job.post_stop.command == "/bin/c\n"


@pytest.mark.parametrize(
    ("restart", "respawned", "not_respawned"),
    [
        ("always", [0, 1, "TERM", "SEGV"], []),
        ("on-failure", [1, 7, "SEGV", "KILL"], [0, "TERM", "HUP"]),
        ("on-abnormal", ["SEGV", "KILL"], [0, 1, 255, "TERM"]),
        ("on-abort", ["SEGV"], [0, 1]),
        ("no", [], [0, 1, "SEGV"]),
    ],
)
def test_what_starts_it_again(restart: str, respawned: list[Any], not_respawned: list[Any]) -> None:
    job = service("ExecStart=/bin/x", f"Restart={restart}").job
    held = {*job.normal_exit, *job.permanent_failure}
    assert job.respawn == bool(respawned)
    assert not held & set(respawned)
    assert not job.respawn or held >= set(not_respawned)


def test_limits_of_starting_again() -> None:
    job = service(
        "ExecStart=/bin/x",
        "Restart=on-failure",
        "RestartSec=500ms",
        "RestartPreventExitStatus=255 SIGSEGV CONFIG",
        "SuccessExitStatus=143",
        unit="StartLimitBurst=3\nStartLimitIntervalSec=1min",
    ).job
    assert (job.respawn_limit, job.respawn_delay) == (RespawnLimit(3, 60), RespawnDelay(0.5, 0.5))
    assert job.permanent_failure == (255, "SEGV", 78)
    assert 143 in job.normal_exit


@pytest.mark.parametrize(
    ("lines", "signal", "timeout", "kept"),
    [
        ([], "TERM", 90, False),
        (["KillSignal=SIGINT", "TimeoutStopSec=5", "KillMode=process"], "INT", 5, True),
        (["ExecStop=/bin/kill -WINCH ${MAINPID}"], "WINCH", 90, False),
        (["ExecStop=/bin/kill -s QUIT $MAINPID"], "QUIT", 90, False),
        (["SendSIGKILL=no"], "TERM", 2**31 - 1, False),
    ],
)
def test_how_it_is_ended(lines: list[str], signal: str, timeout: int, kept: bool) -> None:
    job = service("ExecStart=/bin/x", *lines).job
    assert (job.kill_signal, job.kill_timeout, job.keep_leftovers, job.pre_stop) == (signal, timeout, kept, None)


def test_reload_is_a_signal_where_that_is_all_and_else_a_task() -> None:
    found = service("ExecStart=/bin/x", "ExecReload=/bin/kill -USR1 $MAINPID")
    assert (found.job.reload_signal, found.reload, found.reloads) == ("USR1", None, True)
    found = service("ExecStart=/bin/x", "PIDFile=/run/x.pid", "ExecReload=/bin/x -t", "ExecReload=kill -HUP $MAINPID")
    assert found.reload is not None
    assert found.reload.name == "web/reload"
    assert found.reload.task
    assert found.reload.exec_main is not None
    assert "/run/x.pid" in found.reload.exec_main.command
    assert not service("ExecStart=/bin/x").reloads


def test_a_plain_user_is_a_stanza_and_rights_need_setpriv() -> None:
    job = service("ExecStart=/bin/x", "User=redis", "Group=adm").job
    assert (job.setuid, job.setgid) == ("redis", "adm")
    assert {"USER=redis", "HOME=/var/lib/redis"} <= set(job.env)
    command = main("ExecStart=/bin/x", "User=redis", "RuntimeDirectory=redis", "NoNewPrivileges=yes")
    assert command == "setpriv --reuid redis --regid $(id -g redis) --init-groups --no-new-privs -- /bin/x"


def test_folders_are_made_as_root_before_and_removed_after() -> None:
    job = service("ExecStart=/bin/x", "User=redis", "RuntimeDirectory=a a/b", "RuntimeDirectoryMode=2750").job
    assert job.pre_start is not None
    assert "chown redis /run/a/b && chmod 2750 /run/a/b" in job.pre_start.command
    assert job.setuid is None
    assert job.post_stop is not None
    assert job.post_stop.command == "rm -rf /run/a\nrm -rf /run/a/b\n"
    assert "RUNTIME_DIRECTORY=/run/a:/run/a/b" in job.env
    assert service("ExecStart=/bin/x", "StateDirectory=../etc /etc").job.pre_start is None


def test_a_command_with_a_plus_stays_root() -> None:
    job = service("ExecStart=/bin/x", "User=redis", "ExecStartPre=+/bin/a", "ExecStartPre=/bin/b").job
    assert job.pre_start is not None
    first, second = job.pre_start.command.splitlines()
    assert first == "/bin/a"
    assert second.startswith("setpriv --reuid redis ")


def test_environment() -> None:
    job = service(
        "ExecStart=/bin/x", "Environment=A=1 'B=two words'", "Environment=C=$A", "EnvironmentFile=-/etc/default/web"
    ).job
    assert job.env == ("A=1", "B=two words", "C=$A")
    assert job.env_files == ("-/etc/default/web",)


def test_resources() -> None:
    job = service(
        "ExecStart=/bin/x", "LimitNOFILE=1024:infinity", "LimitCORE=0", "Nice=5", "UMask=0027", "MemoryMax=1G",
        "TasksMax=infinity", "CPUQuota=150%", "OOMScoreAdjust=-500",
    ).job  # fmt: skip
    assert dict(job.limits) == {"nofile": Limit(1024, None), "core": Limit(0, 0)}
    assert (job.nice, job.umask, job.oom_score) == (5, 0o27, -500)
    assert dict(job.cgroup) == {"memory.max": str(1 << 30), "cpu.max": "150000 100000"}


def test_what_the_host_does_not_allow_is_left_out_and_said() -> None:
    narrow = Around(ceilings={"nofile": 20000}, capabilities=0)
    found = service("ExecStart=/bin/x", "LimitNOFILE=65535", "Nice=-5", "OOMScoreAdjust=-900", around=narrow)
    assert dict(found.job.limits) == {"nofile": Limit(20000, 20000)}
    assert (found.job.nice, found.job.oom_score) == (None, None)
    assert set(lost(found)) == {"LimitNOFILE", "Nice", "OOMScoreAdjust"}


def test_when_it_starts_and_stops() -> None:
    job = service("ExecStart=/bin/x", unit="PartOf=a.service\nConflicts=b.service shutdown.target").job
    assert (job.start_on, job.stop_on) == (None, Or(Match("stopping", ("a",)), Match("starting", ("b",))))
    found = service("ExecStart=/bin/x", install="WantedBy=multi-user.target\nAlias=www.service")
    assert (found.job.start_on, found.wanted, found.aliases) == (Match("startup"), True, ("www",))


def test_a_condition_that_does_not_hold_keeps_it_from_starting_and_says_which() -> None:
    found = service("ExecStart=/bin/x", unit="ConditionPathExists=!/nowhere\nConditionPathExists=/not/there")
    assert found.job.pre_start is not None
    done = subprocess.run(["/bin/sh", "-e", "-c", found.job.pre_start.command], stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert done.stderr.decode() == f"{NO_START} ConditionPathExists=/not/there does not hold.\n"


@pytest.mark.parametrize(
    ("conditions", "holds"),
    [
        ("ConditionPathExists=/bin/sh", True),
        ("ConditionPathExists=|/nowhere\nConditionPathExists=|/bin/sh", True),
        ("ConditionPathExists=|/nowhere\nConditionPathExists=|!/bin/sh", False),
        ("ConditionPathExists=/nowhere\nConditionPathExists=", True),
        ("ConditionPathExistsGlob=/bin/s[h]", True),
        ("ConditionPathExistsGlob=/bin/*.nothing", False),
        ("ConditionDirectoryNotEmpty=/bin", True),
        ("ConditionFileIsExecutable=/etc/passwd", False),
        ("ConditionPathIsDirectory=!/bin", False),
        ("ConditionCapability=CAP_NO_SUCH", True),
        ("ConditionACPower=true", True),
    ],
)
def test_conditions(conditions: str, holds: bool) -> None:
    checks = service("ExecStart=/bin/x", unit=conditions).checks
    results = [subprocess.run(["/bin/sh", "-c", check.test], check=False).returncode == 0 for check in checks]
    assert all(results) is holds


def test_drop_ins_add_to_lists_and_empty_ones_clear_them() -> None:
    texts = [
        ("a.service", "[Service]\nExecStart=/bin/a\nEnvironment=A=1\nRestart=no\n"),
        ("b.conf", "[Service]\nExecStart=\nExecStart=/bin/b\nEnvironment=B=2\nRestart=always\n"),
    ]
    job = import_unit("a", texts, HOST).job
    assert job.exec_main is not None
    assert (job.exec_main.command, job.env, job.respawn) == ("/bin/b", ("A=1", "B=2"), True)


def test_lines_go_on_and_comments_in_between_do_not_count() -> None:
    assert main("ExecStart=/bin/x one \\", "# a comment", "; another", "  two") == "/bin/x one two"


# ---- what is not ----


def test_every_loss_has_a_sentence_a_place_and_a_weight() -> None:
    found = service("ExecStart=/bin/x", "PrivateTmp=yes", "ProtectSystem=no", "RuntimeMaxSec=5", "Frobnicate=1")
    assert lost(found) == {
        "PrivateTmp": (PROTECTION, True),
        "RuntimeMaxSec": (BEHAVIOUR, True),
        "Frobnicate": (BEHAVIOUR, True),
    }
    assert {each.where for each in found.lost} == {f"/lib/systemd/system/web.service:{n}" for n in (5, 7, 8)}
    assert all(each.sentence.endswith(".") for each in found.lost)


def test_tmpfiles_are_applied_before_the_start() -> None:
    files = [
        ("/usr/lib/tmpfiles.d/web.conf", "# c\nd /run/web 2775 redis web -\nL /run/l - - - - /x\nC /a - - - - /b\n")
    ]
    found = import_unit("web", [("w", "[Service]\nExecStart=/bin/x\n")], HOST, files)
    assert found.job.pre_start is not None
    assert "chown redis:web /run/web && chmod 2775 /run/web" in found.job.pre_start.command
    assert [each.where for each in found.lost] == ["/usr/lib/tmpfiles.d/web.conf:4"]


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["ExecStart=/bin/x", "StandardInput=socket"], "started by a socket"),
        (["ExecStart=/bin/x", "ExecStart=/bin/y"], "only Type=oneshot"),
        (["Type=odd", "ExecStart=/bin/x"], "odd is no type"),
        (["Type=simple"], "no ExecStart"),
        (["ExecStart=/bin/x", "Restart=sometimes"], "sometimes is not one of"),
        (["ExecStart=/bin/x", "TimeoutStopSec=soon"], "soon is not a time"),
        (["ExecStart=/bin/x", "UMask=rw"], "rw is not octal"),
        (["ExecStart=/bin/x", "LimitNOFILE=many"], "many is not a number"),
        (["nonsense"], "neither a section nor"),
    ],
)
def test_what_cannot_be_a_job_is_one_sentence(lines: list[str], sentence: str) -> None:
    with pytest.raises(JobError, match=sentence):
        service(*lines)


def test_a_template_without_an_instance_is_refused() -> None:
    with pytest.raises(JobError, match="is a template"):
        service("ExecStart=/bin/x", name="pg@")


def test_no_directive_is_both_carried_and_called_lost() -> None:
    carried = {each.partition(".")[2] for each in CARRIED} - {"BindsTo"}
    assert not carried & (set(unlike._PROTECTION) | set(unlike._BEHAVIOUR) | set(unlike._ORDER) | unlike.NEEDLESS)


directives = sorted(
    {each.partition(".")[2] for each in CARRIED}
    | set(unlike._PROTECTION)
    | set(unlike._BEHAVIOUR)
    | LISTS
    | unlike.NEEDLESS
)
values = st.sampled_from(
    ["", "yes", "no", "5", "1min", "infinity", "SIGTERM", "/run/x", "-/x", "~", "a b", "'", "\\", "%i", "A=1", "socket",
     "on-failure", "notify", "0755", "null", "x.service", "$A ${B}", "!|/x", "; ;"]
) | st.text(max_size=8)  # fmt: skip


@given(
    st.lists(
        st.tuples(st.sampled_from(["Unit", "Service", "Install"]), st.sampled_from(directives), values), max_size=8
    )
)
def test_any_unit_is_a_job_that_can_be_written_or_one_sentence(lines: list[tuple[str, str, str]]) -> None:
    text = "[Service]\nExecStart=/bin/x\n" + "".join(f"[{s}]\n{d}={v}\n" for s, d, v in lines)
    try:
        found = import_unit("a@b", [("/x", text)], HOST)
        for job in (found.job, found.reload):
            if job is not None:
                assert parse_job(write_job(job), job.name, "written") == job
    except JobError as error:
        assert str(error)
        assert "\n" not in str(error)
