# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
from pathlib import Path
from typing import Any, Optional

import pytest
from ansible_collections.foster.init.plugins.module_utils.dbus.client import Signal
from ansible_collections.foster.init.plugins.module_utils.dbus.upstart import INSTANCE_INTERFACE, instance_path
from ansible_collections.foster.init.plugins.module_utils.inits.upstart import failure
from ansible_collections.foster.init.plugins.module_utils.job.parser import parse_job

PATH = instance_path("web", "")


def told(*states: str, failed: Optional[int] = None, path: str = PATH) -> list[Signal]:
    signals = [Signal(path, INSTANCE_INTERFACE, "StateChanged", (state,)) for state in states]
    return signals if failed is None else [*signals, Signal(path, INSTANCE_INTERFACE, "Failed", (failed,))]


@pytest.mark.parametrize(
    ("states", "status", "expected"),
    [
        (("starting", "pre-starting", "pre-start"), 3, {"process": "pre-start", "exit_status": 3}),
        (("pre-start", "spawning", "spawned"), 255, {"process": "main", "exit_status": 255}),
        (("spawned", "post-start", "running"), 9 << 8, {"process": "main", "signal": "KILL"}),
        (("spawned",), (11 << 8) | (0x80 << 8), {"process": "main", "signal": "SEGV"}),
        (("security-spawning",), -1, {"process": "security", "step": "spawn", "errno": None}),
        (("running",), 0, {"process": "main", "reason": "respawn limit"}),
        (("stopping", "post-stop"), 1, {"process": "post-stop", "exit_status": 1}),
    ],
)
def test_who_failed_and_how(states: tuple[str, ...], status: int, expected: dict[str, Any]) -> None:
    assert failure.failure(told(*states, failed=status), PATH) == expected


def test_the_failure_of_another_instance_is_not_ours() -> None:
    assert failure.failure(told("running", failed=1, path=instance_path("web", "2")), PATH) is None
    assert failure.failure(told("running"), PATH) is None


def test_the_log_is_where_upstart_writes_it() -> None:
    assert failure.log_path("/l", "web", "") == "/l/web.log"
    assert failure.log_path("/l", "net/web", "a/b") == failure.log_path("/l", "net_web", "a_b")
    assert failure.log_path("/l", "net/web", "a/b").startswith("/l/")


def test_only_what_this_start_wrote_is_shown(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    log.write_bytes(b"of yesterday\r\n")
    begin = failure.log_size(str(log))
    log.write_bytes(b"of yesterday\r\nof today\r\n\r\n")
    assert failure.log_tail(str(log), begin) == ["of today"]
    log.write_bytes(b"new\n")
    assert failure.log_tail(str(log), begin) == ["new"]
    assert failure.log_size(str(tmp_path / "none")) == 0


def test_a_log_that_is_a_link_or_no_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret\n")
    (tmp_path / "web.log").symlink_to(tmp_path / "secret")
    assert failure.log_tail(str(tmp_path / "web.log")) == []
    assert failure.log_tail(str(tmp_path)) == []
    assert failure.log_tail(str(tmp_path / "secret")) == ["secret"]


@pytest.mark.parametrize(
    ("text", "step", "number"),
    [
        ("setuid no-such-user\nexec /nonexistent\n", "setuid", errno.ENOENT),
        ("setgid no-such-group\nexec /bin/sh\n", "setgid", errno.ENOENT),
        ("chroot /nonexistent\nexec /bin/sh\n", "chroot", errno.ENOENT),
        ("chdir /nonexistent\nexec /bin/sh\n", "chdir", errno.ENOENT),
        ("exec /nonexistent/program x\n", "exec", errno.ENOENT),
        ("exec no-such-program\n", "exec", errno.ENOENT),
        ("exec /etc/passwd\n", "exec", errno.EACCES),
        ("exec /nonexistent $X\n", "spawn", None),  # a shell is started for it, and that there is
        ("exec sh -x\n", "spawn", None),
    ],
)
def test_why_a_process_could_not_be_started_is_looked_for(text: str, step: str, number: Optional[int]) -> None:
    found = {"process": "main", "step": "spawn", "errno": None}
    assert failure.with_step(found, parse_job(text, "web", "web.conf")) == {**found, "step": step, "errno": number}
    assert failure.with_step({"process": "main", "exit_status": 1}, None) == {"process": "main", "exit_status": 1}
