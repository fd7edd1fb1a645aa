# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor as a job of Upstart: the job file is one that Upstart's language knows, the requests are in order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.foster.init.plugins.module_utils.dbus.client import Connection
from ansible_collections.foster.init.plugins.module_utils.dbus.errors import BusError
from ansible_collections.foster.init.plugins.module_utils.inits.errors import InitError
from ansible_collections.foster.init.plugins.module_utils.inits.hosting import running
from ansible_collections.foster.init.plugins.module_utils.inits.hosting.layout import SYSTEM, Layout
from ansible_collections.foster.init.plugins.module_utils.inits.hosting.upstart import Upstart
from ansible_collections.foster.init.plugins.module_utils.job.parser import parse_job
from ansible_collections.foster.init.plugins.module_utils.processes.identity import Identity

PREFIX = "com.ubuntu.Upstart0_6.Error."


class Fake:
    """An Upstart that notes what it is asked, and refuses ``refused`` with an error."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.refused: dict[str, str] = {}

    def call(self, path: str, _interface: str, member: str, _signature: str = "", *values: Any, **_more: Any) -> Any:
        self.calls.append(member)
        if member in self.refused:
            raise BusError(PREFIX + self.refused[member], "no")
        return (f"{path}/jobs/{values[0]}",) if member == "GetJobByName" else ()

    def __enter__(self) -> Fake:
        return self

    def __exit__(self, *_error: object) -> None:
        pass


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    one = Fake()
    monkeypatch.setattr(Connection, "open", lambda *_: one)
    monkeypatch.setattr(running, "wait_until_up", lambda *_: 1)
    monkeypatch.setattr(running, "terminate", lambda _identity: None)
    monkeypatch.setattr(running, "end", lambda _layout, _keep, tell: tell(Identity(1, 1, "")))
    return one


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return SYSTEM._replace(log=str(tmp_path / "log" / "fosterd.log"))


def test_the_job_file_is_one_that_upstart_reads(tmp_path: Path, fake: Fake, layout: Layout) -> None:
    Upstart(layout, str(tmp_path)).install()
    path = tmp_path / "fosterd.conf"
    job = parse_job(path.read_text(), "fosterd", str(path))
    assert job.respawn
    assert fake.calls == ["ReloadConfiguration"]


def test_start_stop_and_remove_ask_upstart(tmp_path: Path, fake: Fake, layout: Layout) -> None:
    hosting = Upstart(layout, str(tmp_path))
    hosting.install()
    hosting.start()
    hosting.stop(keep_jobs=False)
    hosting.remove()
    hosting.remove()
    reload = "ReloadConfiguration"
    assert fake.calls == [reload, "GetJobByName", "Start", "GetJobByName", "Stop", reload]
    assert list(tmp_path.glob("*.conf")) == []


def test_what_runs_already_is_fine_and_a_refusal_is_told(tmp_path: Path, fake: Fake, layout: Layout) -> None:
    fake.refused = {"Start": "AlreadyStarted", "Stop": "UnknownInstance"}
    hosting = Upstart(layout, str(tmp_path))
    hosting.start()
    hosting.stop(keep_jobs=False)
    fake.refused = {"Start": "PermissionDenied"}
    with pytest.raises(InitError, match="Upstart could not start the job fosterd"):
        hosting.start()
