# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from typing import Any

from ansible_collections.foster.init.plugins.module_utils.inits.interface import Definition
from ansible_collections.foster.init.plugins.module_utils.inits.upstart.definition import (
    class_key,
    digest,
    process_key,
)


def state(**changes: Any) -> dict[str, Any]:
    """Return what Upstart 1.13.2 tells of a job, as far as it matters here."""
    job = {
        "session": 0,
        "name": "web",
        "jobs": [],
        "env": ["PORT=80"],
        "start_on": [{"type": "EVENT_MATCH", "value": 0, "name": "foo"}],
        "stop_on": [],
        "process": [{"script": 0, "command": "sleep 1000"}],
        "deleted": 0,
    }
    return {"job_classes": [{"name": "other", "session": 0, "process": []}, {**job, **changes}]}


def test_the_key_stays_while_the_job_lives() -> None:
    key = class_key(state(), "web")
    matched = [{"type": "EVENT_MATCH", "value": 1, "name": "foo", "event": {"index": 3}}]
    assert key is not None
    assert class_key(state(jobs=[{"name": ""}], deleted=1, start_on=matched), "web") == key


def test_the_key_is_another_for_another_definition() -> None:
    key = class_key(state(), "web")
    for change in ({"env": ["PORT=81"]}, {"process": [{"script": 0, "command": "sleep 1"}]}, {"start_on": []}):
        assert class_key(state(**change), "web") != key


def test_an_init_that_tells_nothing_of_definitions_has_no_key() -> None:
    assert class_key({}, "web") is None
    assert class_key({"job_classes": [{"name": "web", "digest": "0"}]}, "web") is None
    assert class_key(state(session=1), "web") is None  # a job of the same name in a chroot session


def test_a_process_has_a_key_and_no_process_has_none() -> None:
    key = process_key(os.getpid())
    assert key is not None and process_key(os.getpid()) == key
    assert process_key(2**31 - 1) is None


def test_comments_and_layout_mean_nothing_and_the_override_counts() -> None:
    one = digest("web", Definition("# for you\nexec  /bin/web\n", None))
    assert digest("web", Definition("exec /bin/web", "")) == one
    assert digest("web", Definition("exec /bin/web", "respawn\n")) != one
    assert digest("web", Definition("no such stanza", None)) != digest("web", Definition("no such thing", None))
