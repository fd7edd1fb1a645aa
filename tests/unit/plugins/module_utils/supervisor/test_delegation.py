# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether systemd has delegated a cgroup, and the reason that is told where it has not."""

from __future__ import annotations

from typing import Any, Optional

import pytest
from ansible_collections.foster.init.plugins.module_utils.dbus import client
from ansible_collections.foster.init.plugins.module_utils.dbus.errors import BusError, BusUnreachable
from ansible_collections.foster.init.plugins.module_utils.supervisor.tracking import delegation

FOLDER = "/sys/fs/cgroup/system.slice/fosterd.service"


class Systemd:
    """What systemd answers: whether the unit is delegated, or an error."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def __enter__(self) -> Systemd:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def call(self, _path: str, _interface: str, member: str, *_values: Any, **_more: Any) -> tuple[Any, ...]:
        self.asked.append(member)
        if isinstance(self.answer, Exception):
            raise self.answer
        return ("/unit",) if member == "GetUnitByPID" else (("b", self.answer),)


def told(monkeypatch: pytest.MonkeyPatch, answer: Any, mark: Optional[bytes] = None, uid: int = 0) -> tuple[str, list]:
    systemd = Systemd(answer)

    def attribute(_folder: str, name: str) -> bytes:
        if mark is None or name != "user.delegate":
            raise OSError
        return mark

    def connect(_address: str, _timeout: float) -> Systemd:
        if isinstance(answer, BusUnreachable):
            raise answer
        return systemd

    monkeypatch.setattr(delegation.os.path, "isdir", lambda path: path == "/run/systemd/system")
    monkeypatch.setattr(delegation.os, "getxattr", attribute)
    monkeypatch.setattr(delegation.os, "geteuid", lambda: uid)
    monkeypatch.setattr(client.Connection, "open", connect)
    return delegation.problem(FOLDER), systemd.asked


def test_a_mark_is_believed_without_a_question(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(monkeypatch, False, mark=b"1") == ("", [])


def test_without_a_mark_systemd_says_that_the_unit_is_delegated(monkeypatch: pytest.MonkeyPatch) -> None:
    """A systemd before 251 without CAP_SYS_ADMIN, as in a container, can set no mark."""
    assert told(monkeypatch, True) == ("", ["GetUnitByPID", "Get"])


def test_a_unit_without_delegation_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(monkeypatch, False)[0] == f"systemd has not delegated {FOLDER}: its unit needs Delegate=yes"


def test_a_process_of_no_service_has_nothing_delegated(monkeypatch: pytest.MonkeyPatch) -> None:
    error = BusError("org.freedesktop.systemd1.NoUnitForPID", "PID 7 does not belong to any loaded unit.")
    assert told(monkeypatch, error)[0].endswith(
        "this process is of no service (PID 7 does not belong to any loaded unit)"
    )


def test_a_systemd_that_does_not_answer_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    error = BusUnreachable("Cannot talk to the init at unix:path=/x: nobody listens there")
    reason = told(monkeypatch, error)[0]
    assert reason.startswith(f"whether systemd has delegated {FOLDER} cannot be seen: it has no mark")
    assert reason.endswith("systemd does not answer (nobody listens there)")


def test_what_a_plain_user_can_write_was_delegated(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(monkeypatch, False, uid=1000) == ("", [])
