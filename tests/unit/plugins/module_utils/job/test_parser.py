# SPDX-License-Identifier: GPL-3.0-or-later
"""How job files are read, and what is said about the wrong ones; the facts are Upstart's."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.foster.init.plugins.module_utils.job.errors import JobError
from ansible_collections.foster.init.plugins.module_utils.job.model import And, Expect, Job, Limit, Match, Or, Process
from ansible_collections.foster.init.plugins.module_utils.job.parser import MOST_BYTES, parse_job
from hypothesis import given
from hypothesis import strategies as st


def parse(text: str, override: str | None = None) -> Job:
    return parse_job(text, "web", "/etc/web.conf", override, "/etc/web.override")


A, B, C = Match("a"), Match("b"), Match("c")

READ: list[tuple[str, str, Any]] = [
    ("description 'x'", "description", "x"),
    ("exec sleep 1\nexec sleep 2", "exec_main", Process("sleep 2")),
    ("exec sleep 1\nscript\n echo\nend script", "exec_main", Process("echo\n", script=True)),
    ("exec sleep \\\n  1000", "exec_main", Process("sleep 1000")),
    ("exec echo 'a  b' \"c\n   d\" # no", "exec_main", Process("echo 'a  b' \"c d\"")),
    # libnih garbles white space before a backslash; seen with Upstart 1.13.2, and in the recorded case env.
    ("exec echo \\$A \\# b", "exec_main", Process("echo\\\\$A\\\\# b")),
    ("exec echo  \\n", "exec_main", Process("echo\\ \\n")),
    ("exec echo a\\$A", "exec_main", Process("echo a\\$A")),
    ("script\n\tif a\n\t  b\n\tend script x\nend  script", "exec_main", Process("if a\n  b\nend script x\n", True)),
    ("script\n  a\n\n  b\nend script", "exec_main", Process("  a\n\n  b\n", True)),
    ("script\n   a\n  b\nend script", "exec_main", Process(" a\nb\n", True)),
    ("script\nend script", "exec_main", Process("", True)),
    ("pre-start script # why\n a\n end script # so", "pre_start", Process("a\n", True)),
    ("start on a or b and c", "start_on", And(Or(A, B), C)),
    ("start on a or (b and c)", "start_on", Or(A, And(B, C))),
    ("start on (a\n\n # comment\n and b) # end", "start_on", And(A, B)),
    ('start on "and" or "or"', "start_on", Or(Match("and"), Match("or"))),
    ("start on a b K=c L!='d e'", "start_on", Match("a", ("b", "K=c", "L!=d e"))),
    ("start on runlevel [2345]", "start_on", Match("runlevel", ("[2345]",))),
    ("start on a\nmanual", "start_on", None),
    ("manual\nstart on a", "start_on", A),
    ("start on a\nstart on b", "start_on", B),
    ("emits a b\nemits c-*", "emits", ("a", "b", "c-*")),
    ("env A=1\nenv 'B=2 3'\nenv C", "env", ("A=1", "B=2 3", "C")),
    ("env A=\\ x\\\\y", "env", ("A= x\\y",)),
    ("normal exit 0 256 SIGTERM HUP", "normal_exit", (0, 256, "TERM", "HUP")),
    ("kill signal SIGINT", "kill_signal", "INT"),
    ("kill signal 9", "kill_signal", "9"),
    ("limit nofile 10 unlimited", "limits", (("nofile", Limit(10, None)),)),
    ("limit core -1 -1\nlimit as 1 2", "limits", (("as", Limit(1, 2)), ("core", Limit(None, None)))),
    ("oom never", "oom_score", -1000),
    ("env A=1\nenv =x", "env", ("A=1", "=x")),
    ("oom -1", "oom_score", -58),
    ("oom 10", "oom_score", 666),
    ("oom score never", "oom_score", -1000),
    ("umask 22", "umask", 0o22),
    ("umask 0022", "umask", 0o22),
    ("expect fork", "expect", Expect("fork")),
    ("expect fork 3", "expect", Expect("fork", "3")),
    ("expect check curl 'a  b' # c", "expect", Expect("check", "curl 'a  b'")),
    ("start timeout 2.5", "start_timeout", 2.5),
    ("kill schedule TERM/30/SIGKILL/5", "kill_schedule", ("TERM", 30, "KILL", 5)),
    ("log size 10m", "log_size", 10 << 20),
    ("cgroup memory.max 100M", "cgroup", (("memory.max", "100M"),)),
    ("cgroup io.max 8:16 rbps=1", "cgroup", (("io.max", "8:16 rbps=1"),)),
    ("cgroup memory\ncgroup cpu a shares 2", "cgroup_controllers", (("memory",), ("cpu", "a", "shares", "2"))),
    ("apparmor switch /usr/bin/x", "apparmor_switch", "/usr/bin/x"),
]


@pytest.mark.parametrize(("text", "field", "value"), READ, ids=lambda value: str(value)[:30])
def test_reads(text: str, field: str, value: Any) -> None:
    assert getattr(parse(text), field) == value


def test_an_empty_file_is_a_job() -> None:
    assert parse("") == Job(name="web")


WRONG = [
    ("foo bar", 1, "unknown stanza foo"),
    ("\n\ndescripton x", 3, "unknown stanza descripton, did you mean description?"),
    ("exec", 1, "exec: the command is missing"),
    ("exec # no", 1, "exec: the command is missing"),
    ('exec true\nexec echo "a\nb', 2, 'no " closes the quote that begins here'),
    ("exec a\\", 1, "backslash"),
    ("task\nscript\n a\n", 2, 'no "end script" line'),
    ("script a\nend script", 1, "nothing may follow"),
    ("pre-start", 1, "expected pre-start exec or pre-start script"),
    ("pre-start echo", 1, "unknown stanza pre-start echo"),
    ("task yes", 1, "yes is one word too many"),
    ("respawn yes", 1, "unknown stanza respawn yes"),
    ("instance", 1, "a value is missing: instance NAME"),
    ('description ""', 1, "an empty word"),
    ("description a b", 1, "b is one word too many"),
    ("env", 1, "a value is missing"),
    ("umask 999", 1, "umask: 999 is not octal from 000 to 777"),
    ("umask 1777", 1, "not octal"),
    ("nice 25", 1, "25 is not a niceness from -20 to 19"),
    ("oom 16", 1, "from -17 to 15"),
    ("oom score 1001", 1, "from -1000 to 1000"),
    ("limit nofile 10", 1, "limit RESOURCE SOFT HARD"),
    ("limit files 1 2", 1, "files is not one of as, core"),
    ("limit nofile a 2", 1, "a is not a limit: expected a number, or unlimited"),
    ("respawn limit 3", 1, "the interval in seconds is missing after 3"),
    ("respawn limit unlimited 3", 1, "3 after unlimited is one word too many"),
    ("respawn delay 5 1", 1, "shorter than the first"),
    ("kill signal FOO", 1, "FOO is not a signal"),
    ("kill signal term", 1, "did you mean TERM?"),
    ("kill timeout x", 1, "x is not a number of seconds from 0"),
    ("kill schedule TERM/x", 1, "x is not a number of seconds"),
    ("kill harder", 1, "expected kill signal or kill timeout or kill schedule"),
    ("normal exit foo", 1, "neither an exit status nor the name of a signal"),
    ("console foo", 1, "foo is not one of log, none, output, owner"),
    ("expect foo", 1, "foo is not one of none, stop"),
    ("expect", 1, "a kind is missing"),
    ("expect pidfile", 1, "pidfile needs a path"),
    ("expect pidfile run/x", 1, "must be an absolute path"),
    ("expect fork 0", 1, "0 is not the number of forks from 1 to 100"),
    ("expect daemon 2", 1, "one word too many"),
    ("start on foo and", 1, 'an event is missing after "and"'),
    ("start on and foo", 1, 'an event is missing before "and"'),
    ("start on a and or b", 1, 'an event is missing before "or"'),
    ("start on", 1, "an event is missing"),
    ("start on ()", 1, "an event is missing"),
    ("task\nstart on (foo and bar\nexec sleep 1", 2, 'no ")" closes'),
    ("start on (a\n and b))", 2, 'a ")" without its "("'),
    ("start on a (b)", 1, '"and" or "or" is missing before "("'),
    ("start on (a) b", 1, '"and" or "or" is missing before b'),
    ("start on a K=1 b", 1, "must be KEY=VALUE"),
    ("start on " + "(" * 100_000, 1, "more than 200 operators"),
    ("start on a" + " and a" * 100_000, 1, "more than 200 operators"),
    ("cgroup memory.max", 1, "a value is missing after memory.max"),
    ("exec true\0", 1, "NUL byte"),
    ("task\n\x01\x02\x7f " + "\x80" * 500, 2, "unknown stanza \\x01\\x02\\x7f"),
]


@pytest.mark.parametrize(("text", "line", "message"), WRONG, ids=lambda value: str(value)[:30])
def test_a_mistake_is_one_sentence_with_its_place(text: str, line: int, message: str) -> None:
    with pytest.raises(JobError) as caught:
        parse(text)
    assert str(caught.value).startswith(f"/etc/web.conf:{line}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
    assert not caught.value.override


@pytest.mark.parametrize("noise", [b"\xff" * 10_000_000, b"x " * 5_000_000, "x" * (MOST_BYTES + 1)])
def test_a_huge_file_is_refused_unread(noise: bytes | str) -> None:
    with pytest.raises(JobError, match="larger than"):
        parse_job(noise, "web", "/etc/web.conf")


def test_latin_1_in_comments_and_texts_for_people_does_no_harm() -> None:
    job = parse_job(b"# f\xfcr\nauthor 'J\xfcrgen'\nexec true # \xfc", "web", "web.conf")
    assert job == Job(name="web", author="J\u00fcrgen", exec_main=Process("true"))


@pytest.mark.parametrize("text", [b"exec echo \xfc", b"start on a K=\xfc", b"script\n\xfc\nend script", b"env A=\xfc"])
def test_other_bytes_that_are_no_utf8_are_refused(text: bytes) -> None:
    with pytest.raises(JobError, match=r"^web\.conf:2: .*: there is a byte here that is not UTF-8 text"):
        parse_job(b"task\n" + text, "web", "web.conf")


def test_an_override_adds_to_lists_and_replaces_the_rest() -> None:
    job = parse("description base\nenv X=1\nstart on go\nexec echo", "env X=2\nmanual\nexec true\n")
    assert job == Job(name="web", description="base", env=("X=1", "X=2"), exec_main=Process("true"))


def test_a_mistake_in_the_override_says_so_with_its_own_path() -> None:
    with pytest.raises(JobError) as caught:
        parse("start on go", "\nbad stanza")
    assert caught.value.override
    assert str(caught.value).startswith("/etc/web.override:2: unknown stanza bad")


WORDS = ["\n", "  ", '"', "'", "\\", "#", "(", ")", "=", "a", "1", "exec", "start on", " and ", "script", "end"]


@given(st.lists(st.sampled_from(WORDS)).map("".join))
def test_any_text_is_a_job_or_one_sentence(text: str) -> None:
    try:
        parse(text)
    except JobError as error:
        assert "\n" not in str(error)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_job_or_one_sentence(noise: bytes) -> None:
    try:
        parse_job(noise, "web", "web.conf")
    except JobError as error:
        assert str(error).isprintable()
