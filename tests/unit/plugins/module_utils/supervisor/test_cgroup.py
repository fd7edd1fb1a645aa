# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of cgroups."""

from __future__ import annotations

import os

from ansible_collections.foster.init.plugins.module_utils.supervisor.tracking.cgroup import folder_name
from hypothesis import given
from hypothesis import strategies as st

_NAMES = st.text(max_size=12)


@given(job=_NAMES, instance=_NAMES)
def test_a_name_is_one_component_that_is_no_file_of_the_kernel(job, instance):
    name = folder_name(job, instance)
    assert os.path.basename(name) == name
    assert name.startswith("job-") and name not in (".", "..")


@given(first=st.tuples(_NAMES, _NAMES), second=st.tuples(_NAMES, _NAMES))
def test_two_instances_never_share_a_cgroup(first, second):
    assert first == second or folder_name(*first) != folder_name(*second)
