# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task is told of an event that it emits, or would emit, with a real supervisor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from module_utils.ansible.emission import Emission, emit
from module_utils.ansible.errors import TaskError
from module_utils.ansible.supervisor import Supervisor as Client

JOBS = {
    "web": "start on deploy\nstop on undeploy\nexec sleep 1000\n",
    "warm": "start on started web\ntask\nexec true\n",
    "worker": "start on deploy N=*\nstop on undeploy\ninstance $N\nexec sleep 1000\n",
    "check": "start on check\ntask\nscript\n  echo not ready\n  exit 3\nend script\n",
    "half": "start on left and right\nexec sleep 1000\n",
}


@pytest.fixture
def client(supervisor: Any) -> Iterator[Client]:
    for name, text in JOBS.items():
        supervisor.define(name, text)
    made = Client.open(f"unix:path={supervisor.folder}/run/control")
    yield made
    made.close()


def names(instances: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(each["job"], each["instance"]) for each in instances]


def test_check_mode_foresees_what_the_run_then_does(client: Client) -> None:
    deploy = Emission("deploy", {"N": "7"})
    foreseen, values = emit(deploy, client, check=True)
    assert client.describe("web")["web"]["instances"] == []
    done, told = emit(deploy, client, check=False)
    assert foreseen.result(True) == done.result(True)
    assert names(values["started"]) == names(told["started"]) == [("web", ""), ("worker", "7"), ("warm", "")]
    again, _values = emit(deploy, client, check=False)
    assert not again.changed
    undone, told = emit(Emission("undeploy"), client, check=False)
    assert undone.actions == ["stop web", "stop worker (7)"]
    assert client.describe("web")["web"]["instances"] == []


def test_an_event_that_fails_names_the_job_how_it_failed_and_what_it_wrote(client: Client) -> None:
    with pytest.raises(TaskError) as caught:
        emit(Emission("check"), client, check=False)
    assert str(caught.value) == (
        "check: the event has failed. check failed: its main process ended with exit status 3. It last wrote: not ready"
    )
    assert names(caught.value.details["failures"]) == [("check", "")]


def test_an_event_that_is_held_says_by_whom(client: Client) -> None:
    _difference, values = emit(Emission("left"), client, check=True)
    assert values["finished"] is False
    with pytest.raises(TaskError) as caught:
        emit(Emission("left", timeout=0.2), client, check=False)
    assert "it is held by the start on of half, which waits for more" in str(caught.value)
    done, _told = emit(Emission("right", wait=False), client, check=False)
    assert done.actions == ["start half"]


def test_an_event_that_nobody_listens_to_changes_nothing(client: Client) -> None:
    done, values = emit(Emission("nothing", {"A": "1"}), client, check=False)
    assert (done.changed, values["started"], values["finished"]) == (False, [], True)


def test_a_name_that_is_empty_is_refused(client: Client) -> None:
    with pytest.raises(Exception, match="Name may not be empty string"):
        emit(Emission(""), client, check=True)


def test_events_that_are_under_way_are_listed(client: Client) -> None:
    def listed() -> list[dict[str, Any]]:
        return client.events()

    emit(Emission("left", {"A": "1"}, wait=False), client, check=False)
    assert listed() == [
        {"name": "left", "env": ["A=1"], "held_by": [{"job": "half", "instance": "", "by": "start on"}]}
    ]
    emit(Emission("right"), client, check=False)
    assert listed() == []
