# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task does with a job whose init is Upstart; only com.ubuntu.Upstart0_6 is spoken."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest
from module_utils.ansible import daemon_options
from module_utils.ansible.converge import Outcome
from module_utils.ansible.daemon import Daemon
from module_utils.ansible.daemon_start import Choice, JobRunner, upstart_options
from module_utils.ansible.errors import TaskError
from module_utils.ansible.facts import Facts
from module_utils.inits.errors import InitError, InitUnreachable
from module_utils.inits.upstart.init import Upstart
from module_utils.job.exporters.errors import CannotSay

SLEEP = "exec sleep 1000\n"


def actions(outcome: Outcome) -> list[str]:
    """Return what was done, files by their names alone."""
    said = [action.split() for action in outcome.difference.actions]
    return [" ".join([verb, os.path.basename(what[0]), *what[1:]]) for verb, *what in said]


def main(outcome: Outcome, instance: str = "") -> Optional[int]:
    found: dict[str, Any] = {each["name"]: each for each in outcome.job["instances"]}
    return next((p["pid"] for p in found.get(instance, {}).get("processes", ()) if p["kind"] == "main"), None)


def test_a_job_is_started_once_and_check_mode_says_so(session: Any) -> None:
    foreseen = session.task("web", text=SLEEP, check=True)
    assert not (session.jobs / "web.conf").exists()
    first = session.task("web", text=SLEEP)
    assert actions(foreseen) == actions(first) == ["write web.conf", "start web"]
    assert [proof["escaped"] for proof in first.escape] == [True]
    assert first.escape[0]["ppid"] == session.pid
    second = session.task("web", text=SLEEP)
    assert actions(second) == []
    assert main(first) is not None and main(second) == main(first)


def test_a_set_is_started_together_and_a_second_run_does_nothing(session: Any) -> None:
    texts = {f"many{number}": SLEEP for number in range(20)}
    foreseen = session.set(texts, owner="shop", check=True)
    assert list(session.jobs.iterdir()) == []
    done = session.set(texts, owner="shop")
    assert (done.failures, done.changed) == ([], list(texts))
    assert foreseen.difference.result(True) == done.difference.result(True)
    pids = [session.main(name) for name in texts]
    again = session.set(texts, owner="shop")
    assert (again.changed, [session.main(name) for name in texts]) == ([], pids)


def test_a_purge_removes_what_the_owner_brought_and_nothing_else(session: Any) -> None:
    session.task("mine", text=SLEEP)
    session.set({"a": SLEEP, "b": SLEEP}, owner="shop")
    session.set({"c": SLEEP}, owner="bank")
    done = session.set({"b": "exec sleep 1001\n"}, owner="shop", purge=True)
    assert (done.removed, done.changed, done.failures) == (["a"], ["b"], [])
    assert sorted(path.name for path in session.jobs.iterdir()) == ["b.conf", "c.conf", "mine.conf"]


def test_those_of_a_set_that_fail_are_all_told(session: Any) -> None:
    texts = {
        "good": SLEEP,
        "fails": "pre-start exec false\nexec sleep 1000\n",
        "dies": "script\n  echo address in use\n  exit 4\nend script\n",
        "beyond": f"expect notify\n{SLEEP}",
    }
    done = session.set(texts, stay_up=2.0)
    told = {each["name"]: each["msg"] for each in done.failures}
    assert sorted(told) == ["beyond", "dies", "fails"]
    assert "pre-start process ended with exit status 1" in told["fails"]
    assert "exit status 4" in told["dies"]
    assert "address in use" in told["dies"]
    session.main("good")


def test_another_definition_replaces_what_runs(session: Any) -> None:
    first = session.task("web", text=SLEEP)
    second = session.task("web", text="exec sleep 1001\n")
    assert actions(second) == ["write web.conf", "stop web", "start web"]
    assert main(second) != main(first)
    assert b"1001" in Path(f"/proc/{main(second)}/cmdline").read_bytes()
    assert actions(session.task("web", text="exec sleep 1001\n")) == []


def test_what_was_left_with_an_older_definition_is_replaced_later(session: Any) -> None:
    first = session.task("web", text=SLEEP)
    left = session.task("web", text="exec sleep 1001\n", on_change="none")
    assert (actions(left), main(left)) == (["write web.conf"], main(first))
    assert actions(session.task("web", on_change="none")) == []
    assert actions(session.task("web", check=True)) == ["stop web", "start web"]
    last = session.task("web")
    assert b"1001" in Path(f"/proc/{main(last)}/cmdline").read_bytes()
    assert actions(session.task("web")) == []


def test_a_comment_replaces_nothing(session: Any) -> None:
    first = session.task("web", text=SLEEP)
    second = session.task("web", text=f"# now with a comment\n{SLEEP}")
    assert (actions(second), main(second)) == (["write web.conf"], main(first))
    assert actions(session.task("web")) == []


def test_instances_come_back_with_their_variables(session: Any) -> None:
    text = "instance $NUMBER\nenv KIND=old\nexec sleep 10$NUMBER\n"
    session.task("worker", text=text, env={"NUMBER": "1"})
    session.task("worker", text=text, env={"NUMBER": "2"})
    assert actions(session.task("worker", text=text, env={"NUMBER": "2"})) == []
    changed = session.task("worker", text=text.replace("old", "new"), env={"NUMBER": "1"})
    assert sorted(actions(changed)) == sorted(
        ["write worker.conf", "stop worker (1)", "stop worker (2)", "start worker (1)", "start worker (2)"]
    )
    for number in ("1", "2"):
        around = Path(f"/proc/{main(changed, number)}/environ").read_bytes().split(b"\0")
        assert f"NUMBER={number}".encode() in around
        assert b"KIND=new" in around
    stopped = session.task("worker", "stopped", env={"NUMBER": "1"})
    assert [each["name"] for each in stopped.job["instances"]] == ["2"]


def test_a_restart_replaces_the_process_though_the_job_has_a_pre_stop(session: Any) -> None:
    first = session.task("web", text=f"pre-stop exec true\n{SLEEP}")
    second = session.task("web", "restarted")
    assert actions(second) == ["restart web"]
    assert main(second) not in (None, main(first))


def test_a_start_that_fails_says_which_process_with_what_and_what_it_wrote(session: Any) -> None:
    with pytest.raises(TaskError) as caught:
        session.task("web", text="pre-start script\n  echo no disk here\n  exit 3\nend script\nexec sleep 1000\n")
    failure = caught.value.details["failure"]
    assert (failure["process"], failure["exit_status"]) == ("pre-start", 3)
    assert "no disk here" in str(caught.value)


def test_a_main_process_that_ends_at_once_fails_the_start(session: Any) -> None:
    with pytest.raises(TaskError, match="exit status 4") as caught:
        session.task("web", text="script\n  echo address in use\n  exit 4\nend script\n", stay_up=20.0)
    assert caught.value.details["failure"]["log_tail"] == ["address in use"]


def test_a_process_that_is_respawned_again_and_again_fails_the_start(session: Any) -> None:
    with pytest.raises(TaskError, match="was started, but within"):
        session.task("web", text="respawn\nrespawn limit unlimited\nexec false\n", stay_up=20.0)


def test_a_process_that_never_says_it_is_ready_fails_the_start_in_time(session: Any) -> None:
    with pytest.raises(TaskError, match=r"is not running after 0\.5 s \(it is start/spawned\)"):
        session.task("web", text=f"expect stop\n{SLEEP}", wait_timeout=0.5)
    # Upstart ends no process that it still waits for; the end of the process ends the job.
    os.kill(session.main("web"), signal.SIGKILL)


def test_a_program_that_is_not_there_fails_the_start(session: Any) -> None:
    with pytest.raises(TaskError, match="there is no such program"):
        session.task("web", text="exec /nonexistent/program\n")


def test_a_task_that_fails_fails_the_start(session: Any) -> None:
    session.task("once", text="task\nexec true\n")
    with pytest.raises(TaskError, match="exit status 1"):
        session.task("once", text="task\nexec false\n")


def test_manual_is_what_not_enabled_means(session: Any) -> None:
    text = f"start on some-event\n{SLEEP}"
    done = session.task("web", "present", text=text, enabled=False)
    assert actions(done) == ["write web.conf", "write web.override"]
    assert (session.jobs / "web.override").read_text() == "manual\n"
    assert not done.job["enabled"]
    assert actions(session.task("web", "present", enabled=True)) == ["remove web.override"]


def test_a_stopped_job_is_left_alone_and_an_absent_one_leaves_nothing(session: Any) -> None:
    session.task("web", text=SLEEP)
    assert actions(session.task("web", "stopped")) == ["stop web"]
    assert actions(session.task("web", "stopped")) == []
    session.task("web", text="exec sleep 1002\n", on_change="none")
    assert actions(session.task("web", "absent")) == ["stop web", "remove web.conf"]
    assert actions(session.task("web", "absent")) == []
    assert not (session.base / "run" / "foster" / "upstart").exists()


def test_a_stanza_that_upstart_has_not_is_refused_with_its_line(session: Any) -> None:
    for text, line in (
        (f"respawn\nrespawn delay 1\n{SLEEP}", "2: respawn delay: "),
        (f"expect notify\n{SLEEP}", "1: expect: Upstart has no expect notify"),
        (f"{SLEEP}cgroup memory.max 100M\n", "2: cgroup: "),
    ):
        with pytest.raises(CannotSay, match="use: foster") as caught:
            session.task("web", text=text)
        assert str(caught.value).startswith(f"{session.jobs}/web.conf:{line}")
    assert list(session.jobs.iterdir()) == []


def test_an_init_that_has_ended_is_said_to(session: Any) -> None:
    gone = {**session.environ, "UPSTART_SESSION": f"{session.environ['UPSTART_SESSION']}0"}
    with pytest.raises(InitUnreachable, match="that session init has ended"):
        Upstart.open(gone, user=True)


def test_without_an_address_the_only_session_init_is_found(session: Any) -> None:
    folder = session.base / "run" / "upstart" / "sessions"
    folder.mkdir(parents=True, exist_ok=True)
    mine = folder / f"{session.pid}.session"
    mine.write_text(f"UPSTART_SESSION={session.environ['UPSTART_SESSION']}\n")
    (folder / "1.session").write_text("UPSTART_SESSION=unix:abstract=/com/ubuntu/upstart-session/0/nobody\n")
    around = {key: value for key, value in session.environ.items() if key != "UPSTART_SESSION"}
    init = Upstart.open(around, user=True)
    try:
        assert init.pid == session.pid
    finally:
        init.close()


def test_a_stop_that_does_not_come_to_an_end_says_so(session: Any) -> None:
    script = "trap '' TERM\nkill -STOP $$\nwhile :; do sleep 1; done\n"
    first = session.task("web", text=f"kill timeout 600\nexpect stop\nscript\n{script}end script\n")
    pid = main(first)
    assert pid is not None
    with pytest.raises(InitError, match=r"is not stopped after 0\.5 s"):
        session.task("web", "stopped", wait_timeout=0.5)
    os.killpg(os.getpgid(pid), signal.SIGKILL)


def test_facts_of_a_job_and_why_another_one_does_not_run(session: Any) -> None:
    session.task("web", text=SLEEP)
    session.task("later", "present", text=f"start on started web KIND=a\n{SLEEP}")
    init = session.init()
    try:
        facts = {job["name"]: job for job in Facts(init, user=True).jobs(None)}
    finally:
        init.close()
    (process,) = facts["web"]["instances"][0]["processes"]
    assert (process["kind"], process["pid"], process["ppid"]) == ("main", session.main("web"), session.pid)
    assert [proof["escaped"] for proof in facts["web"]["escape"]] == [True]
    assert facts["later"]["why_not_running"]["reason"].endswith("has not come true: started web KIND=a")


FORKER = """\
import os, sys, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
if sys.argv[1:]: open(sys.argv[1], "w").write(f"{os.getpid()}\\n")
time.sleep(1000)
"""


@pytest.fixture
def daemon(session: Any, tmp_path: Path) -> Iterator[Any]:
    """What the module daemon does, with this init as the only one that can be asked; all of it is ended."""
    runner = JobRunner("upstart", session.pid, True, session.init, upstart_options)
    used: list[dict[str, Any]] = []

    def task(state: str = "started", **options: Any) -> dict[str, Any]:
        given = {**daemon_options_defaults(), "state": state, **options}
        used.append(given)
        made = Daemon(daemon_options.read(given, False), str(tmp_path / "records"), lambda _use: Choice(runner))
        return {**made.run(), "changed": made.difference.changed}

    yield task
    for given in used:
        if given["state"] == "started":
            task("stopped", **{key: value for key, value in given.items() if key not in ("state", "notify_await")})
    assert list(session.jobs.iterdir()) == []


def daemon_options_defaults() -> dict[str, Any]:
    return {
        "chdir": "/", "background": False, "make_pidfile": False, "remove_pidfile": False, "notify_await": False,
        "notify_timeout": 30.0, "stay_up": 0.2, "no_close": False, "on_outdated": "none", "use": "auto",
        "retry": "KILL/10",
    }  # fmt: skip


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program that no other process here executes, so that no other one is taken for the daemon."""
    path = tmp_path / "forker"
    path.write_text(f"#!/usr/bin/env python3\n{FORKER}")
    path.chmod(0o755)
    return path


def test_a_daemon_in_the_foreground_is_a_job_until_it_is_stopped(daemon: Any, session: Any, program: Path) -> None:
    program.write_text(program.read_text().replace("os.fork()", "0").replace("os.setsid()", ""))
    options = {"exec": str(program), "background": True}
    first = daemon(**options)
    assert (first["daemon"]["started_by"], first["escape"]["ppid"]) == ("upstart", session.pid)
    assert [path.stem for path in session.jobs.iterdir()] == [first["daemon"]["unit"]]
    again = daemon(**options)
    assert (again["changed"], again["daemon"]["pid"]) == (False, first["daemon"]["pid"])
    assert daemon("stopped", **options)["daemon"]["running"] is False


@pytest.mark.skipif("UPSTART_INIT" not in os.environ, reason="our supervisor ends what a task leaves behind")
@pytest.mark.parametrize("with_pidfile", [True, False])
def test_a_daemon_that_forks_is_found_though_upstart_does_not_follow_it(
    daemon: Any, session: Any, program: Path, with_pidfile: bool
) -> None:
    file = program.with_suffix(".pid")
    options: dict[str, Any] = {"exec": str(program)}
    if with_pidfile:
        options.update(args=[str(file)], pidfile=str(file))
    first = daemon(**options)
    assert (first["daemon"]["started_by"], first["escape"]["ppid"]) == ("upstart", session.pid)
    if with_pidfile:
        assert first["daemon"]["pid"] == int(file.read_text())
    assert list(session.jobs.iterdir()) == []
    again = daemon(**options)
    assert (again["changed"], again["daemon"]["pid"]) == (False, first["daemon"]["pid"])


def test_a_line_break_in_an_argument_reaches_the_daemon(daemon: Any, program: Path) -> None:
    program.write_text("#!/usr/bin/env python3\nimport time\ntime.sleep(1000)\n")
    told = daemon(exec=str(program), args=["one\ntwo's", "three"], background=True)
    words = Path(f"/proc/{told['daemon']['pid']}/cmdline").read_text().split("\0")
    assert words[-3:] == ["one\ntwo's", "three", ""]


def test_a_daemon_that_fails_leaves_no_job(daemon: Any, program: Path) -> None:
    program.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(TaskError, match="exit status 1"):
        daemon(exec=str(program))


def test_upstart_does_not_wait_for_a_daemon_that_says_when_it_is_ready(daemon: Any, program: Path) -> None:
    with pytest.raises(TaskError, match=r"notify_await: Upstart does not wait for sd_notify"):
        daemon(exec=str(program), background=True, notify_await=True)
