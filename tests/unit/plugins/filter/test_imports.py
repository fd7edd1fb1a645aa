# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters that read what was written for another init: what comes out is what the module jobs takes."""

from __future__ import annotations

import pytest

errors = pytest.importorskip("ansible.errors")

from ansible_collections.foster.init.plugins.filter.from_supervisord import from_supervisord
from ansible_collections.foster.init.plugins.filter.from_systemd_unit import from_systemd_unit
from ansible_collections.foster.init.plugins.module_utils.job.options import job_from_options

UNIT = "[Service]\nExecStart=/bin/x\nExecReload=/bin/y\nPrivateTmp=yes\n"


def test_a_unit_becomes_the_job_and_its_reload() -> None:
    web, reload = from_systemd_unit(UNIT, "web.service", drop_ins=["[Service]\nNice=5\n"], with_lost=True)
    assert (web["name"], web["definition"]["exec"], web["definition"]["nice"]) == ("web", "/bin/x", 5)
    assert [each["directive"] for each in web["lost"]] == ["PrivateTmp"]
    assert (reload["name"], reload["state"]) == ("web/reload", "present")
    for each in (web, reload):
        job_from_options(each["name"], each["definition"])


def test_programs_of_supervisord_become_jobs() -> None:
    jobs = from_supervisord("[program:a]\ncommand=/bin/a\n[program:b]\ncommand=/bin/b\nserverurl=x\n", with_lost=True)
    assert [(each["name"], each["definition"]["exec"]) for each in jobs] == [("a", "/bin/a"), ("b", "/bin/b")]
    assert [len(each["lost"]) for each in jobs] == [0, 1]
    assert set(from_supervisord("[program:a]\ncommand=/bin/a\n")[0]) == {"name", "definition"}


@pytest.mark.parametrize(
    "call",
    [
        lambda: from_systemd_unit("nonsense", "web"),
        lambda: from_systemd_unit(UNIT, "web@"),
        lambda: from_systemd_unit(None, "web"),
        lambda: from_systemd_unit(UNIT, "web", drop_ins="[Service]"),
        lambda: from_systemd_unit(UNIT, "web", drop_ins=[5]),
        lambda: from_systemd_unit(UNIT, "web", drop_ins=None),
        lambda: from_supervisord("nonsense"),
        lambda: from_supervisord(["x"]),
    ],
)
def test_what_cannot_be_read_is_an_error_of_the_filter(call) -> None:
    with pytest.raises(errors.AnsibleFilterError, match="from_s"):
        call()
