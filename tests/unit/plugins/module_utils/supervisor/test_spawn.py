# SPDX-License-Identifier: GPL-3.0-or-later
"""What is executed for a job's process, and how a failing step is told."""

from __future__ import annotations

import errno
import os
import signal

import pytest
from ansible_collections.foster.init.plugins.module_utils.job.model import Job, Limit, Process, ProcessKind
from ansible_collections.foster.init.plugins.module_utils.supervisor import spawn
from ansible_collections.foster.init.plugins.module_utils.supervisor.spawn import SpawnError, Surroundings


def planned(command: str, script: bool = False, **fields: object) -> spawn.Plan:
    job = Job("j", exec_main=Process(command, script), **fields)
    return spawn.plan(job, ProcessKind.MAIN, ("PATH=/bin:/usr/bin", "A=b=c"))


@pytest.fixture
def around():
    null = os.open("/dev/null", os.O_RDWR)
    folder = os.open(".", os.O_RDONLY)
    yield Surroundings(null, folder, (1024, 4096), True)
    os.close(null)
    os.close(folder)


def run(plan: spawn.Plan, around: Surroundings) -> tuple[int, str]:
    """Start, wait for the end, and return the exit status and the output."""
    reader, writer = os.pipe()
    try:
        pid = spawn.spawn(plan, writer, around)
    finally:
        os.close(writer)
    with open(reader) as file:
        output = file.read()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), output


def test_a_plain_command_is_executed_directly():
    assert planned("sleep  10\t20").argv == ["sleep", "10", "20"]


@pytest.mark.parametrize("character", sorted("~`!$^&*()=|\\{}[];\"'<>?"))
def test_a_shell_character_brings_the_shell(character):
    command = f"echo {character}"
    assert planned(command).argv == ["/bin/sh", "-e", "-c", f"exec {command}", "/bin/sh"]


def test_a_script_of_one_line_is_an_argument():
    plan = planned("echo hello\n", script=True)
    assert (plan.argv, plan.script) == (["/bin/sh", "-e", "-c", "echo hello", "/bin/sh"], None)


def test_a_script_of_many_lines_is_read_from_descriptor_nine():
    plan = planned("echo a\necho b\n", script=True)
    assert (plan.argv, plan.script) == (["/bin/sh", "-e", "/proc/self/fd/9"], "exec 9<&-\necho a\necho b\n")


def test_variables_keep_what_follows_the_first_equals_sign():
    assert planned("true").env["A"] == "b=c"


def test_an_environment_file_replaces_what_env_says(tmp_path):
    path = tmp_path / "web"
    path.write_text("A='from the file'\nB=2\n")
    plan = planned("true", env_files=(str(path), "-/nowhere/at/all"))
    assert plan.env == {"PATH": "/bin:/usr/bin", "A": "from the file", "B": "2"}


@pytest.mark.parametrize(("make", "number"), [(lambda path: None, errno.ENOENT), (os.mkfifo, errno.EINVAL)])
def test_an_environment_file_that_cannot_be_read_fails_the_start_and_blocks_nothing(tmp_path, make, number):
    make(tmp_path / "web")
    with pytest.raises(SpawnError) as caught:
        planned("true", env_files=(str(tmp_path / "web"),))
    assert (caught.value.step, caught.value.errno) == ("environment-file", number)


def test_ordinary_stanzas_need_no_steps_in_the_child():
    assert not planned("true", umask=0o77, chdir="/tmp").in_child


@pytest.mark.parametrize("fields", [{"nice": 0}, {"setuid": "u"}, {"limits": (("nofile", Limit(1, 1)),)}])
def test_stanzas_that_change_the_process_itself_need_steps_in_the_child(fields):
    assert planned("true", **fields).in_child


def test_a_script_longer_than_a_pipe_is_read_to_its_end(around):
    text = "echo begin\n" + "# padding\n" * 20000 + "echo end\n"
    assert run(planned(text, script=True), around) == (0, "begin\nend\n")


def test_a_process_leads_its_session_and_has_none_of_our_descriptors(around):
    status, output = run(planned("sh -c 'cut -d\" \" -f6 /proc/$$/stat; echo $$; ls /proc/$$/fd'"), around)
    lines = output.split()
    assert status == 0
    assert lines[0] == lines[1]
    assert {"0", "1", "2"} <= set(lines[2:])
    assert not {str(around.null_fd), str(around.folder_fd)} & set(lines[2:])


def test_a_file_without_interpreter_line_runs_in_the_shell(around, tmp_path):
    program = tmp_path / "program"
    program.write_text("echo from the shell $1\n")
    program.chmod(0o755)
    assert run(planned(f"{program} x"), around) == (0, "from the shell x\n")


def test_umask_and_folder_are_the_jobs_and_afterwards_ours_again(around, tmp_path):
    before = os.getcwd(), os.umask(0o022)
    status, output = run(planned("sh -c 'pwd; umask'", umask=0o071, chdir=str(tmp_path)), around)
    after = os.getcwd(), os.umask(before[1])
    assert (status, output.split()) == (0, [str(tmp_path), "0071"])
    assert after == (before[0], 0o022)


@pytest.mark.parametrize(
    ("plan", "step", "number"),
    [
        (planned("no-such-program-anywhere"), "exec", errno.ENOENT),
        (planned("/dev/null"), "exec", errno.EACCES),
        (planned("true", chdir="/no/such/folder"), "chdir", errno.ENOENT),
    ],
)
def test_a_failing_step_is_named(around, plan, step, number):
    with pytest.raises(SpawnError) as caught:
        run(plan, around)
    assert (caught.value.step, caught.value.errno) == (step, number)


def child(plan: spawn.Plan, around: Surroundings, go: bytes) -> tuple[bytes, int]:
    """Fork, say go or not, and return what the child said and how it ended."""
    pid, status, start = spawn.fork_child(plan, around.null_fd, around)
    os.write(start, go)
    os.close(start)
    with open(status, "rb") as file:
        said = file.read()
    return said, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_child_executes_when_it_is_told_to_go(around):
    assert child(planned("true", nice=0), around, b"!") == (b"", 0)


def test_a_child_whose_supervisor_dies_before_the_ledger_knows_it_executes_nothing(around, tmp_path):
    said, status = child(planned(f"touch {tmp_path}/ran", nice=0), around, b"")
    assert (status, (tmp_path / "ran").exists()) == (255, False)
    assert said == b""


def test_a_child_tells_the_step_that_failed(around):
    said, status = child(planned("true", nice=0, chdir="/no/such/folder"), around, b"!")
    error = spawn.parse_status(said)
    assert error is not None
    assert (error.step, error.errno, status) == ("chdir", errno.ENOENT, 255)


def test_an_unknown_user_is_told_before_anything_is_executed(around):
    error = spawn.parse_status(child(planned("true", setuid="no-such-user"), around, b"!")[0])
    assert error is not None
    assert error.step == "setuid"


def test_a_child_that_was_killed_before_it_may_go_on_is_no_error(around):
    """The supervisor ended with "Broken pipe" when the kernel's OOM killer was faster."""
    pid, status, go = spawn.fork_child(planned("true", nice=1), around.null_fd, around)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    spawn.let_go(go)
    assert spawn.parse_status(os.read(status, 64)) is None
    os.close(status)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(go)


@pytest.mark.parametrize("left", [0, 1])
def test_a_child_for_which_no_descriptors_are_left_is_a_step_that_fails(around, monkeypatch, left):
    """It ended the supervisor."""
    made = []

    def pipe2(flags):
        if len(made) == left:
            raise OSError(errno.EMFILE, "Too many open files")
        made.append(os.pipe())
        return made[-1]

    monkeypatch.setattr(spawn.os, "pipe2", pipe2)
    with pytest.raises(SpawnError) as caught:
        spawn.fork_child(planned("true", nice=1), around.null_fd, around)
    assert (caught.value.step, caught.value.errno) == ("fork", errno.EMFILE)
    for fd in (fd for pipe in made for fd in pipe):
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)


def test_a_script_for_which_no_descriptor_is_left_is_a_step_that_fails(around, monkeypatch):
    def none_left(*_arguments):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(spawn, "script_descriptor", none_left)
    with pytest.raises(SpawnError) as caught:
        run(planned("true\ntrue", script=True), around)
    assert (caught.value.step, caught.value.errno) == ("script", errno.EMFILE)
