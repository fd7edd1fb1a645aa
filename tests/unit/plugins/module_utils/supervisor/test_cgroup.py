# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of cgroups, and those that a job makes below its own."""

from __future__ import annotations

import os

import pytest
from ansible_collections.foster.init.plugins.module_utils.supervisor.tracking.cgroup import Cgroups, folder_name
from hypothesis import given
from hypothesis import strategies as st

_NAMES = st.text(max_size=12)
_LONG = st.text("/-é", min_size=230, max_size=300)


@given(job=_NAMES, instance=_NAMES)
def test_a_name_is_one_component_that_is_no_file_of_the_kernel(job, instance):
    name = folder_name(job, instance)
    assert os.path.basename(name) == name
    assert name.startswith("job-") and name not in (".", "..")


@given(start=_LONG, first=_NAMES, second=_NAMES)
def test_long_names_that_differ_at_their_end_never_share_a_cgroup(start, first, second):
    """The end of one of two such instances was the end of the other one as well."""
    assert first == second or folder_name("j", start + first) != folder_name("j", start + second)
    assert len(os.fsencode(folder_name("j", start + first))) <= 255


@given(first=st.tuples(_NAMES, _NAMES), second=st.tuples(_NAMES, _NAMES))
def test_two_instances_never_share_a_cgroup(first, second):
    assert first == second or folder_name(*first) != folder_name(*second)


def test_what_a_job_has_made_below_its_cgroup_is_part_of_it(tmp_path):
    for number, folder in enumerate(("job-a", "job-a/one", "job-a/one/two", "job-b"), 1):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "cgroup.procs").write_text(f"{number}\n")
    assert Cgroups(str(tmp_path), True).members("job-a") == [1, 2, 3]


def test_a_cgroup_is_removed_with_what_is_below_unless_something_is_in_it(tmp_path):
    (tmp_path / "job-a" / "one" / "two").mkdir(parents=True)
    (tmp_path / "job-b" / "one").mkdir(parents=True)
    (tmp_path / "job-b" / "busy").touch()
    cgroups = Cgroups(str(tmp_path), True)
    assert (cgroups.remove("job-a"), cgroups.remove("job-b"), cgroups.remove("job-c")) == (True, False, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["job-b"]


def test_a_cgroup_that_nobody_is_in_is_made_anew_for_the_next_process(tmp_path):
    """A job that had given controllers to cgroups of its own could not be started again there."""
    (tmp_path / "job-a" / "one").mkdir(parents=True)
    Cgroups(str(tmp_path), True).prepare("job-a")
    assert list((tmp_path / "job-a").iterdir()) == []


def test_a_cgroup_says_that_it_holds_something_that_is_not_listed(tmp_path):
    cgroups = Cgroups(str(tmp_path), True)
    for name, count in (("job-a", 1), ("job-b", 0)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.events").write_text(f"populated {count}\nfrozen 1\n")
    assert [cgroups.holds(name) for name in ("job-a", "job-b", "job-c")] == [True, False, False]


@pytest.mark.parametrize(
    ("controllers", "freeze", "kept"),
    [("", "0\n", True), ("memory\n", "0\n", False), ("", "1\n", False), ("", None, False)],
)
def test_a_cgroup_is_kept_for_the_next_process_only_as_it_was_made(tmp_path, monkeypatch, controllers, freeze, kept):
    """One with controllers may have limits that the last process, or an earlier definition, has set."""
    (tmp_path / "job-a").mkdir()
    (tmp_path / "job-a" / "cgroup.controllers").write_text(controllers)
    if freeze is not None:
        (tmp_path / "job-a" / "cgroup.freeze").write_text(freeze)
    removed = []
    cgroups = Cgroups(str(tmp_path), True)
    monkeypatch.setattr(cgroups, "remove", removed.append)
    cgroups.prepare("job-a")
    assert removed == ([] if kept else ["job-a"])
