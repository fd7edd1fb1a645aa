# SPDX-License-Identifier: GPL-3.0-or-later
"""Which signals the supervisor obeys, by who has sent them."""

from __future__ import annotations

import signal

import pytest
from ansible_collections.foster.init.plugins.module_utils.supervisor.orders import Orders

JOBS = {7: "web"}


@pytest.mark.parametrize("sender", [0, 1, 8])
def test_somebody_who_is_not_of_a_job_is_obeyed(sender):
    obeyed, said = [], []
    Orders(said.append, JOBS.get, False).unless_from_a_job(signal.SIGTERM, lambda: obeyed.append(1))(sender)
    assert (obeyed, said) == ([1], [])


def test_a_child_of_a_job_is_not_obeyed_and_named():
    obeyed, said = [], []
    Orders(said.append, JOBS.get, False).unless_from_a_job(signal.SIGTERM, lambda: obeyed.append(1))(7)
    assert obeyed == []
    assert said == ["SIGTERM from pid 7, a process of the job web, is ignored, as it is no order to the supervisor"]


def test_pid_1_obeys_its_jobs_too():
    """`kill 1` in a script ends the container."""
    obeyed = []
    Orders(lambda _text: None, JOBS.get, True).unless_from_a_job(signal.SIGTERM, lambda: obeyed.append(1))(7)
    assert obeyed == [1]


@pytest.mark.parametrize(("sender", "who"), [(7, "pid 7, a process of the job web,"), (8, "pid 8"), (0, "outside")])
def test_what_is_no_order_is_only_told(sender, who):
    said = []
    Orders(said.append, JOBS.get, True).never(signal.SIGUSR1)(sender)
    assert said == [f"SIGUSR1 from {who} is ignored, as it is no order to the supervisor"]
