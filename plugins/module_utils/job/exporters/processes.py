# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of a job as command lines of a unit.

They are run as the supervisor and Upstart run them: a script by ``sh -e``, a command with characters of the shell by
``sh -e -c "exec COMMAND"``, any other one as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..model import Job, Process
from .errors import CannotSay
from .quoting import command_word

SHELL = "/bin/sh"
_SHELL_CHARACTERS = frozenset("~`!$^&*()=|\\{}[];\"'<>?")  # Upstart 1.13, init/job_process.c
_PREFIXES = frozenset("-@:+!|")  # systemd.service(5), before the program
_LONGEST = 131_000  # bytes of one argument: MAX_ARG_STRLEN, execve(2), less a little
# In a pre-stop: systemd runs ExecStop= after a main process that ended by itself as well, Upstart does not.
ONLY_WHILE_MAIN_RUNS = 'test -n "${MAINPID:-}" || exit 0\n'


def command_line(job: Job, process: Process, stanza: str, field: str, guard: str = "") -> str:
    """Return the value of an Exec directive; ``guard``: what the shell does first. Raises CannotSay."""
    command = process.command
    if "\0" in command:
        raise CannotSay(stanza, field, "there is a NUL byte in it")
    plain = not process.script and not guard and not _SHELL_CHARACTERS.intersection(command)
    words = command.split()
    if plain and words and not _needs_shell(job, words[0]):
        return joined(words)
    if process.script:
        text = guard + command.rstrip("\n")
    elif guard and not words:
        text = guard
    else:
        text = f"{guard}exec {command}"
    return shell(text, stanza, field)


def shell(text: str, stanza: str, field: str) -> str:
    """Return the command line that lets the shell run ``text``."""
    if len(text.encode("utf-8", "surrogateescape")) > _LONGEST:
        raise CannotSay(stanza, field, f"a script of more than {_LONGEST} bytes does not fit into a unit")
    return joined([SHELL, "-e", "-c", text, SHELL])


def joined(words: Sequence[str]) -> str:
    """Return a command line of ``words``."""
    return " ".join(command_word(word) for word in words)


def _needs_shell(job: Job, program: str) -> bool:
    """Say whether systemd would look for another program: it does so along a path of its own, and reads prefixes."""
    own_path = any(variable.partition("=")[0] == "PATH" for variable in job.env)
    return (
        program[0] in _PREFIXES
        or ("/" not in program and own_path)
        or not (program.startswith("/") or "/" not in program)
    )
