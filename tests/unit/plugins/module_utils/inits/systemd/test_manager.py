# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of systemd, over a connection that is a list of answers."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.foster.init.plugins.module_utils.dbus.client import Signal
from ansible_collections.foster.init.plugins.module_utils.dbus.errors import BusError
from ansible_collections.foster.init.plugins.module_utils.inits.systemd.manager import Manager


class Connection:
    """A systemd that gives the jobs 1, 2, ...; ``ended``: ids of the jobs that end, in order."""

    def __init__(self, *ended: int) -> None:
        self.ended = ended
        self.sent: list[str] = []

    def send(self, *question: Any, **_more: Any) -> int:
        self.sent.append(question[4])
        return len(self.sent)

    def wait(self, serial: int) -> tuple[Any, ...]:
        if self.sent[serial - 1] == "missing.service":
            raise BusError("org.freedesktop.systemd1.NoSuchUnit", "Unit missing.service not found.")
        return (f"/job/{serial}",)

    def signals(self, _timeout: float, **_more: Any) -> Any:
        for number in self.ended:
            yield Signal(
                "/", "m", "JobRemoved", (number, f"/job/{number}", "x.service", "done" if number == 1 else "no")
            )


def test_the_result_is_that_of_the_job_asked_for() -> None:
    assert Manager(Connection(2, 1), False, 1).run("StartUnit", "x.service", 60.0) == "done"  # type: ignore[arg-type]


def test_a_job_that_is_not_done_in_time_is_an_error() -> None:
    with pytest.raises(BusError, match=r"has not done StartUnit of x\.service within 0 s"):
        Manager(Connection(2), False, 1).run("StartUnit", "x.service", 0.0)  # type: ignore[arg-type]


def test_jobs_that_are_asked_for_together_have_results_of_their_own() -> None:
    asked = [("StartUnit", f"{name}.service") for name in ("x", "missing", "y", "z")]
    done, missing, failed, late = Manager(Connection(3, 1), False, 1).run_all(asked, 0.0)  # type: ignore[arg-type]
    assert (done, failed) == ("done", "no")
    assert [error.short for error in (missing, late) if isinstance(error, BusError)] == ["NoSuchUnit", "Timeout"]
