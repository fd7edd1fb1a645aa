# SPDX-License-Identifier: GPL-3.0-or-later
"""SysV scripts as jobs."""

from __future__ import annotations

import pytest
from ansible_collections.foster.init.plugins.module_utils.job.errors import JobError
from ansible_collections.foster.init.plugins.module_utils.job.importers.imported import Imported
from ansible_collections.foster.init.plugins.module_utils.job.importers.sysv import import_script
from ansible_collections.foster.init.plugins.module_utils.job.model import Expect, Match
from ansible_collections.foster.init.plugins.module_utils.job.parser import parse_job
from ansible_collections.foster.init.plugins.module_utils.job.writer import write_job

HEADER = """#!/bin/sh
### BEGIN INIT INFO
# Provides:          web www
# Required-Start:    $network
# Default-Start:     {levels}
# Default-Stop:      0 1 6
# Short-Description: serves pages
### END INIT INFO
"""


def script(text: str, levels: str = "2 3 4 5") -> Imported:
    found = import_script("web", "/etc/init.d/web", HEADER.format(levels=levels) + text)
    assert parse_job(write_job(found.job), "web", "written") == found.job
    return found


def test_with_a_pidfile_its_daemon_is_the_main_process() -> None:
    found = script('NAME=web\nPIDFILE="/run/$NAME/${NAME}.pid"\n')
    assert found.job.expect == Expect("pidfile", "/run/web/web.pid")
    assert found.job.exec_main is not None
    assert found.job.exec_main.command == "/etc/init.d/web start"
    assert found.job.pre_stop is not None
    assert found.job.pre_stop.command == "/etc/init.d/web stop || :\n"
    assert not [each for each in found.lost if each.matters]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PIDFILE=$(cat /x)\n",
        "PIDFILE=/run/a.pid\nPIDFILE=/run/b.pid\n",
        "PIDFILE=/run/$UNKNOWN.pid\n",
        "PIDFILE=x\n",
    ],
)
def test_without_a_sure_pidfile_it_runs_from_start_to_stop_and_says_so(text: str) -> None:
    found = script(text)
    assert found.job.exec_main is None
    assert found.job.pre_start is not None
    assert found.job.pre_start.command == "/etc/init.d/web start\n"
    assert found.job.post_stop is not None
    assert found.job.post_stop.command == "/etc/init.d/web stop || :\n"
    assert [each.directive for each in found.lost if each.matters] == ["pidfile"]


def test_the_header_says_what_it_is_and_whether_it_starts_at_boot() -> None:
    found = script("")
    assert (found.job.description, found.job.start_on, found.aliases) == ("serves pages", Match("startup"), ("www",))
    assert script("", levels="").job.start_on is None


@pytest.mark.parametrize(
    ("text", "reloads"),
    [
        ("case $1 in\n  reload)\n", True),
        ("case $1 in\n  reload|force-reload)\n", True),
        ("case $1 in\n  force-reload | reload )\n", True),
        ("case $1 in\n  start|stop|restart|reload)\n", True),
        ("case $1 in\n  restart|reload)\n", False),
        ("case $1 in\n  restart|force-reload)\n", False),
        ("# reload\n", False),
    ],
)
def test_it_reloads_where_that_does_not_start_another_daemon(text: str, reloads: bool) -> None:
    found = script(text)
    assert (found.reloads, found.reload is not None) == (reloads, reloads)


def test_a_text_that_is_no_script_is_refused() -> None:
    with pytest.raises(JobError, match="does not begin with #!"):
        import_script("web", "/etc/init.d/web", "start() {\n")
