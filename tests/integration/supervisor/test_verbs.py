# SPDX-License-Identifier: GPL-3.0-or-later
"""What the command line says of jobs: the programs as they are built, with jobs that give reason to ask."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from conftest import running
from module_utils.ansible.facts import Facts
from module_utils.ansible.supervisor import Supervisor
from program import fosterd_environment, system_python

BUILD = Path(__file__).resolve().parents[3] / "hacking" / "build"
JOBS = {
    "waits": "start on one and two\nexec sleep 1000\n",
    "fast": "respawn\nrespawn limit 2 60\nexec sh -c 'exit 3'\n",
    "forks": "exec sh -c 'sleep 1000 & exit 0'\n",
    "miscounts": "expect daemon\nexec sleep 1000\n",
    "runs": "exec sleep 1000\n",
}
TRIED = ("fast", "forks", "miscounts", "runs")


@pytest.fixture(scope="module")
def built():
    """The folder with the programs, which anybody may execute."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        folder = Path(name)
        library = Path(fosterd_environment(folder)["PYTHONPATH"]) / "jeepney"
        command = [sys.executable, BUILD, "--output", folder / "programs", "--jeepney", library]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=120)
        yield folder / "programs"


def call(supervisor, built, *words):
    """Call fosterctl for ``supervisor`` and return what became of it."""
    address = f"--address=unix:path={supervisor.folder}/run/control"
    command = [system_python(), str(built / "fosterctl"), address, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env={})


def fosterctl(supervisor, built, *words):
    """Return what it prints when called so."""
    done = call(supervisor, built, *words)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


@pytest.fixture(scope="module", params=["own", "nobody"])
def place(request, built):
    """A supervisor with all of the jobs."""
    with running(request.param, program=str(built / "fosterd")) as made:
        for name, text in JOBS.items():
            made.define(name, text)
        for name in TRIED:
            fosterctl(made, built, "start", "--no-wait", name)
        fosterctl(made, built, "emit", "--no-wait", "one")
        for name in ("fast", "forks"):
            made.wait_for(lambda name=name: not made.describe(name)["instances"], "the end of what ends")
        made.wait_for(lambda: made.describe("runs")["instances"][0]["state"] == "running", "what runs")
        yield made


@pytest.fixture
def say(place, built):
    """Return a function that returns what a verb prints."""
    return lambda *words: fosterctl(place, built, *words)


def explained(say, name):
    """Return what `explain` says as data, after a look at that its text says the same."""
    (found,) = json.loads(say("explain", "--json", name))
    lines = [
        f"{name} {found['goal']}/{found['state']}: {found['reason']}.",
        *(f"  {each}." for each in found["details"]),
    ]
    assert say("explain", name).splitlines() == lines
    return found


def test_a_job_that_waits_for_one_more_event_says_which(say):
    found = explained(say, "waits")
    assert found["reason"] == "Nothing has started it: its start on has not come true"
    assert found["details"] == ["It starts by itself on: two (1 of its events came)"]
    assert found["missing_events"] == ["two"]


def test_a_job_that_respawned_too_fast_says_how_it_ended_and_how_often(say):
    found = explained(say, "fast")
    assert found["reason"] == (
        "It has failed: its main process exited with status 3, more often than its respawn limit allows"
    )
    assert found["ends"] == [{"end": "exited with status 3", "times": 3}]
    assert "Its main process exited with status 3, 3 of the last 3 times" in found["details"]


def test_a_job_whose_daemon_was_taken_for_its_end_says_what_would_have_fitted(say):
    found = explained(say, "forks")
    assert found["reason"] == "It has ended or was stopped, and nothing has started it since"
    left = r"left process \d+ \((sh|sleep)\), which was ended: `expect auto` would have followed it$"
    assert re.search(left, found["details"][-1])


def test_a_job_that_waits_for_forks_that_do_not_come_says_what_would_have_fitted(place, say):
    place.wait_for(lambda: place.ask("History", "s", "miscounts")["notes"], "what the supervisor says of it")
    found = explained(say, "miscounts")
    main = place.main("miscounts")
    assert found["reason"].startswith(
        f"Its main process {main} runs, but is not ready: it waits for its main process to"
    )
    assert "(`expect none` would have fitted what was seen)" in found["reason"]


def test_a_job_that_runs_says_so(place, say):
    found = explained(say, "runs")
    assert (found["reason"], found["details"]) == (f"It runs; its main process is {place.main('runs')}", [])


def test_the_history_has_every_end_in_its_order(say):
    found = json.loads(say("history", "--json", "fast"))
    assert [each["exit_status"] for each in found["processes"]] == [3, 3, 3]
    pids = [each["pid"] for each in found["processes"]]
    assert [line.split("  ", 1)[1].split(", child of")[0] for line in say("history", "fast").splitlines()] == [
        f"main process {pid} sh" for pid in pids
    ]


def test_the_history_of_a_job_that_runs_ends_with_what_runs(place, say):
    main = place.main("runs")
    (line,) = say("history", "runs").splitlines()
    assert line.strip() == f"main process {main} sleep, child of {place.daemon.pid}: runs"
    assert [each["pid"] for each in json.loads(say("history", "--json", "runs"))["living"]] == [main]


def test_the_history_tells_what_was_left_and_ended(say):
    told = json.loads(say("history", "--json", "forks"))["processes"]
    assert [each["process"] for each in told] == ["main", "child"]
    assert [line.split()[2] for line in say("history", "forks").splitlines()] == ["main", "child"]


def test_capabilities_tells_of_every_way_whether_it_is_in_force(place, say):
    found = json.loads(say("capabilities", "--json"))
    lines = say("capabilities").splitlines()
    assert lines[0].startswith(f"supervisor {place.daemon.pid} of uid {found['uid']}, Python {found['python']}")
    assert [line[2:5].strip() for line in lines[2:]] == [["no", "yes"][each["in_force"]] for each in found["tracking"]]
    assert [line[6:].split(":")[0] for line in lines[2:]] == [each["name"] for each in found["tracking"]]
    assert all(each["in_force"] or each["why"] for each in found["tracking"])


@pytest.mark.parametrize("verb", ["explain", "history"])
def test_an_unknown_job_is_told_in_a_sentence(place, built, verb):
    done = call(place, built, verb, "nobody-knows")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "fosterctl: Unknown job: nobody-knows\n"


def test_a_module_gets_the_same_words_for_what_is_there_and_what_is_not(place, say):
    asked = Supervisor.open(f"unix:path={place.folder}/run/control")
    jobs = {job["name"]: job for job in Facts(asked, False).jobs(None)}
    asked.close()
    there = {name: job["instances"][0]["explain"] for name, job in jobs.items() if job["instances"]}
    assert there == {name: explained(say, name) for name in ("miscounts", "runs")}
    absent = {name: job["why_not_running"]["reason"] for name, job in jobs.items() if not job["instances"]}
    assert absent == {name: explained(say, name)["reason"] for name in ("waits", "fast", "forks")}
