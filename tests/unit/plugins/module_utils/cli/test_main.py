# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line client against a supervisor that is a table: it prints and returns what Upstart's clients do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.foster.init.plugins.module_utils.cli import context as context_module
from ansible_collections.foster.init.plugins.module_utils.cli.change import failure_text
from ansible_collections.foster.init.plugins.module_utils.cli.context import status_line
from ansible_collections.foster.init.plugins.module_utils.cli.dispatch import run
from ansible_collections.foster.init.plugins.module_utils.cli.main import main
from ansible_collections.foster.init.plugins.module_utils.dbus.errors import NO_REPLY_TEXT, BusError, BusUnreachable
from ansible_collections.foster.init.plugins.module_utils.dbus.upstart import instance_path, job_path, names_in
from ansible_collections.foster.init.plugins.module_utils.inits.foster import Foster
from ansible_collections.foster.init.plugins.module_utils.inits.interface import InstanceStatus

ERROR = "com.ubuntu.Upstart0_6.Error."


class Table:
    """A connection whose answers are written down: {member: answer or error}; ``calls`` keeps what was asked."""

    address = "unix:path=/nowhere"
    timeout = None

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.calls: list[tuple[str, str, tuple[Any, ...]]] = []

    def call(self, path: str, interface: str, member: str, signature: str = "", *values: Any, **_more: Any) -> Any:
        self.calls.append((path, member, values))
        answer = self.answers.get(member, ())
        if isinstance(answer, Exception):
            raise answer
        return answer(path, *values) if callable(answer) else answer

    def send(self, *call: Any) -> Any:
        return call

    def wait(self, call: Any) -> Any:
        return self.call(*call)

    def close(self) -> None:
        pass


def instance(path: str, goal: str = "start", state: str = "running", *processes: tuple[str, int]) -> Any:
    _job, name = names_in(path)
    values = {"name": ("s", name), "goal": ("s", goal), "state": ("s", state), "processes": ("a(si)", list(processes))}
    return (values,)


def web(**answers: Any) -> Table:
    """Return a supervisor with one job, web, whose one instance runs with pid 7."""
    usual = {
        "GetJobByName": lambda _path, name: (job_path(name),),
        "GetAllJobs": lambda _path: ([job_path("web"), job_path("db")],),
        "GetAllInstances": lambda path: ([instance_path("web", "")] if path == job_path("web") else [],),
        "GetInstance": lambda path, _env: (f"{path}/_",),
        "GetInstanceByName": lambda path, name: (instance_path(names_in(path)[0], name),),
        "Start": lambda path, *_values: (f"{path}/_",) if len(names_in(path)) == 1 else (),
        "GetAll": lambda path, _interface: instance(path, "start", "running", ("main", 7)),
    }
    return Table(**{**usual, **answers})


@pytest.fixture(autouse=True)
def outside_of_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UPSTART_JOB", "UPSTART_INSTANCE", "UPSTART_SESSION"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return a function that runs a command line against a table and gives (status, stdout, stderr)."""

    def run_against(table: Table, *argv: str) -> tuple[int, str, str]:
        class Opened(Foster):
            @classmethod
            def open(cls, where: str, timeout: Any = None) -> Foster:
                return cls(table)  # type: ignore[arg-type]

        monkeypatch.setattr(context_module, "Foster", Opened)
        status = main(list(argv))
        out, err = capsys.readouterr()
        return status, out, err

    return run_against


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (InstanceStatus("web", "", "start", "running", (("main", 7),)), "web start/running, process 7"),
        (InstanceStatus("i", "a", "start", "running", (("main", 7),)), "i (a) start/running, process 7"),
        (InstanceStatus("web", "", "stop", "waiting"), "web stop/waiting"),
        (InstanceStatus("p", "", "start", "pre-start", (("pre-start", 1),)), "p start/pre-start, process 1"),
        (
            InstanceStatus("p", "", "start", "post-start", (("post-start", 1),)),
            "p start/post-start, (post-start) process 1",
        ),
        (
            InstanceStatus("ps", "", "start", "pre-stop", (("main", 8), ("pre-stop", 10))),
            "ps start/pre-stop, process 8\n\tpre-stop process 10",
        ),
    ],
)
def test_a_status_is_printed_as_upstart_prints_it(status: InstanceStatus, line: str) -> None:
    assert status_line(status) == line


def test_start_prints_the_status_afterwards(ask: Any) -> None:
    table = web()
    assert ask(table, "initctl", "start", "web", "A=1") == (0, "web start/running, process 7\n", "")
    assert (job_path("web"), "Start", (["A=1"], True)) in table.calls


def test_no_wait_is_passed_on(ask: Any) -> None:
    table = web()
    ask(table, "/usr/bin/start", "--no-wait", "web")
    assert (job_path("web"), "Start", ([], False)) in table.calls


def test_quiet_prints_no_status(ask: Any) -> None:
    assert ask(web(), "initctl", "-q", "start", "web") == (0, "", "")


@pytest.mark.parametrize("program", ["start", "stop", "restart", "reload", "status"])
def test_a_missing_job_is_told_with_the_name_of_the_program(ask: Any, program: str) -> None:
    sentence = f"{program}: missing job name\nTry `{program} --help' for more information.\n"
    assert ask(web(), f"/sbin/{program}") == (1, "", sentence)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ([], "missing command"),
        (["foo"], "invalid command: foo"),
        (["tree"], "invalid command: tree"),
        (["emit"], "missing event name"),
    ],
)
def test_a_wrong_command_points_to_the_help(ask: Any, words: list[str], problem: str) -> None:
    assert ask(web(), "initctl", *words) == (1, "", f"initctl: {problem}\nTry `initctl --help' for more information.\n")


@pytest.mark.parametrize(
    "sentence", ["Unknown job: x", "Unknown instance: ", "Job is already running: i (a)", "Job failed to start"]
)
def test_an_error_of_the_supervisor_is_printed_after_the_name_of_the_program(ask: Any, sentence: str) -> None:
    table = web(Start=BusError(ERROR + "Some", sentence))
    assert ask(table, "start", "web") == (1, "", f"start: {sentence}\n")


def test_a_supervisor_that_goes_away_is_told_in_the_words_of_libdbus(ask: Any) -> None:
    table = web(EmitEvent=BusError("org.freedesktop.DBus.Error.NoReply", NO_REPLY_TEXT))
    assert ask(table, "initctl", "emit", "x") == (1, "", f"initctl: {NO_REPLY_TEXT}\n")
    table = web(Start=BusError("org.freedesktop.DBus.Error.NoReply", NO_REPLY_TEXT))
    assert ask(table, "initctl", "start", "web") == (1, "", f"initctl: {NO_REPLY_TEXT}\n")


def test_inside_a_job_no_job_name_means_the_own_instance_without_waiting(
    ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPSTART_JOB", "web")
    monkeypatch.setenv("UPSTART_INSTANCE", "")
    table = web()
    assert ask(table, "start")[0] == 0
    assert (instance_path("web", ""), "Start", (False,)) in table.calls


def test_status_of_a_job_without_instance_is_waiting(ask: Any) -> None:
    unknown = BusError(ERROR + "UnknownInstance", "Unknown instance: ")
    assert ask(web(GetInstance=unknown), "status", "web") == (0, "web stop/waiting\n", "")


def test_status_of_a_certain_instance_that_is_not_there_fails(ask: Any) -> None:
    unknown = BusError(ERROR + "UnknownInstance", "Unknown instance: zz")
    assert ask(web(GetInstance=unknown), "status", "web", "N=zz") == (1, "", "status: Unknown instance: zz\n")


def test_an_instance_that_ends_between_two_questions_is_waiting(ask: Any) -> None:
    gone = BusError("org.freedesktop.DBus.Error.UnknownMethod", "no such object")
    assert ask(web(GetAll=gone), "stop", "web") == (0, "web stop/waiting\n", "")


def test_list_is_sorted_and_has_jobs_without_instance(ask: Any) -> None:
    assert ask(web(), "initctl", "list") == (0, "db stop/waiting\nweb start/running, process 7\n", "")


def test_environment_inside_a_job_is_that_jobs_unless_global(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPSTART_JOB", "web")
    monkeypatch.setenv("UPSTART_INSTANCE", "a")
    table = web()
    ask(table, "initctl", "set-env", "A=1")
    ask(table, "initctl", "set-env", "--global", "--retain", "A=2")
    assert [values for _path, member, values in table.calls if member == "SetEnvList"] == [
        (["web", "a"], ["A=1"], True),
        ([], ["A=2"], False),
    ]


def test_list_env_is_sorted(ask: Any) -> None:
    assert ask(web(ListEnv=(["B=2", "A=1"],)), "initctl", "list-env")[1] == "A=1\nB=2\n"


def test_fosterctl_says_why_a_start_failed(ask: Any) -> None:
    described = '[{"name": "web", "last_failure": {"process": "main", "exit_status": 3, "log_tail": ["boom"]}}]'
    table = web(Start=BusError(ERROR + "JobFailed", "Job failed to start"), Describe=(described,))
    sentence = "fosterctl: Job failed to start: the main process of web exited with status 3\n  | boom\n"
    assert ask(table, "fosterctl", "start", "web") == (1, "", sentence)


def test_a_failed_step_is_told_with_its_reason() -> None:
    text = failure_text("web", {"process": "main", "step": "execute", "errno": 2})
    assert text == "the main process of web could not be started: execute: No such file or directory"


def test_nobody_at_the_socket_is_one_sentence_that_says_how_to_start(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["fosterctl", "--address", f"unix:path={tmp_path}/control", "list"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"{tmp_path}/control" in error
    assert "fosterd" in error


def test_upstarts_clients_say_that_they_cannot_connect(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*arguments: object) -> None:
        raise BusUnreachable("nobody")

    monkeypatch.setattr(Foster, "open", refuse)
    assert main(["initctl", "list"]) == 1
    assert capsys.readouterr().err == "initctl: Unable to connect to Upstart: nobody\n"


@pytest.mark.parametrize("words", [["--help"], ["help"], ["start", "--help"], ["--version"]])
def test_help_needs_no_supervisor(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert main(["fosterctl", *words]) == 0
    assert "fosterctl" in capsys.readouterr().out


def test_the_bundle_takes_the_program_from_its_first_argument(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["/x/foster.pyz", "initctl", "foo"]) == 1
    assert capsys.readouterr().err.startswith("initctl: invalid command: foo\n")


# ---- check-config on files ----


def check(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    status = main(["fosterctl", "check-config", str(path)])
    return status, capsys.readouterr().err


def test_good_job_files_are_accepted_without_a_supervisor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "web.conf").write_text("exec sleep 1\n")
    (tmp_path / "web.override").write_text("manual\n")
    assert check(tmp_path, capsys) == (0, "")


def test_every_bad_job_file_of_a_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.conf").write_text("exec true\nbogus\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.conf").write_text("umask 999\n")
    status, error = check(tmp_path, capsys)
    assert status == 1
    first, second = error.splitlines()
    assert first.startswith(f"fosterctl: {tmp_path}/a.conf:2: ")
    assert second.startswith(f"fosterctl: {tmp_path}/sub/b.conf:1: ")


def test_a_dangling_link_noise_and_a_fifo_are_one_sentence_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "link.conf").symlink_to("nowhere")
    (tmp_path / "noise.conf").write_bytes(bytes(range(256)) * 40_000)
    os.mkfifo(tmp_path / "fifo.conf")
    for name in ("link", "noise", "fifo"):
        status, error = check(tmp_path / f"{name}.conf", capsys)
        assert status == 1
        assert error.count("\n") == 1
        assert f"{name}.conf" in error


def test_a_client_loads_nothing_that_makes_it_slow() -> None:
    """dataclasses pulls in inspect, which is more than half of what a call costs."""
    plugins = Path(context_module.__file__).resolve().parents[2]
    program = (
        f"import sys; sys.path.insert(0, {str(plugins)!r}); import module_utils.cli.verbs.status; "
        "import module_utils.cli.main, module_utils.cli.context; "
        "print(sorted({'dataclasses', 'inspect', 'json', 'asyncio', 'subprocess'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-IS", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
