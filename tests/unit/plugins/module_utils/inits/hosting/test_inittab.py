# SPDX-License-Identifier: GPL-3.0-or-later
"""A respawn line, with an init that is a list of what it was told."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.foster.init.plugins.module_utils.inits.hosting import inittab, running
from ansible_collections.foster.init.plugins.module_utils.inits.hosting.busybox import busybox
from ansible_collections.foster.init.plugins.module_utils.inits.hosting.layout import SYSTEM
from ansible_collections.foster.init.plugins.module_utils.inits.hosting.sysvinit import sysvinit
from ansible_collections.foster.init.plugins.module_utils.processes.identity import Identity

TABLE = "id:2:initdefault:\n"


class Init:
    """What happens, in order; ``table`` is looked at whenever init reads it."""

    def __init__(self, table: Path) -> None:
        self.table = table
        self.seen: list[str] = []

    def read(self) -> None:
        self.seen.append("with" if "respawn" in self.table.read_text() else "without")

    def end(self, _layout: object, keep: bool, tell: object) -> bool:
        self.seen.append("keep" if keep else "end")
        tell(Identity(1, 1, ""))  # type: ignore[operator]
        self.seen.append("gone")
        return True


@pytest.fixture
def init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Init:
    table = tmp_path / "inittab"
    table.write_text(TABLE)
    one = Init(table)
    monkeypatch.setattr(inittab, "read_again", one.read)
    monkeypatch.setattr(running, "end", one.end)
    monkeypatch.setattr(running, "terminate", lambda _identity: one.seen.append("TERM"))
    monkeypatch.setattr(running, "wait_until_up", lambda *_: one.seen.append("up"))
    return one


LAYOUT = SYSTEM._replace(log="/tmp/none/fosterd.log")


@pytest.fixture(autouse=True)
def _no_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.makedirs", lambda *_args, **_more: None)


def test_the_line_fits_what_sysvinit_reads(init: Init) -> None:
    """inittab(5): an id of at most 4 characters, a command of at most 127."""
    sysvinit(SYSTEM, str(init.table)).install()
    ident, levels, action, command = init.table.read_text().splitlines()[-1].split(":", 3)
    assert len(ident) <= 4
    assert (levels, action) == ("2345", "respawn")
    assert len(command) <= 127


def test_a_start_lets_init_read_the_line(init: Init) -> None:
    hosting = sysvinit(LAYOUT, str(init.table))
    hosting.start()
    assert init.seen == ["with", "up"]


@pytest.mark.parametrize(("make", "signals"), [(sysvinit, []), (busybox, ["TERM"])])
def test_a_stop_takes_the_line_from_init_but_not_from_the_next_boot(init: Init, make: object, signals: list) -> None:
    hosting: inittab.Respawned = make(LAYOUT, str(init.table))  # type: ignore[operator]
    hosting.install()
    hosting.stop(keep_jobs=True)
    assert init.seen == ["keep", "without", *signals, "gone"]
    assert hosting.status().enabled


def test_a_stop_that_fails_puts_the_line_back(init: Init, monkeypatch: pytest.MonkeyPatch) -> None:
    hosting = sysvinit(LAYOUT, str(init.table))
    hosting.install()

    def fails(*_: object) -> bool:
        raise running.InitError("has not ended")

    monkeypatch.setattr(running, "end", fails)
    with pytest.raises(running.InitError):
        hosting.stop(keep_jobs=False)
    assert hosting.status().enabled


def test_removing_leaves_the_table_as_it_was(init: Init) -> None:
    hosting = busybox(LAYOUT, str(init.table))
    hosting.install()
    hosting.remove()
    assert init.table.read_text() == TABLE
    assert init.seen[0] == "without"
    hosting.remove()
    assert init.seen.count("without") == 1


def test_a_pending_hangup_is_seen(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text("Name:\tinit\nSigPnd:\t0000000000000000\nShdPnd:\t0000000000000001\n")
    assert inittab._hangup_pending(str(status))
    status.write_text("Name:\tinit\nSigPnd:\t0000000000000000\nShdPnd:\t0000000000004002\n")
    assert not inittab._hangup_pending(str(status))
