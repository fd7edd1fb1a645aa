# SPDX-License-Identifier: GPL-3.0-or-later
"""supervisord's programs as jobs."""

from __future__ import annotations

import pytest
from ansible_collections.foster.init.plugins.module_utils.job.errors import JobError
from ansible_collections.foster.init.plugins.module_utils.job.importers.imported import Around, Imported
from ansible_collections.foster.init.plugins.module_utils.job.importers.supervisord import import_programs
from ansible_collections.foster.init.plugins.module_utils.job.model import Match
from ansible_collections.foster.init.plugins.module_utils.job.parser import parse_job
from ansible_collections.foster.init.plugins.module_utils.job.writer import write_job

PATH = "/etc/supervisor/conf.d/web.conf"


def programs(text: str) -> list[Imported]:
    found = import_programs(PATH, text, Around(hostname="box"))
    for each in found:
        assert parse_job(write_job(each.job), each.job.name, "written") == each.job
    return found


def test_a_program_with_its_defaults() -> None:
    (found,) = programs("[supervisord]\nnodaemon=true\n[program:web]\ncommand=/srv/web -p 80 ; the port\n")
    job = found.job
    assert job.exec_main is not None
    assert (job.name, job.exec_main.command, job.start_on) == ("web", "/srv/web -p 80", Match("startup"))
    assert (job.respawn, job.normal_exit, job.kill_signal, job.kill_timeout) == (True, (0,), "TERM", 10)
    assert found.lost == ()


def test_what_it_says_otherwise() -> None:
    (found,) = programs(
        "[program:web]\ncommand=/srv/web '$HOME' %(here)s %(host_node_name)s 100%%\ndirectory=/srv\nuser=www\n"
        "umask=027\nautostart=false\nautorestart=false\nexitcodes=0,2\nstopsignal=QUIT\nstopwaitsecs=30\n"
        "environment=A=\"1,2\",B='x y',C=z\nstdout_logfile=NONE\nserverurl=AUTO\n"
    )
    job = found.job
    assert job.exec_main is not None
    assert job.exec_main.command == "/srv/web '$HOME' /etc/supervisor/conf.d box 100%"
    assert (job.chdir, job.setuid, job.umask, job.start_on, job.respawn) == ("/srv", "www", 0o27, None, False)
    assert (job.normal_exit, job.kill_signal, job.kill_timeout, job.console) == ((0, 2), "QUIT", 30, "none")
    assert job.env == ("A=1,2", "B=x y", "C=z")
    assert [each.directive for each in found.lost] == ["serverurl"]


def test_several_processes_are_several_jobs() -> None:
    text = "[program:w]\ncommand=/srv/w %(process_num)d\nnumprocs=2\nnumprocs_start=1\n"
    found = programs(text + "process_name=%(program_name)s_%(process_num)02d\n")
    assert [(each.job.name, each.job.exec_main.command) for each in found if each.job.exec_main] == [
        ("w_01", "/srv/w 1"),
        ("w_02", "/srv/w 2"),
    ]


def test_what_is_no_program_is_told() -> None:
    (found,) = programs("[program:a]\ncommand=/bin/a\n[group:g]\nprograms=a\n")
    assert [(each.directive, each.matters) for each in found.lost] == [("group:g", True)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[program:a]\n", "a has no command"),
        ("[program:a]\ncommand=x\nnumprocs=many\n", "numprocs of a is many"),
        ("[program:a]\ncommand=x\nnumprocs=0\n", "1 to 1000"),
        ("[program:a]\ncommand=x %(ENV_HOME)s\n", "supervisord's own environment, ENV_HOME"),
        ("[program:a]\ncommand=x %(proces_num)d\n", "did you mean process_num"),
        ("[program:a]\ncommand=x\nstopsignal=BANG\n", "stopsignal of a is BANG"),
        ("[program:a]\ncommand=x\nenvironment=;\n", "is not KEY="),
        ("command=x\n", "web.conf:1: this is no line"),
        ("[program:a]\nnonsense\n", "web.conf:2: this is no line"),
    ],
)
def test_a_mistake_is_one_sentence_and_says_where(text: str, sentence: str) -> None:
    with pytest.raises(JobError, match=sentence):
        programs(text)
