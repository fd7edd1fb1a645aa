# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of cgroups."""

from __future__ import annotations

import os

from ansible_collections.foster.init.plugins.module_utils.supervisor.tracking.cgroup import folder_name
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
