# SPDX-License-Identifier: GPL-3.0-or-later
"""Identity, ancestry and the proof of escape, on a /proc made of files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.foster.init.plugins.module_utils.processes.ancestry import (
    chain,
    children,
    command_line,
    parse_cgroup,
)
from ansible_collections.foster.init.plugins.module_utils.processes.escape import proof
from ansible_collections.foster.init.plugins.module_utils.processes.identity import (
    Identity,
    identify,
    is_alive,
    open_pidfd,
    parse_stat,
    read_stat,
)
from hypothesis import given
from hypothesis import strategies as st

TAIL = b"S 1 20 30 34816 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0"


class Proc:
    """A folder that looks like /proc."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(
        self,
        pid: int,
        ppid: int,
        name: str,
        *,
        session: int = 0,
        tty: int = 0,
        cgroup: str = "0::/foster/web",
        command: str = "",
    ) -> None:
        own = self.folder / str(pid)
        own.mkdir()
        fields = f"{pid} ({name}) S {ppid} {session} {session} {tty} " + " ".join(["0"] * 14) + f" {pid * 10} 0"
        (own / "stat").write_text(fields)
        (own / "cgroup").write_text(cgroup + "\n")
        (own / "cmdline").write_bytes((command or name).replace(" ", "\0").encode() + b"\0")


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    made = Proc(tmp_path)
    made.add(1, 0, "systemd", session=1, cgroup="0::/init.scope")
    made.add(
        10,
        1,
        "python3",
        session=10,
        cgroup="0::/system.slice/fosterd.service",
        command="python3 -IS /usr/local/bin/fosterd",
    )
    made.add(50, 1, "sshd", session=50, cgroup="0::/system.slice/ssh.service")
    made.add(60, 50, "bash", session=60, tty=34816, cgroup="0::/user.slice/user-0.slice/session-3.scope")
    return made


@given(st.binary(min_size=1, max_size=15).filter(lambda name: b"\0" not in name))
def test_a_name_may_hold_anything(name: bytes) -> None:
    """Regression of many a tool: `a) S 1 (b` and newlines are names that prctl(PR_SET_NAME) accepts."""
    stat = parse_stat(b"7 (" + name + b") " + TAIL)
    assert (stat.pid, stat.ppid, stat.group, stat.session, stat.tty, stat.start_time) == (7, 1, 20, 30, 34816, 4711)
    assert stat.name.encode("utf-8", "surrogateescape") == name


def test_this_process_is_alive_and_has_a_pidfd() -> None:
    own = identify(os.getpid())
    assert own is not None
    assert is_alive(own)
    descriptor = open_pidfd(own)
    assert descriptor is not None
    os.close(descriptor)


def test_a_reused_pid_is_another_process() -> None:
    own = identify(os.getpid())
    assert own is not None
    earlier = Identity(own.pid, own.start_time - 1, own.boot_id)
    assert not is_alive(earlier)
    assert open_pidfd(earlier) is None
    assert not is_alive(Identity(own.pid, own.start_time, "another boot"))


def test_a_zombie_has_ended() -> None:
    child = subprocess.Popen([sys.executable, "-IS", "-c", "pass"])
    identity = identify(child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has taken its status
    assert identity is not None
    assert not is_alive(identity)
    child.wait()
    assert identify(child.pid) is None


def test_the_chain_of_parents_ends_at_pid_1(proc: Proc) -> None:
    assert [stat.pid for stat in chain(60, str(proc.folder))] == [60, 50, 1]


def test_a_process_that_is_not_there_has_no_chain(proc: Proc) -> None:
    assert chain(999, str(proc.folder)) == []
    assert read_stat(999, str(proc.folder)) is None


def test_children_are_sorted(proc: Proc) -> None:
    assert children(str(proc.folder))[1] == [10, 50]


def test_a_command_line_is_one_line(proc: Proc) -> None:
    proc.add(70, 1, "x", command="sh -c a\nb")
    assert command_line(70, str(proc.folder)) == "sh -c a b"
    assert command_line(999, str(proc.folder)) == "(gone)"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("0::/a/b\n", "/a/b"),
        ("12:pids:/p\n1:name=systemd:/s:x\n0::/u\n", "/s:x"),
        ("3:cpu,cpuacct:/c\n", "/c"),
        ("", ""),
    ],
)
def test_the_cgroup_is_that_of_the_hierarchy_with_the_sessions(text: str, path: str) -> None:
    assert parse_cgroup(text).path == path


def test_a_job_under_the_supervisor_has_escaped(proc: Proc) -> None:
    proc.add(100, 10, "nginx", session=100)
    found = proof(100, supervisor=10, caller=60, proc=str(proc.folder))
    assert found.escaped
    assert (found.ppid, found.parent, found.session, found.cgroup) == (10, "python3", 100, "/foster/web")


@pytest.mark.parametrize(
    ("given_", "word"),
    [
        ({"cgroup": "0::/user.slice/user-0.slice/session-3.scope"}, "session-3.scope"),
        ({"cgroup": "1:name=systemd:/user.slice/user-0.slice/session-3.scope\n0::/"}, "session-3.scope"),
        ({"cgroup": "0::/user.slice/user-0.slice/user@0.service/app.slice"}, "belongs to a user"),
        ({"session": 60}, "the very session"),
        ({"tty": 34816}, "terminal"),
    ],
)
def test_what_still_hangs_on_the_login_has_not_escaped(proc: Proc, given_: dict[str, object], word: str) -> None:
    proc.add(100, 10, "nginx", **{"session": 100, **given_})  # type: ignore[arg-type]
    found = proof(100, supervisor=10, caller=60, proc=str(proc.folder))
    assert not found.escaped
    assert word in found.reason


def test_a_child_of_somebody_else_has_not_escaped(proc: Proc) -> None:
    proc.add(80, 1, "containerd-shim", session=80)
    proc.add(100, 80, "nginx", session=100)
    assert "containerd-shim (pid 80), not the supervisor" in proof(100, 10, 60, proc=str(proc.folder)).reason
    assert "neither PID 1 nor the supervisor" in proof(100, None, 60, proc=str(proc.folder)).reason


def test_a_supervisor_that_runs_under_a_login_takes_its_jobs_along(proc: Proc) -> None:
    proc.add(90, 60, "python3", session=90, command="python3 fosterd")
    proc.add(100, 90, "nginx", session=100)
    found = proof(100, supervisor=90, caller=1, proc=str(proc.folder))
    assert not found.escaped
    assert "sshd (pid 50)" in found.reason


def test_a_users_manager_is_fine_only_in_user_mode(proc: Proc) -> None:
    cgroup = "0::/user.slice/user-9.slice/user@9.service/fosterd.service/web"
    proc.add(90, 1, "systemd", session=90, cgroup=cgroup, command="/lib/systemd/systemd --user")
    proc.add(95, 90, "python3", session=95, cgroup=cgroup, command="python3 fosterd --user")
    proc.add(100, 95, "nginx", session=100, cgroup=cgroup)
    assert proof(100, 95, 60, user=True, proc=str(proc.folder)).escaped
    assert not proof(100, 95, 60, proc=str(proc.folder)).escaped


def test_a_process_that_has_ended_has_not_escaped(proc: Proc) -> None:
    assert proof(999, 10, 60, proc=str(proc.folder)).reason == "there is no process 999: it has ended"
