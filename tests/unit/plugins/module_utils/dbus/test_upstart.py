# SPDX-License-Identifier: GPL-3.0-or-later
"""Object paths and tables."""

from __future__ import annotations

import pytest
from ansible_collections.foster.init.plugins.module_utils.dbus import upstart
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("name", "element"),
    [("", "_"), ("web", "web"), ("web-server", "web_2dserver"), ("a/b", "a_2fb"), ("a_b", "a_5fb"), ("_", "_5f"),
     ("\u00e9", "_c3_a9"), ("A.1", "A_2e1"), ("\u0661", "_d9_a1")],
)  # fmt: skip
def test_names_become_path_elements_as_libnih_makes_them(name: str, element: str) -> None:
    assert upstart.escape(name) == element
    assert upstart.unescape(element) == name


@given(st.text(max_size=20).filter(lambda text: "\0" not in text), st.text(max_size=20))
def test_any_names_come_back_from_a_path(job: str, instance: str) -> None:
    job = job.encode("utf-8", "replace").decode() or "x"
    instance = instance.encode("utf-8", "replace").decode()
    assert upstart.names_in(upstart.instance_path(job, instance)) == (job, instance)
    assert upstart.names_in(upstart.job_path(job)) == (job,)


@given(st.text(alphabet="_/aAfF0x", max_size=30))
def test_any_path_is_names_or_an_error(text: str) -> None:
    try:
        names = upstart.names_in("/com/ubuntu/Upstart/jobs/" + text)
    except ValueError:
        return
    assert len(names) in (1, 2)


@pytest.mark.parametrize("path", ["/", "", "/com/ubuntu", "/com/ubuntu/Upstart/jobs", "/com/ubuntu/Upstart/jobs/",
                                  "/com/ubuntu/Upstart/jobs/a/b/c", "/com/ubuntu/Upstart/jobs//b"])  # fmt: skip
def test_other_paths_have_no_names(path: str) -> None:
    with pytest.raises(ValueError, match="is not the path"):
        upstart.names_in(path)


def test_signatures_come_from_the_arguments() -> None:
    emit = next(method for method in upstart.MANAGER.methods if method.name == "EmitEventWithFile")
    assert (emit.signature, emit.returns) == ("sasbh", "")
