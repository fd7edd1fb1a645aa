# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real Upstart does only now and then; the rest is tried with a real one, tests/integration/upstart."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.foster.init.plugins.module_utils.dbus import upstart
from ansible_collections.foster.init.plugins.module_utils.dbus.client import Signal
from ansible_collections.foster.init.plugins.module_utils.dbus.errors import ERROR_TIMEOUT, BusError
from ansible_collections.foster.init.plugins.module_utils.inits.errors import InitError
from ansible_collections.foster.init.plugins.module_utils.inits.interface import Call
from ansible_collections.foster.init.plugins.module_utils.inits.upstart import init
from ansible_collections.foster.init.plugins.module_utils.inits.upstart.init import Upstart


class FakeConnection:
    """Knows the jobs in ``known``; ``answers`` are what other methods return, or raise."""

    address = "unix:abstract=/fake"

    def __init__(self, folder: Path) -> None:
        self.state: dict[str, Any] = {"conf_sources": [{"type": "CONF_JOB_DIR", "path": str(folder)}]}
        self.known: set[str] = set()
        self.comes: list[str] = []  # jobs that become known one by one, each with a signal
        self.answers: dict[str, Any] = {"GetAllInstances": ([],), "ReloadConfiguration": ()}
        self.called: list[str] = []
        self.sent: list[tuple[Any, ...]] = []

    def call(self, _path: str, _interface: str, member: str, _signature: str = "", *values: Any, **_: Any) -> Any:
        self.called.append(member)
        if member == "GetState":
            return (json.dumps(self.state),)
        if member == "GetJobByName":
            if values[0] not in self.known:
                raise BusError(f"{upstart.ERROR_PREFIX}UnknownJob", f"Unknown job: {values[0]}")
            return (upstart.job_path(values[0]),)
        found = self.answers[member]
        if isinstance(found, BusError):
            raise found
        return found

    def send(self, *call: Any) -> int:
        self.sent.append(call)
        return len(self.sent) - 1

    def wait(self, serial: int, _timeout: float) -> Any:
        return self.call(*self.sent[serial])

    def signals(self, _timeout: float = 0, member: str = "") -> Iterator[Signal]:
        if self.comes:
            name = self.comes.pop(0)
            self.known.add(name)
            yield Signal(upstart.MANAGER_PATH, upstart.MANAGER_INTERFACE, "JobAdded", (upstart.job_path(name),))


@pytest.fixture
def connection(tmp_path: Path) -> FakeConnection:
    (tmp_path / "jobs").mkdir()
    return FakeConnection(tmp_path / "jobs")


@pytest.fixture
def session(connection: FakeConnection, tmp_path: Path) -> Upstart:
    return Upstart(connection, os.getpid(), {}, str(tmp_path / "notes"), user=True)  # type: ignore[arg-type]


def test_a_file_that_upstart_does_not_take_fails_the_task(
    session: Upstart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(init, "_KNOWN", 0.0)
    path = str(tmp_path / "jobs" / "web.conf")
    session.write("web", path, "exec true\n")
    with pytest.raises(InitError, match=f"{path}: Upstart does not take this job; `init-checkconf {path}`"):
        session.load()


def test_a_job_that_becomes_known_a_little_later_is_waited_for(
    session: Upstart, connection: FakeConnection, tmp_path: Path
) -> None:
    session.write("web", str(tmp_path / "jobs" / "web.conf"), "exec true\n")
    connection.comes = ["other", "web"]
    session.load()
    assert connection.known == {"other", "web"}
    assert connection.called.count("ReloadConfiguration") == 1


def test_a_start_of_a_job_that_vanished_says_that_its_file_is_not_taken(
    session: Upstart, connection: FakeConnection
) -> None:
    """Upstart forgets a job with a broken file as soon as its last instance has ended."""
    connection.answers["Start"] = BusError("org.freedesktop.DBus.Error.UnknownMethod", "no such object")
    with pytest.raises(InitError, match="Upstart does not take this job"):
        session.start("web", "", {}, 1.0)


def test_a_stop_that_waits_for_a_fork_says_which_process_to_end(session: Upstart, connection: FakeConnection) -> None:
    connection.known = {"web"}
    path = upstart.instance_path("web", "")
    properties = {"name": "", "goal": "stop", "state": "spawned", "processes": [("main", os.getpid())]}
    connection.answers.update(
        Stop=BusError(ERROR_TIMEOUT, "No answer within 1 s"),
        GetAllInstances=([path],),
        GetAll=({name: ("v", value) for name, value in properties.items()},),
    )
    with pytest.raises(InitError, match=rf"waits for a fork .* end its process {os.getpid()} and correct expect"):
        session.stop_instance("web", "", 1.0)


def test_what_is_asked_together_is_sent_before_any_answer_is_waited_for(
    session: Upstart, connection: FakeConnection, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / "jobs" / f"{name}.conf").write_text("exec true\n")
    connection.known = {"a", "b"}
    connection.answers.update(Start=BusError(f"{upstart.ERROR_PREFIX}JobFailed", "Job failed to start"), Stop=())
    calls = [Call("start", "a", "", {}), Call("start", "b", "", {"N": "1"}), Call("stop", "c", "", {})]
    answers = session.at_once(calls, 1.0)
    assert [type(answer) for answer in answers] == [BusError, BusError, type(None)]
    assert [call[2] for call in connection.sent] == ["Start", "Start", "Stop"]
    assert connection.sent[1][4:] == (["N=1"], True)
    assert connection.called.count("GetState") == 2  # at the connection, and once for both starts


def test_an_upstart_that_lists_no_variables_gives_none(session: Upstart, connection: FakeConnection) -> None:
    connection.answers["ListEnv"] = BusError("org.freedesktop.DBus.Error.UnknownMethod", "no such method")
    assert session.environment("web", "") == {}


def test_what_the_init_and_the_definition_give_is_not_what_the_start_gave(
    session: Upstart, connection: FakeConnection, tmp_path: Path
) -> None:
    (tmp_path / "jobs" / "web.conf").write_text("env KIND=old\nexec true\n")
    asked = iter([["PATH=/bin", "KIND=old", "N=1", "UPSTART_JOB=web", "X=a=b"], ["PATH=/bin"]])

    def call(*_arguments: Any, **_options: Any) -> Any:
        return (next(asked),)

    connection.call = call  # type: ignore[method-assign]
    assert session.environment("web", "1") == {"N": "1", "X": "a=b"}
