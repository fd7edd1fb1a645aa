# SPDX-License-Identifier: GPL-3.0-or-later
"""Files, links and lines: what is predicted is what is written, what is written can be taken away without a trace."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Union

import pytest
from ansible_collections.foster.init.plugins.module_utils.inits.errors import InitError
from ansible_collections.foster.init.plugins.module_utils.inits.hosting.pieces import MARK, File, Line, Link, Pieces

TABLE = "id:2:initdefault:\nsi::sysinit:/etc/init.d/rcS\n"


@pytest.fixture
def some(tmp_path: Path) -> Pieces:
    (tmp_path / "inittab").write_text(TABLE)
    script = str(tmp_path / "sv" / "run")
    return Pieces(
        "testinit",
        (
            File(script, f"#!/bin/sh\n# {MARK}\n", 0o755),
            Link(str(tmp_path / "wants" / "run"), script),
            Line(str(tmp_path / "inittab"), "fost:2345:respawn:/x", key="fost:"),
        ),
    )


def test_what_is_pending_is_what_is_written_and_once(some: Pieces, tmp_path: Path) -> None:
    pending = some.pending()
    assert [os.path.basename(change.path) for change in pending] == ["run", "run", "inittab"]
    assert some.put()
    assert (tmp_path / "sv" / "run").read_text() == pending[0].after
    assert os.access(tmp_path / "sv" / "run", os.X_OK)
    assert f"{os.readlink(tmp_path / 'wants' / 'run')}\n" == pending[1].after
    assert (tmp_path / "inittab").read_text() == pending[2].after
    assert some.pending() == ()
    assert not some.put()


def test_taking_away_gives_the_files_of_before(some: Pieces, tmp_path: Path) -> None:
    some.put()
    assert [change.after for change in some.traces()] == [None, None, TABLE]
    assert some.take()
    assert (tmp_path / "inittab").read_text() == TABLE
    assert not os.path.lexists(tmp_path / "wants" / "run")
    assert not (tmp_path / "sv" / "run").exists()
    assert some.traces() == ()
    assert not some.take()


def test_another_mode_is_a_change(some: Pieces, tmp_path: Path) -> None:
    some.put()
    (tmp_path / "sv" / "run").chmod(0o644)
    (change,) = some.pending()
    assert "(mode 0644)" in str(change.before)
    some.put()
    assert some.pending() == ()


def test_an_older_line_of_ours_is_replaced_and_the_mode_stays(tmp_path: Path) -> None:
    table = tmp_path / "inittab"
    table.write_text(TABLE)
    table.chmod(0o640)
    Pieces("x", (Line(str(table), "fost:2:respawn:/old"),)).put()
    table.write_text(table.read_text() + "z6:6:respawn:/sbin/sulogin")
    Pieces("x", (Line(str(table), "fost:2345:respawn:/new"),)).put()
    lines = table.read_text().splitlines()
    assert lines[-3:] == ["z6:6:respawn:/sbin/sulogin", f"# {MARK}: the next line.", "fost:2345:respawn:/new"]
    assert "/old" not in table.read_text()
    assert table.stat().st_mode & 0o777 == 0o640


def test_a_line_of_somebody_else_in_our_place_is_left_alone(some: Pieces, tmp_path: Path) -> None:
    theirs = TABLE + "fost:3:respawn:/usr/bin/frost\n"
    (tmp_path / "inittab").write_text(theirs)
    with pytest.raises(InitError, match=r"inittab has a line that is not ours, fost:3:respawn:/usr/bin/frost"):
        some.put()
    assert (tmp_path / "inittab").read_text() == theirs
    assert not (tmp_path / "sv").exists()
    assert not some.take()


def test_an_inittab_that_is_missing_is_not_made_up(some: Pieces, tmp_path: Path) -> None:
    (tmp_path / "inittab").unlink()
    with pytest.raises(InitError, match="is not there"):
        some.verify()


@pytest.mark.parametrize("at", ["sv/run", "wants/run"])
@pytest.mark.parametrize("removing", [False, True])
def test_what_somebody_else_has_put_there_is_left_alone(some: Pieces, tmp_path: Path, at: str, removing: bool) -> None:
    path = tmp_path / at
    path.parent.mkdir()
    path.write_text("theirs\n")
    with pytest.raises(InitError, match=f"{at} .*left alone"):
        some.verify(removing)
    with pytest.raises(InitError):
        some.take() if removing else some.put()
    assert path.read_text() == "theirs\n"
    assert (tmp_path / "inittab").read_text() == TABLE


def test_a_folder_that_cannot_be_written_is_named_before_anything_is_done(
    some: Pieces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a read-only /etc, which access(2) tells root about as well."""
    real = os.access

    def access(path: Union[str, Path], mode: int) -> bool:
        return str(path) != str(tmp_path) and real(path, mode)

    monkeypatch.setattr(os, "access", access)
    with pytest.raises(InitError, match=f"{tmp_path} cannot be written to, so testinit cannot run the supervisor"):
        some.put()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inittab"]
