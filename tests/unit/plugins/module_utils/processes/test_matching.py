# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is the daemon: a table of hard cases, each a pattern, a process and the verdict."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.foster.init.plugins.module_utils.processes.candidate import Candidate, Glance
from ansible_collections.foster.init.plugins.module_utils.processes.matching import (
    Pattern,
    family_of,
    judge,
    may_be,
    same_command,
    topmost,
)
from ansible_collections.foster.init.plugins.module_utils.processes.target import Target

HERE, JAIL = (1, 2), (1, 3)
DAEMON, NEW, PYTHON, SCRIPT, OTHER, SHELL, BOX = (8, 10), (8, 11), (8, 20), (8, 30), (8, 31), (8, 40), (8, 50)
BINARY = Target("/usr/sbin/daemon", "/usr/sbin/daemon", DAEMON, changed=50.0)
GONE = Target("/usr/sbin/daemon", "/usr/sbin/daemon")
APPLET = Target("/bin/syslogd", "/bin/busybox", BOX, applet="syslogd")
PROGRAM = Target("/usr/bin/app", "/usr/bin/app", SCRIPT, "/usr/bin/python3", PYTHON, changed=50.0)
OPTIONED = PROGRAM._replace(prefix=("-Es",))
WITH_FILE = Target("/usr/bin/app", "/usr/bin/app", SCRIPT, "/usr/bin/awk", (8, 60), ("-f",), 50.0)
SHELLED = Target("/etc/app.sh", "/etc/app.sh", SCRIPT, "/bin/sh", SHELL, changed=50.0)
NAMED = {"by_pidfile": True, "named": 100, "written": 110.0}


def process(**changes: Any) -> Candidate:
    """Return the daemon as it should be, but for the changes."""
    own = Candidate(
        100, 1, "daemon", 5000, 100.0, program="/usr/sbin/daemon", program_file=DAEMON, argv=("/usr/sbin/daemon",),
        root=HERE, cgroup="/system.slice/daemon.service",
    )  # fmt: skip
    return own._replace(**changes)


def script(*argv: str, files: tuple[Any, ...] = (), **changes: Any) -> Candidate:
    """Return a process of python3.11 with that command line; the first file that looks like the script is it."""
    found = files or tuple(
        {"/usr/bin/app": SCRIPT, "./app": SCRIPT, "/opt/app": OTHER, "/etc/app.sh": SCRIPT}.get(word) for word in argv
    )
    values: dict[str, Any] = {
        "name": "app", "program": "/usr/bin/python3.11", "program_file": PYTHON, "argv": argv, "argument_files": found,
    }  # fmt: skip
    return process(**{**values, **changes})


DELETED = {"program_file": (8, 9), "removed": True}

MEANT = {
    "the program": (Pattern(target=BINARY), process()),
    "a program that was replaced": (Pattern(target=BINARY._replace(file=NEW)), process(removed=True)),
    "a program that was removed": (Pattern(target=GONE), process(removed=True)),
    "a program under another name of the same file": (Pattern(target=BINARY), process(program="/usr/sbin/alias")),
    "a program that is called x (deleted)": (
        Pattern(target=Target("/x (deleted)", "/x (deleted)", NEW)), process(program="/x (deleted)", program_file=NEW)
    ),
    "its name": (Pattern(name="daemon"), process()),
    "a name longer than the kernel keeps": (
        Pattern(name="a-very-long-name-here"), process(name="a-very-long-nam", program="/opt/a-very-long-name-here"),
    ),
    "a long name of a script": (
        Pattern(name="a-very-long-name-here"),
        process(name="a-very-long-nam", argv=("python3", "/opt/a-very-long-name-here")),
    ),
    "its user": (Pattern(uid=33), process(uid=33)),
    "its parent": (Pattern(ppid=1, target=BINARY), process()),
    "its pid": (Pattern(pid=100), process()),
    "its control group": (Pattern(cgroup="/system.slice/daemon.service"), process()),
    "a control group above": (Pattern(cgroup="/system.slice/"), process()),
    "its command line": (Pattern(argv=("/usr/sbin/daemon",)), process()),
    "the pidfile alone": (Pattern(**NAMED), process()),
    "the pidfile and the program": (Pattern(target=BINARY, **NAMED), process()),
    "a pidfile restored with an old time, and the program": (
        Pattern(target=BINARY, by_pidfile=True, named=100, written=1.0), process()
    ),
    "a pidfile of the daemon's own user": (Pattern(target=BINARY, vouched=33, **NAMED), process(uid=33)),
    "a chroot": (Pattern(target=BINARY, root=JAIL), process(root=JAIL)),
    "a root that may not be seen": (Pattern(target=BINARY, root=HERE), process(root=None)),
    "an applet": (
        Pattern(target=APPLET), process(program="/bin/busybox", program_file=BOX, argv=("/bin/syslogd", "-n"))
    ),
    "an applet as an argument": (
        Pattern(target=APPLET), process(program="/bin/busybox", program_file=BOX, argv=("busybox", "syslogd"))
    ),
    "a script": (Pattern(target=PROGRAM), script("/usr/bin/python3", "/usr/bin/app", "-d")),
    "a script run by env": (Pattern(target=PROGRAM), script("python3", "/usr/bin/app")),
    "a script and the option of its first line": (
        Pattern(target=OPTIONED), script("/usr/bin/python3", "-Es", "/usr/bin/app"),
    ),
    "a script run by hand with options": (
        Pattern(target=PROGRAM), script("python3", "-u", "-W", "ignore", "-X", "dev", "/usr/bin/app")
    ),
    "a script after --": (Pattern(target=PROGRAM), script("python3", "--", "/usr/bin/app")),
    "a script of an older interpreter": (
        Pattern(target=PROGRAM), script("python3", "/usr/bin/app", program="/usr/bin/python3.9", program_file=(8, 21))
    ),
    "a script of an interpreter in a virtual environment": (
        Pattern(target=PROGRAM),
        script("/venv/bin/python", "/usr/bin/app", program="/opt/python3.12t", program_file=(8, 22)),
    ),
    "a script of an interpreter that was upgraded": (
        Pattern(target=PROGRAM), script("python3", "/usr/bin/app", **DELETED),
    ),
    "a script by a relative path": (Pattern(target=PROGRAM), script("python3", "./app")),
    "a script under another name": (
        Pattern(target=PROGRAM), script("python3", "/usr/local/bin/app2", files=(None, SCRIPT))
    ),
    "a script whose file is hidden by its own root": (
        Pattern(target=PROGRAM), script("python3", "/usr/bin/app", files=(None, None))
    ),
    "a script from a folder that it left, by pidfile": (
        Pattern(target=PROGRAM, **NAMED), script("python3", "bin/app", files=(None, None))
    ),
    "a script with a title of its own, by pidfile": (
        Pattern(target=PROGRAM, **NAMED), script("app: waiting for mail", files=(None,))
    ),
    "a script that is the value of an option": (
        Pattern(target=WITH_FILE),
        script("/usr/bin/awk", "-f", "/usr/bin/app", "in", program="/usr/bin/mawk", program_file=(8, 60)),
    ),
    "a shell script under another shell": (
        Pattern(target=SHELLED), script("sh", "/etc/app.sh", program="/bin/bash", program_file=(8, 41))
    ),
    "a shell script of busybox": (
        Pattern(target=SHELLED), script("/bin/busybox", "ash", "/etc/app.sh", program="/bin/busybox", program_file=BOX)
    ),
    "a script that was removed": (
        Pattern(target=Target("/usr/bin/app", "/usr/bin/app")), script("python3", "/usr/bin/app", files=(None, None))
    ),
    "what startas has executed in the end, by pidfile": (
        Pattern(target=PROGRAM, weak=True, **NAMED), process(program="/usr/bin/java", program_file=(8, 70))
    ),
}  # fmt: skip

STRANGERS = {
    "another program": (Pattern(target=BINARY), process(program_file=OTHER, program="/usr/sbin/other")),
    "another program at the same path of another mount namespace": (
        Pattern(target=BINARY), process(program_file=OTHER),
    ),
    "a copy of the program": (Pattern(target=BINARY), process(program="/tmp/daemon", program_file=OTHER)),
    "a removed program of another path": (
        Pattern(target=BINARY), process(program="/tmp/daemon", program_file=OTHER, removed=True)
    ),
    "what may not be seen": (Pattern(target=BINARY), process(program="", program_file=None)),
    "a zombie": (Pattern(target=BINARY), process(ended=True)),
    "a zombie by pidfile": (Pattern(**NAMED), process(ended=True)),
    "a thread": (Pattern(**NAMED), process(thread_of=99)),
    "a thread of the kernel": (Pattern(name="daemon"), process(kernel=True)),
    "PID 1": (Pattern(target=BINARY), process(pid=1, ppid=0)),
    "PID 1 by pidfile": (Pattern(by_pidfile=True, named=1, written=1e9), process(pid=1, ppid=0)),
    "a container's": (Pattern(target=BINARY), process(nested=True)),
    "a container's by name": (Pattern(name="daemon"), process(nested=True)),
    "a chroot's": (Pattern(target=BINARY, root=HERE), process(root=JAIL)),
    "outside of the chroot": (Pattern(target=BINARY, root=JAIL), process()),
    "another name": (Pattern(name="demon"), process()),
    "a name that is only its beginning": (Pattern(name="daemo"), process()),
    "a long name that begins alike": (
        Pattern(name="a-very-long-name-here"), process(name="a-very-long-nam", program="/opt/a-very-long-name-there")
    ),
    "another user": (Pattern(uid=33), process(uid=0)),
    "another parent": (Pattern(ppid=42), process()),
    "another pid": (Pattern(pid=101), process()),
    "another command line": (Pattern(argv=("/usr/sbin/daemon", "-x")), process()),
    "another control group": (Pattern(cgroup="/system.slice/daemon"), process()),
    "not named by the pidfile": (Pattern(by_pidfile=True, named=101, target=BINARY), process()),
    "nobody is named by the pidfile": (Pattern(by_pidfile=True, target=BINARY), process()),
    "a pid that was used again, by pidfile alone": (Pattern(by_pidfile=True, named=100, written=90.0), process()),
    "a pid that was used again, with a program": (
        Pattern(target=BINARY, **NAMED), process(program="/bin/cat", program_file=OTHER)
    ),
    "a pid that was used again, with startas": (
        Pattern(target=PROGRAM, weak=True, by_pidfile=True, named=100, written=90.0),
        process(program="/usr/bin/java", program_file=(8, 70)),
    ),
    "what the owner of the pidfile cannot speak for": (Pattern(vouched=33, **NAMED), process(uid=0)),
    "another applet": (
        Pattern(target=APPLET), process(program="/bin/busybox", program_file=BOX, argv=("/bin/crond", "-f"))
    ),
    "another script of the same interpreter": (Pattern(target=PROGRAM), script("python3", "/opt/app")),
    "a script of the same name elsewhere": (Pattern(target=PROGRAM, **NAMED), script("python3", "/opt/app")),
    "the interpreter alone": (Pattern(target=PROGRAM), script("python3")),
    "an editor": (
        Pattern(target=PROGRAM), script("vim", "/usr/bin/app", program="/usr/bin/vim.basic", program_file=(8, 80))
    ),
    "an editor, by pidfile": (
        Pattern(target=PROGRAM, **NAMED),
        script("vim", "/usr/bin/app", program="/usr/bin/vim.basic", program_file=(8, 80)),
    ),
    "the script as another script's argument": (Pattern(target=PROGRAM), script("python3", "/opt/app", "/usr/bin/app")),
    "the script as an argument of a module": (Pattern(target=PROGRAM), script("python3", "-m", "pdb", "/usr/bin/app")),
    "the script as an argument of a command": (
        Pattern(target=PROGRAM), script("python3", "-c", "pass", "/usr/bin/app"),
    ),
    "the script as the value of an option": (
        Pattern(target=PROGRAM), script("python3", "-X", "/usr/bin/app", "/opt/app")
    ),
    "a shell that runs the script as a command": (
        Pattern(target=SHELLED), script("sh", "-c", "/etc/app.sh", program="/bin/dash", program_file=SHELL)
    ),
    "a shell with clustered options": (
        Pattern(target=SHELLED), script("sh", "-ec", "/etc/app.sh", program="/bin/dash", program_file=SHELL)
    ),
    "a script in another language": (
        Pattern(target=PROGRAM), script("perl", "/usr/bin/app", program="/usr/bin/perl", program_file=(8, 90))
    ),
    "a relative path that is another file there": (
        Pattern(target=PROGRAM, **NAMED), script("python3", "app", files=(None, OTHER))
    ),
    "a relative path of a folder that it left, among all processes": (
        Pattern(target=PROGRAM), script("python3", "bin/app", files=(None, None))
    ),
    "a title of its own, among all processes": (Pattern(target=PROGRAM), script("app: waiting", files=(None,))),
    "another process with a title of its own": (
        Pattern(target=PROGRAM, **NAMED), script("mail: waiting", files=(None,), name="mail")
    ),
    "a program at the path of a removed one": (Pattern(target=GONE), process(program_file=OTHER)),
}  # fmt: skip


@pytest.mark.parametrize("case", MEANT)
def test_it_is_the_daemon(case: str) -> None:
    pattern, candidate = MEANT[case]
    verdict = judge(pattern, candidate)
    assert verdict.matches, verdict.reason
    sight = Glance(candidate.name, candidate.ppid, candidate.program, candidate.program_file)
    assert may_be(pattern, sight), "the first sight rules out what a closer look accepts"


@pytest.mark.parametrize("case", STRANGERS)
def test_it_is_somebody_else(case: str) -> None:
    pattern, candidate = STRANGERS[case]
    verdict = judge(pattern, candidate)
    assert not verdict.matches
    assert verdict.reason


@pytest.mark.parametrize(
    ("pattern", "candidate", "outdated"),
    [
        (Pattern(target=BINARY), process(), False),
        (Pattern(target=BINARY._replace(changed=500.0)), process(), False),  # a chmod is no upgrade
        (Pattern(target=BINARY._replace(file=NEW)), process(removed=True), True),
        (Pattern(target=GONE), process(removed=True), True),
        (Pattern(target=PROGRAM), script("python3", "/usr/bin/app"), False),
        (Pattern(target=PROGRAM._replace(changed=500.0)), script("python3", "/usr/bin/app"), True),
        (Pattern(target=PROGRAM), script("python3", "/usr/bin/app", **DELETED), True),
    ],
)
@pytest.mark.parametrize("recorded", [False, True])
def test_outdated(pattern: Pattern, candidate: Candidate, outdated: bool, recorded: bool) -> None:
    verdict = judge(pattern, candidate, recorded)
    assert verdict.matches
    assert verdict.outdated == outdated


def test_what_was_recorded_needs_no_more_evidence_but_has_to_live() -> None:
    """It has changed its name, its program and its user, and the pidfile is lost: it is the one that was started."""
    pattern = Pattern(target=BINARY, name="daemon", uid=0, by_pidfile=True)
    changed = process(name="worker", program="/opt/worker", program_file=OTHER, uid=33)
    assert judge(pattern, changed, recorded=True).matches
    assert not judge(pattern, changed._replace(ended=True), recorded=True).matches


@pytest.mark.parametrize(
    ("program", "family"),
    [("/bin/python3.11", "python"), ("/usr/bin/python2.7", "python"), ("python3.13t", "python"), ("pypy3", "python"),
     ("/bin/dash", "sh"), ("bash", "sh"), ("/bin/busybox", "sh"), ("perl5.36.0", "perl"), ("ruby3.1", "ruby"),
     ("nodejs", "node"), ("php8.2", "php"), ("lua5.4", "lua"), ("tclsh8.6", "tclsh"), ("guile-3.0", "guile"),
     ("mawk", "awk"), ("/usr/bin/vim.basic", "vim.basic"), ("7z", "7z")],
)  # fmt: skip
def test_the_family_of_an_interpreter(program: str, family: str) -> None:
    assert family_of(program) == family


def test_the_command_of_a_script_is_compared_without_the_words_of_the_kernel() -> None:
    command = ("/usr/bin/app", "-d")
    assert same_command(command, script("/usr/bin/python3", "-Es", "/usr/bin/app", "-d"))
    assert not same_command(command, script("/usr/bin/python3", "-Es", "/usr/bin/app", "-e"))
    assert same_command(command, process(argv=command))


def test_the_topmost_of_families() -> None:
    every = [process(pid=pid, ppid=ppid) for pid, ppid in ((10, 1), (11, 10), (12, 11), (20, 5), (30, 20))]
    assert [each.pid for each in topmost(every)] == [10, 20]
