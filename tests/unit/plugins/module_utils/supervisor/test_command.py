# SPDX-License-Identifier: GPL-3.0-or-later
"""The command that fosterd is given: its job file, and what its end means."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from ansible_collections.foster.init.plugins.module_utils.job.model import ProcessKind
from ansible_collections.foster.init.plugins.module_utils.job.parser import parse_job
from ansible_collections.foster.init.plugins.module_utils.supervisor import command
from ansible_collections.foster.init.plugins.module_utils.supervisor.errors import StartError
from ansible_collections.foster.init.plugins.module_utils.supervisor.spawn import plan

PRE_START, MAIN = {"process": "pre-start", "exit_status": 9}, {"process": "main", "exit_status": 3}


@pytest.mark.parametrize(
    ("ended", "failure", "status"),
    [
        ([MAIN], None, 3),
        ([PRE_START, MAIN, PRE_START], None, 3),
        ([{"process": "main", "signal": 15}], None, 143),
        ([MAIN, {"process": "main", "exit_status": 0}], None, 0),
        ([], {"process": "main", "step": "exec", "errno": errno.ENOENT}, 127),
        ([], {"process": "main", "step": "exec", "errno": errno.EACCES}, 126),
        ([PRE_START], {"process": "pre-start", "exit_status": 9}, 1),
        ([], None, 0),
    ],
)
def test_the_exit_status_is_what_a_shell_would_tell_of_the_command(ended, failure, status):
    assert command.exit_status(ended, failure) == status


def test_the_job_runs_the_words_as_they_were_given(tmp_path):
    words = ["printf", "a b", "", "$HOME; `x`", "it's"]
    command.write_job_file(str(tmp_path), [], "startup", words, "/srv")
    job = parse_job(Path(command.folder(str(tmp_path)), "main.conf").read_text(), "main", "main.conf")
    argv = plan(job, ProcessKind.MAIN, ()).argv
    assert argv == ["/bin/sh", "-e", "-c", "exec printf 'a b' '' '$HOME; `x`' 'it'\"'\"'s'", "/bin/sh"]
    assert job.chdir == "/srv"


def test_a_job_of_that_name_in_another_folder_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "main.conf").write_text("exec true\n")
    with pytest.raises(StartError, match=r"main\.conf") as caught:
        command.write_job_file(str(tmp_path / "run"), [str(tmp_path)], "startup", ["true"], "/")
    assert "\n" not in str(caught.value)
