# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger: what was flushed is there again, whatever happened to the last line."""

from __future__ import annotations

import errno
import os
import string

from ansible_collections.foster.init.plugins.module_utils.supervisor import ledger as module
from ansible_collections.foster.init.plugins.module_utils.supervisor.ledger import Ledger
from hypothesis import given
from hypothesis import strategies as st

_KEYS = st.text(string.ascii_letters + "/ é", min_size=1, max_size=6)
_RECORDS = st.one_of(st.none(), st.integers(), st.text(max_size=5), st.lists(st.integers(), max_size=3))


def test_what_was_not_flushed_is_not_written(tmp_path):
    ledger = Ledger(str(tmp_path / "ledger"))
    ledger.put("a", 1)
    assert Ledger(str(tmp_path / "ledger")).load() == {}


def test_records_share_the_strings_that_are_the_same_in_both(tmp_path):
    """Thousands say the same. What the next supervisor kept of each left holes: 2 KB for a job."""
    ledger = Ledger(str(tmp_path / "ledger"))
    record = {"env": ["PATH=/usr/bin", "UPSTART_EVENTS=go there"], "processes": {"main process": 1}, "wait": 1.5}
    for key in ("a", "b"):
        ledger.put(key, record)
    ledger.flush()
    loaded = Ledger(ledger.path).load()
    assert loaded == {"a": record, "b": record}
    a, b = loaded["a"], loaded["b"]
    for one, other in ((a, b), (a["env"], b["env"]), (a["processes"], b["processes"])):
        assert list(map(id, one)) == list(map(id, other))


def test_a_half_line_of_a_killed_supervisor_is_ignored(tmp_path):
    path = tmp_path / "ledger"
    ledger = Ledger(str(path))
    ledger.put("a", 1)
    ledger.put("b", 2)
    ledger.flush()
    ledger.close()
    path.write_bytes(path.read_bytes()[:-4])
    assert Ledger(str(path)).load() == {"a": 1}


def test_what_follows_on_a_half_line_is_kept(tmp_path):
    path = tmp_path / "ledger"
    path.write_bytes(b'["a",1]\n["b",')
    ledger = Ledger(str(path))
    assert ledger.load() == {"a": 1}
    ledger.put("c", 3)
    ledger.flush()
    ledger.close()
    assert Ledger(str(path)).load() == {"a": 1, "c": 3}


def test_a_null_record_removes_its_key(tmp_path):
    ledger = Ledger(str(tmp_path / "ledger"))
    ledger.put("a", 1)
    ledger.put("a", None)
    ledger.flush()
    assert ledger.load() == {}
    ledger.close()


def test_without_a_path_nothing_is_kept():
    ledger = Ledger(None)
    ledger.put("a", 1)
    ledger.flush()
    assert ledger.load() == {}


def test_the_file_does_not_grow_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_COMPACT_LINES", 10)
    path = tmp_path / "ledger"
    ledger = Ledger(str(path))
    for number in range(1000):
        ledger.put("key", number)
        ledger.flush()
    ledger.close()
    assert ledger.load() == {"key": 999}
    assert len(path.read_bytes().splitlines()) <= 30


def test_a_full_disk_is_told_once_and_what_was_noted_is_written_when_there_is_room(tmp_path, monkeypatch):
    """The supervisor ended, and did not come up again, where /run was full."""
    warnings = []
    ledger = Ledger(str(tmp_path / "ledger"), warnings.append)
    write, room = os.write, [5]

    def into_little_room(fd, data):
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = write(fd, data[: room[0]])
        room[0] -= written
        return written

    monkeypatch.setattr(module.os, "write", into_little_room)
    for number in range(3):
        ledger.put("key", number)
        ledger.flush()
    assert [text.partition(": ")[2] for text in warnings] == [
        "cannot be written: No space left on device; until there is room a crash could lose jobs"
    ]
    room[0] = 10000
    ledger.put("other", 7)
    ledger.flush()
    assert ledger.load() == {"key": 2, "other": 7}


def test_a_ledger_that_cannot_be_compacted_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_COMPACT_LINES", 2)
    warnings = []
    ledger = Ledger(str(tmp_path / "ledger"), warnings.append)

    def no_room(*_names):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(module.os, "rename", no_room)
    for number in range(9):
        ledger.put("key", number)
        ledger.flush()
    assert ledger.load() == {"key": 8}
    assert warnings
    assert [path.name for path in tmp_path.iterdir()] == ["ledger"]


@given(changes=st.lists(st.tuples(_KEYS, _RECORDS), max_size=30), compact_at=st.integers(0, 30))
def test_what_was_flushed_is_there_again_compacted_or_not(tmp_path_factory, changes, compact_at):
    path = str(tmp_path_factory.mktemp("ledger") / "ledger")
    ledger = Ledger(path)
    expected = {}
    for number, (key, record) in enumerate(changes):
        ledger.put(key, record)
        expected.pop(key, None) if record is None else expected.update({key: record})
        ledger.flush()
        if number == compact_at:
            ledger.compact()
    ledger.close()
    assert Ledger(path).load() == expected


def test_what_is_noted_after_the_end_is_not_kept(tmp_path):
    """A supervisor whose last jobs had ended at once failed when it noted the end of the second one."""
    ledger = Ledger(str(tmp_path / "run" / "ledger"))
    (tmp_path / "run").mkdir()
    ledger.put("a", 1)
    ledger.flush()
    ledger.put("b", 2)
    ledger.end()
    (tmp_path / "run").rmdir()
    ledger.put("c", 3)
    ledger.flush()
    assert list(tmp_path.iterdir()) == []
