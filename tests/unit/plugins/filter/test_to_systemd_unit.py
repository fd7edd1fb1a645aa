# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that gives a job as a unit."""

from __future__ import annotations

import pytest

errors = pytest.importorskip("ansible.errors")

from ansible_collections.foster.init.plugins.filter.to_systemd_unit import to_systemd_unit


def test_options_and_a_file_give_the_same_unit() -> None:
    unit = to_systemd_unit({"exec": "web", "respawn": True}, name="web")
    assert unit == to_systemd_unit("exec web\nrespawn\n", name="web")
    assert "Restart=always\n" in unit


@pytest.mark.parametrize(
    ("job", "options", "sentence"),
    [
        ({"exec": "web"}, {}, "needs the name"),
        (["exec"], {"name": "web"}, "needs a dictionary"),
        ({"exec": "web"}, {"name": "../web"}, "is not the name of a job"),
        ({"exec": "web", "debug": True}, {"name": "web"}, "debug: .*use: foster"),
        ("exec web\nrespwan", {"name": "web"}, "web.conf:2"),
        ({"exec": "web", "setuid": "u"}, {"name": "web", "user": True}, "setuid"),
    ],
)
def test_what_is_wrong_is_an_error_of_the_filter(job: object, options: dict, sentence: str) -> None:
    with pytest.raises(errors.AnsibleFilterError, match=sentence):
        to_systemd_unit(job, **options)
