# SPDX-License-Identifier: GPL-3.0-or-later
"""The unit of the supervisor, against a systemd that is a list of calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.foster.init.plugins.module_utils.dbus.client import Connection, Signal
from ansible_collections.foster.init.plugins.module_utils.dbus.errors import BusError
from ansible_collections.foster.init.plugins.module_utils.inits.errors import InitError
from ansible_collections.foster.init.plugins.module_utils.inits.hosting import running
from ansible_collections.foster.init.plugins.module_utils.inits.hosting.layout import SYSTEM
from ansible_collections.foster.init.plugins.module_utils.inits.hosting.systemd import Systemd, unit_text


class Fake:
    """A connection to a systemd whose unit is in ``state`` and whose jobs end with ``result``."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.state = "inactive"
        self.result = "done"

    def call(self, _path: str, _interface: str, member: str, _signature: str = "", *values: Any, **_more: Any) -> Any:
        self.calls.append(member)
        if member == "Get":
            return (("s", self.state) if values[1] == "ActiveState" else ("u", 77),)
        if member == "Refused":
            raise BusError("x", "no")
        return ("/job/1",)

    def signals(self, _timeout: float, **_more: Any) -> Any:
        yield Signal("/", "m", "JobRemoved", (2, "/job/2", "other.service", "failed"))
        yield Signal("/", "m", "JobRemoved", (1, "/job/1", "fosterd.service", self.result))

    def __enter__(self) -> Fake:
        return self

    def __exit__(self, *_error: object) -> None:
        pass


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    one = Fake()
    monkeypatch.setattr(Connection, "open", lambda *_: one)
    return one


def test_install_writes_enables_and_reloads_once(tmp_path: Path, fake: Fake) -> None:
    systemd = Systemd(SYSTEM, folder=str(tmp_path))
    systemd.install()
    systemd.install()
    assert (tmp_path / "fosterd.service").read_text() == unit_text(SYSTEM)
    assert (tmp_path / "multi-user.target.wants/fosterd.service").resolve() == tmp_path / "fosterd.service"
    assert fake.calls == ["Reload"]


def test_pending_is_what_install_would_write(tmp_path: Path, fake: Fake) -> None:
    systemd = Systemd(SYSTEM, folder=str(tmp_path))
    unit, link = systemd.pending()
    assert (unit.path, unit.before, unit.after) == (str(tmp_path / "fosterd.service"), None, unit_text(SYSTEM))
    assert link.path == str(tmp_path / "multi-user.target.wants/fosterd.service")
    systemd.install()
    assert systemd.pending() == ()


def test_a_unit_of_somebody_else_is_left_alone(tmp_path: Path, fake: Fake) -> None:
    unit = tmp_path / "fosterd.service"
    unit.write_text("[Service]\nExecStart=/opt/other\n")
    systemd = Systemd(SYSTEM, folder=str(tmp_path))
    for removing in (False, True):
        with pytest.raises(InitError, match=r"fosterd\.service was not written by foster\.init"):
            systemd.verify(removing)
    unit.unlink()
    unit.symlink_to("/dev/null")
    with pytest.raises(InitError, match="is a link"):
        systemd.install()
    assert unit.is_symlink()
    assert fake.calls == []


def test_remove_leaves_nothing(tmp_path: Path, fake: Fake) -> None:
    systemd = Systemd(SYSTEM, folder=str(tmp_path))
    systemd.install()
    assert len(systemd.traces()) == 2
    systemd.remove()
    assert fake.calls == ["Reload", "Reload"]
    systemd.remove()
    assert fake.calls == ["Reload", "Reload"]
    assert systemd.traces() == ()
    assert not (tmp_path / "fosterd.service").exists()


def test_start_waits_for_its_own_job(tmp_path: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "wait_until_up", lambda *_: 77)
    Systemd(SYSTEM, folder=str(tmp_path)).start()
    assert fake.calls[-1] == "StartUnit"


def test_a_start_that_fails_says_where_to_look(tmp_path: Path, fake: Fake) -> None:
    fake.result = "failed"
    with pytest.raises(InitError, match=r"could not start fosterd\.service \(failed\); see `journalctl -u"):
        Systemd(SYSTEM, folder=str(tmp_path)).start()


def test_what_runs_is_not_started_again_and_its_pid_is_told(tmp_path: Path, fake: Fake) -> None:
    fake.state = "active"
    systemd = Systemd(SYSTEM, folder=str(tmp_path))
    systemd.start()
    assert "StartUnit" not in fake.calls
    assert systemd.status().pid == 77


def test_the_unit_lets_jobs_outlive_the_supervisor() -> None:
    lines = unit_text(SYSTEM).splitlines()
    for line in (
        "Type=notify",
        "Delegate=yes",
        "KillMode=process",
        "Restart=always",
        "ExecStart=/usr/local/lib/foster/fosterd",
    ):
        assert line in lines
    assert "--user" in unit_text(SYSTEM._replace(user=True))


def test_a_path_with_a_blank_or_a_percent_sign_is_one_word() -> None:
    text = unit_text(SYSTEM._replace(library="/home/a b/100%"))
    assert 'ExecStart="/home/a b/100%%/fosterd"' in text.splitlines()
