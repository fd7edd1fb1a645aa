# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs in YAML: how options are read, and what is said about the wrong ones."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.foster.init.plugins.module_utils.job.errors import JobError
from ansible_collections.foster.init.plugins.module_utils.job.model import (
    And,
    Expect,
    Job,
    Limit,
    Match,
    Process,
    RespawnDelay,
    RespawnLimit,
)
from ansible_collections.foster.init.plugins.module_utils.job.names import check_name, is_name
from ansible_collections.foster.init.plugins.module_utils.job.options import argument_spec, job_from_options
from ansible_collections.foster.init.plugins.module_utils.job.stanzas import STANZAS

READ: list[tuple[str, Any, str, Any]] = [
    ("start_on", "a and\n  b", "start_on", And(Match("a"), Match("b"))),
    ("exec", "sleep\n  1\n", "exec_main", Process("sleep 1")),
    ("script", "  a\n  b", "exec_main", Process("a\nb\n", True)),
    ("pre_start", "true", "pre_start", Process("true")),
    ("pre_start", {"script": "a\n", "exec": None}, "pre_start", Process("a\n", True)),
    ("env", {"A": 1, "B": None, "C": "", "D": 1.5}, "env", ("A=1", "B", "C=", "D=1.5")),
    ("env", ["A=1"], "env", ("A=1",)),
    ("umask", "022", "umask", 0o22),
    ("setuid", 1000, "setuid", "1000"),
    ("description", "two\nlines\n", "description", "two lines"),
    ("import", ["A"], "imports", ("A",)),
    ("imports", "A B", "imports", ("A", "B")),
    ("limit", {"nofile": 10, "core": "0 unlimited"}, "limits", (("core", Limit(0, None)), ("nofile", Limit(10, 10)))),
    ("limits", {"nofile": {"soft": 1, "hard": 2}}, "limits", (("nofile", Limit(1, 2)),)),
    ("respawn_limit", "3 5", "respawn_limit", RespawnLimit(3, 5)),
    ("respawn_limit", {"count": 3, "interval": 5}, "respawn_limit", RespawnLimit(3, 5)),
    ("respawn_limit", "unlimited", "respawn_limit", RespawnLimit(0, 0)),
    ("respawn_delay", 2, "respawn_delay", RespawnDelay(2.0, 2.0)),
    ("respawn_delay", {"first": 1, "cap": 60}, "respawn_delay", RespawnDelay(1.0, 60.0)),
    ("kill_schedule", ["TERM", 30, "KILL"], "kill_schedule", ("TERM", 30, "KILL")),
    ("normal_exit", [0, "SIGTERM"], "normal_exit", (0, "TERM")),
    ("expect", "listen 0.0.0.0:80", "expect", Expect("listen", "0.0.0.0:80")),
    ("log_size", "1M", "log_size", 1 << 20),
    ("cgroup", {"memory.max": "1G"}, "cgroup", (("memory.max", "1G"),)),
    ("start_on", None, "start_on", None),
]


@pytest.mark.parametrize(("option", "value", "field", "expected"), READ)
def test_reads(option: str, value: Any, field: str, expected: Any) -> None:
    assert job_from_options("web", {option: value}) == Job(name="web", **{field: expected})


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"exce": "x"}, "unknown option exce, did you mean exec?"),
    ({"exec": "x", "script": "y"}, "only one of exec and script"),
    ({"exec": ""}, "exec: the command is empty"),
    ({"exec": "a # b"}, "a # outside quotes"),
    ({"exec": "echo 'a"}, "no ' closes the quote"),
    ({"script": "a\nend script\n"}, 'a line "end script"'),
    ({"pre_start": {"exec": "a", "script": "b"}}, "either exec or script"),
    ({"pre_start": ["a"]}, "either exec or script"),
    ({"umask": 18}, "put it in quotes"),
    ({"env": {"A": True}}, "true or false: put the value in quotes"),
    ({"env": {"A": "b\nc"}}, "holds a newline"),
    ({"env": {"A=B": "c"}}, "holds a ="),
    ({"env": 3}, "a dictionary, or a list of KEY=VALUE"),
    ({"limits": "nofile 1 2"}, "limits: it must be a dictionary"),
    ({"limits": {"nofile": "1 2 3"}}, "not a soft and a hard limit"),
    ({"respawn_limit": {"count": 3}}, "the interval in seconds is missing"),
    ({"respawn_limit": {"number": 3}}, "number is not count and interval"),
    ({"respawn": "yes"}, "neither true nor false"),
    ({"cgroup": {"memory": 1}}, "not a key of cgroup v2"),
    ({"start_on": "a and"}, 'start_on: an event is missing after "and"'),
    ({"exec": "echo \udcfc"}, "exec: there is a character that UTF-8 cannot hold"),
    ({"description": ""}, "description: an empty text"),
    ({"kill_timeout": 1.5}, "1.5 is not a number of seconds"),
    ({"nice": True}, "True is not a text or a number"),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_a_mistake_is_one_sentence_with_its_option(options: dict[str, Any], message: str) -> None:
    with pytest.raises(JobError) as caught:
        job_from_options("web", options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_stanza_has_an_option() -> None:
    fields = {row.field for row in STANZAS}
    assert {row.field for row in STANZAS if row.option} == fields
    assert set(argument_spec()) == {row.option for row in STANZAS if row.option}


def test_argument_spec_has_only_what_ansible_knows() -> None:
    for option, spec in argument_spec().items():
        assert option.isidentifier()
        assert set(spec) <= {"type", "elements", "choices", "aliases"}
        assert spec["type"] in ("str", "int", "float", "bool", "list", "dict", "raw")
        assert (spec["type"] == "list") == ("elements" in spec)


@pytest.mark.parametrize("name", ["web", "shop/web", "web-1.2", "Ünï", "my job", "a@b"])
def test_good_names(name: str) -> None:
    check_name(name)
    assert is_name(name)


@pytest.mark.parametrize(
    "name", ["", "..", "../x", "a/../b", "a/..", "/etc/x", "a//b", "a/", "a\0b", "a\nb", " a", ".", "a/./b", "x" * 300]
)
def test_bad_names_are_one_sentence(name: str) -> None:
    with pytest.raises(JobError) as caught:
        check_name(name)
    assert "is not the name of a job" in str(caught.value)
    assert str(caught.value).isprintable()
