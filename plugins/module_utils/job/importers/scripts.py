# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripts of an imported job: commands one after the other, as sh -e runs them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Optional

from ..lexer import is_command
from ..model import Process
from .commandline import Command, quoted
from .imported import Check

NO_START = "Is not started:"  # begins the line that a condition that does not hold leaves in the log


@dataclass(frozen=True)
class Writer:
    """How the commands of the job ``name`` are run: ``wrapper`` before each, but not before those that stay root's."""

    name: str
    pidfile: str = ""
    wrapper: str = ""
    hooks_as_root: bool = False

    def lines(self, commands: Iterable[Command], main: bool = False) -> list[str]:
        """Return the lines that run ``commands`` in order; one that fails ends the script, unless it may."""
        found = list(commands)
        lines = ["set -f"] if any(command.splits for command in found) else []
        if any(command.uses_main_pid for command in found):
            lines.append(self.main_pid())
        return lines + [self._line(command, main) + (" || :" if command.ignore else "") for command in found]

    def checks(self, checks: Iterable[Check]) -> list[str]:
        """Return the lines that end a script where a condition does not hold."""
        return [f"{check.test} || {_refusal(f'{check.shown} does not hold.')}" for check in checks]

    def guards(self, commands: Iterable[Command]) -> list[str]:
        """Return the lines for ExecCondition: a command that fails keeps the job from starting."""
        return [f"{self._line(command)} || {_refusal(f'{command.text} says no.')}" for command in commands]

    def main(self, command: Command, before: Iterable[str], after: str) -> Process:
        """Return the main process: one line where that does, with nothing but the program left of the shell."""
        text = " ".join(part for part in (self._line(command, True), after) if part)
        lines = [*(["set -f"] if command.splits else []), *before]
        if not lines and "\n" not in text and is_command(text):
            return Process(text)
        return Process("".join(f"{line}\n" for line in [*lines, f"exec {text}"]), script=True)

    def main_pid(self) -> str:
        """Return the line that puts the main process's pid into MAINPID."""
        if self.pidfile:
            path = self.pidfile if self.pidfile.startswith("/") else f"/run/{self.pidfile}"
            return f"MAINPID=$(cat {quoted(path)} 2>/dev/null || :)"
        return f"MAINPID=$(fosterctl status {quoted(self.name)} | sed -n '1s/.*, process //p')"

    def _line(self, command: Command, main: bool = False) -> str:
        root = command.full or (self.hooks_as_root and not main)
        builtin = command.words[0] == "kill"
        return command.text if root or builtin or not self.wrapper else f"{self.wrapper} {command.text}"


def script(lines: Iterable[str]) -> Optional[Process]:
    """Return the script of ``lines``, None where there are none."""
    text = "".join(f"{line}\n" for line in lines)
    return Process(text, script=True) if text else None


def redirection(value: str, number: str) -> Optional[str]:
    """Return the shell's redirection of a stream, "" for the job's log, None for what there is not."""
    kind, _colon, path = value.partition(":")
    if value in ("inherit", "journal", "syslog", "kmsg", "journal+console", "syslog+console", "kmsg+console"):
        return "2>&1" if number == "2" and value == "inherit" else ""
    if value == "null":
        return f"{number}>/dev/null"
    operator = {"append": ">>", "truncate": ">", "file": "<>"}.get(kind)
    return f"{number}{operator}{quoted(path)}" if operator and path.startswith("/") else None


def _refusal(why: str) -> str:
    return f"{{ echo {quoted(f'{NO_START} {why}')} >&2; exit 1; }}"
