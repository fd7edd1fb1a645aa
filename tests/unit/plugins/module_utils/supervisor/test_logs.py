# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs: everything that is written arrives in the right file, whatever happens to the file."""

from __future__ import annotations

import os
import stat

import pytest
from ansible_collections.foster.init.plugins.module_utils.job.model import Job
from ansible_collections.foster.init.plugins.module_utils.supervisor.logs import Logs, file_name
from ansible_collections.foster.init.plugins.module_utils.supervisor.loop import Loop

KEY = ("job", "")


@pytest.fixture
def loop():
    made = Loop()
    yield made
    made.close()


@pytest.fixture(params=["pipes", "terminals"])
def logs(request, loop, tmp_path):
    (tmp_path / "log").mkdir()
    (tmp_path / "pipes").mkdir()
    pipes = str(tmp_path / "pipes") if request.param == "pipes" else None
    made = Logs(loop, str(tmp_path / "log"), pipes, lambda text: None)
    yield made
    made.close(keep=False)


def text(logs: Logs) -> str:
    return open(logs.path(KEY)).read().replace("\r\n", "\n")


JOB = Job("job")


def say(logs: Logs, data: bytes, job: Job = JOB) -> None:
    fd = logs.open(KEY, job)
    os.write(fd, data)
    logs.drain(KEY)
    os.close(fd)


def test_the_file_is_made_at_the_first_output_and_readable_by_the_group(logs):
    fd = logs.open(KEY, Job("job"))
    assert not os.path.exists(logs.path(KEY))
    os.write(fd, b"hello\n")
    logs.drain(KEY)
    os.close(fd)
    assert text(logs) == "hello\n"
    assert stat.S_IMODE(os.stat(logs.path(KEY)).st_mode) == 0o640


def test_output_is_kept_when_its_writer_has_ended_before_it_is_read(logs, loop):
    fd = logs.open(KEY, Job("job"))
    os.write(fd, b"last words\n")
    os.close(fd)
    loop.turn(1.0)
    assert text(logs) == "last words\n"


def test_a_process_goes_on_writing_after_another_of_its_instance_was_started(logs, loop):
    """main's terminal was closed when post-start began, so what main wrote from then on was lost."""
    main = logs.open(KEY, Job("job"))
    post_start = logs.open(KEY, Job("job"))
    os.write(post_start, b"beside\n")
    os.write(main, b"still here\n")
    os.close(main)
    os.close(post_start)
    logs.drain(KEY)
    assert sorted(text(logs).splitlines()) == ["beside", "still here"]


def test_a_removed_file_is_made_again(logs):
    say(logs, b"one\n")
    os.unlink(logs.path(KEY))
    say(logs, b"two\n")
    assert text(logs) == "two\n"


def test_a_file_that_is_large_enough_is_rotated(logs):
    for number in range(4):
        say(logs, b"%d23456789\n" % number, Job("job", log_size=10, log_keep=2))
    assert not os.path.exists(logs.path(KEY))
    assert sorted(os.listdir(os.path.dirname(logs.path(KEY)))) == ["job.log.1", "job.log.2"]


def test_a_link_in_place_of_the_file_is_not_followed(logs, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("")
    os.symlink(victim, logs.path(KEY))
    say(logs, b"evil\n")
    assert victim.read_text() == ""


def test_a_second_name_of_a_file_is_not_written_to(logs, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("")
    os.link(victim, logs.path(KEY))
    say(logs, b"evil\n")
    assert victim.read_text() == ""
    os.unlink(logs.path(KEY))
    logs.drain(KEY)
    assert text(logs) == "evil\n"


def test_a_pipe_in_place_of_the_file_gets_nothing(logs):
    os.mkfifo(logs.path(KEY))
    reader = os.open(logs.path(KEY), os.O_RDONLY | os.O_NONBLOCK)
    try:
        say(logs, b"secret\n")
        assert os.read(reader, 100) == b""
    finally:
        os.close(reader)


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a file away needs root")
def test_a_file_of_somebody_else_is_not_written_to(logs):
    with open(logs.path(KEY), "w"):
        pass
    os.chown(logs.path(KEY), 65534, 65534)
    say(logs, b"secret\n")
    assert text(logs) == ""


def test_the_tail_begins_with_the_last_process(logs):
    say(logs, b"before\n")
    say(logs, b"one\ntwo\n")
    assert logs.tail(KEY) == ["one", "two"]


def test_a_next_supervisor_reads_on_where_the_last_one_stopped(loop, tmp_path):
    (tmp_path / "log").mkdir()
    (tmp_path / "pipes").mkdir()
    first = Logs(loop, str(tmp_path / "log"), str(tmp_path / "pipes"), lambda text: None)
    fd = first.open(KEY, Job("job"))
    os.write(fd, b"one\n")
    first.close(keep=True)
    os.write(fd, b"two\n")
    second = Logs(loop, str(tmp_path / "log"), str(tmp_path / "pipes"), lambda text: None)
    second.adopt([KEY])
    second.drain(KEY)
    assert text(second) == "one\ntwo\n"
    os.close(fd)
    second.forget(KEY)
    loop.turn()
    assert os.listdir(tmp_path / "pipes") == []


@pytest.mark.parametrize(
    ("key", "name"), [(("a", ""), "a"), (("a", "x/y"), "a-x_y"), (("d/s", ""), "d_s"), (("a", "../../x"), "a-.._.._x")]
)
def test_names_stay_in_the_folder(key, name):
    assert file_name(key) == name


def test_a_log_that_two_jobs_have_in_common_stays_when_one_of_them_ends(logs, loop):
    """The next process of the other one could not be started: its pipe had been taken away."""
    one, other = ("a", "b"), ("a-b", "")
    os.close(logs.open(one, Job("a")))
    loop.turn(1.0)
    running = logs.open(other, Job("a-b"))
    logs.forget(one)
    following = logs.open(other, Job("a-b"))
    os.write(following, b"still heard\n")
    logs.drain(other)
    for fd in (running, following):
        os.close(fd)
    with open(logs.path(other)) as file:
        assert "still heard" in file.read()
