# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.foster.init.plugins.module_utils.inits.interface import Definition
from ansible_collections.foster.init.plugins.module_utils.inits.upstart.language import refuse_beyond
from ansible_collections.foster.init.plugins.module_utils.job.exporters.errors import CannotSay
from ansible_collections.foster.init.plugins.module_utils.job.parser import parse_job
from ansible_collections.foster.init.plugins.module_utils.job.stanzas import STANZAS

PATHS = ("/etc/init/web.conf", "/etc/init/web.override")
EXAMPLES = {
    "environment file": "/etc/default/web",
    "import": "KEY",
    "tmpfiles": "/usr/lib/tmpfiles.d/web.conf",
    "start timeout": "30",
    "watchdog": "30",
    "ready on": "event",
    "respawn delay": "1 60",
    "permanent failure": "2",
    "kill schedule": "TERM/30/KILL/5",
    "keep leftovers": "",
    "restart in place": "",
    "log size": "1M",
    "log keep": "3",
    "cgroup": "memory.max 100M",
}


def refused(text: str, override: str = "") -> str:
    job = parse_job(text, "web", PATHS[0], override=override or None, override_path=PATHS[1])
    with pytest.raises(CannotSay) as caught:
        refuse_beyond(job, Definition(text, override or None), PATHS)
    return str(caught.value)


@pytest.mark.parametrize("words", [row.words for row in STANZAS if row.beyond_upstart])
def test_each_stanza_that_upstart_has_not_is_refused_with_file_and_line(words: str) -> None:
    said = refused(f"exec /bin/web\n{words} {EXAMPLES[words]}\n")
    assert said.startswith(f"/etc/init/web.conf:2: {words}: ")
    assert "use: foster" in said


@pytest.mark.parametrize("kind", ["notify", "fork 3", "auto", "listen 80", "exit", "newline 3", "pidfile /run/web.pid"])
def test_a_way_to_be_ready_that_upstart_has_not_is_refused(kind: str) -> None:
    assert refused(f"expect {kind}\nexec /bin/web\n").startswith(
        f"/etc/init/web.conf:1: expect: Upstart has no expect {kind}"
    )


def test_the_override_is_looked_at_and_hides_nothing() -> None:
    assert refused("exec /bin/web\n", "respawn\nlog keep 3\n").startswith("/etc/init/web.override:2: log keep: ")
    assert refused("exec /bin/web\nexpect notify\n", "expect auto\n").startswith("/etc/init/web.override:1: expect: ")


def test_what_upstart_has_is_let_through() -> None:
    text = (
        "start on startup and stopped X=1\nrespawn\nrespawn limit unlimited\nexpect daemon\nkill signal INT\n"
        "reload signal USR1\nconsole log\noom score never\nnormal exit 0 TERM\nlimit nofile 10 20\nexec /bin/web\n"
    )
    refuse_beyond(parse_job(text, "web", PATHS[0]), Definition(text, "expect none\n"), PATHS)
