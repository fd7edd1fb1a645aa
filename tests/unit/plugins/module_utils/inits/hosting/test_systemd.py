# SPDX-License-Identifier: GPL-3.0-or-later
"""The unit of the supervisor, against a systemd that is a list of calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.foster.init.plugins.module_utils.dbus.errors import BusError
from ansible_collections.foster.init.plugins.module_utils.inits.errors import InitError
from ansible_collections.foster.init.plugins.module_utils.inits.hosting import running
from ansible_collections.foster.init.plugins.module_utils.inits.hosting.layout import SYSTEM
from ansible_collections.foster.init.plugins.module_utils.inits.hosting.systemd import Systemd, unit_text
from ansible_collections.foster.init.plugins.module_utils.inits.systemd.manager import Manager


class Fake:
    """A systemd whose unit is in ``state`` and whose jobs end with ``result``."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.state = "inactive"
        self.result = "done"

    def unit(self, *_names: Any) -> dict[str, Any]:
        return {"ActiveState": self.state, "MainPID": 77}

    def reload(self) -> None:
        self.calls.append("Reload")

    def run(self, member: str, _unit: str, _timeout: float) -> str:
        self.calls.append(member)
        if self.result == "refused":
            raise BusError("org.freedesktop.DBus.Error.AccessDenied", "Access denied")
        return self.result

    def close(self) -> None:
        pass


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    one = Fake()
    monkeypatch.setattr(Manager, "open", lambda *_: one)
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


def test_start_lets_systemd_start_the_unit(tmp_path: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "wait_until_up", lambda *_: 77)
    Systemd(SYSTEM, folder=str(tmp_path)).start()
    assert fake.calls[-1] == "StartUnit"


def test_a_start_that_fails_says_where_to_look(tmp_path: Path, fake: Fake) -> None:
    fake.result = "failed"
    with pytest.raises(InitError, match=r"could not start fosterd\.service \(failed\); see `journalctl -u"):
        Systemd(SYSTEM, folder=str(tmp_path)).start()


def test_a_start_that_is_refused_says_by_whom(tmp_path: Path, fake: Fake) -> None:
    fake.result = "refused"
    with pytest.raises(InitError, match=r"systemd could not start fosterd\.service: Access denied"):
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
