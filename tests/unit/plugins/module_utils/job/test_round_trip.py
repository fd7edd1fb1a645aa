# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written is read back: for every job, as a file and as options; and for job files of real systems."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

import pytest
from ansible_collections.foster.init.plugins.module_utils.job.lexer import dedent, is_block, is_command
from ansible_collections.foster.init.plugins.module_utils.job.model import (
    And,
    Expect,
    Job,
    Limit,
    Match,
    Or,
    Process,
    RespawnDelay,
    RespawnLimit,
)
from ansible_collections.foster.init.plugins.module_utils.job.options import job_from_options, options_from_job
from ansible_collections.foster.init.plugins.module_utils.job.parser import parse_job
from ansible_collections.foster.init.plugins.module_utils.job.writer import write_job
from hypothesis import example, given
from hypothesis import strategies as st

REPOSITORY = Path(__file__).resolve().parents[5]

characters = st.one_of(
    st.sampled_from(" \t\r\"'\\#()=!;&|$*{}<>ab1_-/."),
    st.characters(exclude_characters="\n\0", exclude_categories=["Cs"]),
)
texts = st.text(characters, min_size=1, max_size=12)
# an option's text loses the white space at its ends, as it does in a job file without quotes
trimmed = texts.map(lambda text: text.strip(" \t\r")).filter(bool)
lines = st.text(st.sampled_from("\n ab\t#'\"\\") | characters, max_size=40)
keys = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True)
small = st.integers(0, 2**31 - 1)


def tuples_of(values: st.SearchStrategy, most: int = 3) -> st.SearchStrategy:
    return st.lists(values, max_size=most).map(tuple)


def some_dict(key: st.SearchStrategy, value: st.SearchStrategy) -> st.SearchStrategy:
    return st.dictionaries(key, value, max_size=3).map(lambda found: tuple(found.items()))


commands = texts.filter(is_command).map(Process)
scripts = (
    lines.map(lambda text: dedent([line + "\n" for line in text.split("\n")]))
    .filter(lambda text: is_block(text, "script"))
    .map(lambda text: Process(text, script=True))
)
processes = st.one_of(commands, scripts)
signals = st.sampled_from(["TERM", "HUP", "KILL", "USR1", "STOP", "WINCH"])
statuses = tuples_of(st.one_of(st.integers(0, 300), signals))
named = st.builds("{}{}{}".format, keys, st.sampled_from(["=", "!="]), st.text(characters, max_size=5))
matches = st.builds(
    lambda event, positional, pairs: Match(event, (*positional, *pairs)),
    texts | st.sampled_from(["and", "or", "startup"]),
    tuples_of(texts.filter(lambda text: "=" not in text) | st.sampled_from(["and", "or"])),
    tuples_of(named),
)
conditions = st.recursive(
    matches, lambda inner: st.builds(And, inner, inner) | st.builds(Or, inner, inner), max_leaves=6
)
seconds = st.integers(0, 10**8).map(lambda value: value / 1000)
expects = st.one_of(
    st.sampled_from(["none", "fork", "daemon", "stop", "exit", "auto", "notify", "listen"]).map(Expect),
    st.builds(Expect, st.sampled_from(["fork", "exit"]), st.integers(1, 100).map(str)),
    st.builds(Expect, st.just("newline"), st.integers(0, 1023).map(str)),
    st.builds(Expect, st.just("pidfile"), texts.map(lambda text: "/" + text)),
    st.builds(Expect, st.just("dbus"), texts),
    st.builds(Expect, st.just("listen"), st.sampled_from(["80", "10.0.0.1:80", "[::1]:80", "udp:53", "@name"])),
    st.builds(Expect, st.just("listen"), texts.map(lambda text: "/" + text)),
    commands.map(lambda process: Expect("check", process.command)),
)
limit = st.none() | st.integers(0, 2**63)
limits = st.dictionaries(st.sampled_from(["nofile", "core", "as", "stack"]), st.builds(Limit, limit, limit)).map(
    lambda found: tuple(sorted(found.items()))
)
variables = keys | st.builds("{}={}".format, keys, st.text(characters, max_size=8))
schedules = st.lists(st.tuples(signals, small), max_size=3).flatmap(
    lambda pairs: st.sampled_from(
        [tuple(part for pair in pairs for part in pair), (*(part for pair in pairs for part in pair), "KILL")]
    )
)
FIELDS = {
    **dict.fromkeys(
        ("description", "author", "version", "usage", "chroot", "chdir", "setuid", "setgid", "apparmor_load",
         "apparmor_switch"),
        st.none() | trimmed,
    ),
    **dict.fromkeys(("emits", "env_files", "export", "imports", "tmpfiles"), tuples_of(texts)),
    **dict.fromkeys(("start_on", "stop_on", "ready_on"), st.none() | conditions),
    **dict.fromkeys(("exec_main", "pre_start", "post_start", "pre_stop", "post_stop"), st.none() | processes),
    **dict.fromkeys(("task", "respawn", "keep_leftovers", "restart_in_place", "debug"), st.booleans()),
    **dict.fromkeys(("permanent_failure", "normal_exit"), statuses),
    "instance": st.just("") | trimmed,
    "env": tuples_of(variables),
    "expect": expects,
    "start_timeout": st.none() | seconds,
    "watchdog": st.none() | seconds,
    "respawn_limit": st.builds(RespawnLimit, small, small) | st.just(RespawnLimit(0, 0)),
    "respawn_delay": st.builds(lambda first, more: RespawnDelay(first, round(first + more, 3)), seconds, seconds),
    "kill_signal": signals | st.just("9"),
    "kill_timeout": small,
    "kill_schedule": schedules,
    "reload_signal": signals,
    "console": st.sampled_from(["log", "none", "output", "owner"]),
    "log_size": st.none() | st.integers(0, 10**15) | st.integers(0, 50).map(lambda value: value << 20),
    "log_keep": st.none() | st.integers(0, 1000),
    "umask": st.none() | st.integers(0, 0o777),
    "nice": st.none() | st.integers(-20, 19),
    "oom_score": st.none() | st.integers(-1000, 1000),
    "limits": limits,
    "cgroup": some_dict(st.sampled_from(["memory.max", "pids.max", "cpu.weight"]), texts),
    "cgroup_controllers": tuples_of(
        st.tuples(st.sampled_from(["memory", "cpu"]), texts) | st.tuples(st.just("memory"), texts, texts, texts)
    ),
}  # fmt: skip


jobs = st.fixed_dictionaries({"name": st.just("web")}, optional=FIELDS).map(lambda values: Job(**values))


def test_every_field_of_a_job_is_generated() -> None:
    assert set(FIELDS) == {field.name for field in fields(Job)} - {"name"}


@given(jobs)
def test_a_written_job_is_read_back(job: Job) -> None:
    assert parse_job(write_job(job), "web", "web.conf") == job


@given(jobs)
def test_what_is_written_is_canonical(job: Job) -> None:
    text = write_job(job)
    assert write_job(parse_job(text, "web", "web.conf")) == text


@example(Job("web", exec_main=Process("\\ "), expect=Expect("check", "a \\\t")))  # an escaped space at the end
@example(Job("web", cgroup_controllers=(("memory", "\x1f"),)))  # white space for Python, a letter for a job file
@given(jobs)
def test_options_of_a_job_make_the_same_job(job: Job) -> None:
    assert job_from_options("web", options_from_job(job)) == job


@given(jobs, jobs)
def test_an_override_is_a_second_text_after_the_first(job: Job, other: Job) -> None:
    first, second = write_job(job), write_job(other)
    assert parse_job(first, "web", "web.conf", second, "web.override") == parse_job(first + second, "web", "web.conf")


def _real_files() -> list[Path]:
    named = os.environ.get("FOSTER_CORPUS", "")
    folders = [Path(part) for part in named.split(os.pathsep) if part] or [
        REPOSITORY.parent / "shared" / "corpus",
        REPOSITORY / "tests" / "corpus",
    ]
    return sorted(path for folder in folders for path in folder.rglob("*.conf"))


SAMPLES = {
    "a service": "# a comment\ndescription  'web server'  # and another\nstart on (filesystem and\n"
    "  net-device-up IFACE!=lo)\n\nstop on runlevel [!2345]\n"
    "respawn\nrespawn limit 10 90\nexec /usr/sbin/web \\\n  -D\n",
    "a script": "task\nscript\n  . /etc/default/web\n\n  exec web \"$OPTIONS\" # kept\nend script # done\n",
    "import and tmpfiles": 'import KEY OTHER\ntmpfiles /usr/lib/tmpfiles.d/a.conf\nenv A="b c"\nexec true\n',
    "carriage returns": "description \"x\"\r\nscript\r\n  echo\r\nend script\r\n",
    "no newline at the end": "exec sleep 1",
    "latin-1": "author 'J\udcfcrgen'\nexec true # f\udcfcr\n",
}  # fmt: skip


@pytest.mark.parametrize("text", SAMPLES.values(), ids=SAMPLES.keys())
def test_samples_are_read_and_written(text: str) -> None:
    job = parse_job(text, "web", "web.conf")
    assert parse_job(write_job(job), "web", "web.conf") == job


@pytest.mark.parametrize("path", _real_files(), ids=lambda path: path.name)
def test_job_files_of_real_systems_are_read_and_written(path: Path) -> None:
    job = parse_job(path.read_bytes(), path.stem, str(path))
    text = write_job(job)
    assert parse_job(text, path.stem, str(path)) == job
    assert job_from_options(path.stem, options_from_job(job)) == job
