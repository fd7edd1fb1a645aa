# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of fosterd, read without argparse, which would cost 2 MB for as long as the supervisor runs."""

from __future__ import annotations

from typing import Optional

from .settings import READERS

USAGE = """\
Usage: fosterd [OPTION]... [-- COMMAND [ARGUMENT]...]
Run jobs as a daemon: for the system as root, for oneself as a plain user. With a COMMAND, as in a container, run that
as the job `main`, and end with it and its exit status.

  --user                  run the user's own jobs (the default for other users than root)
  --system                run the system's jobs (the default for root)
  --session               behave as Upstart's session init (with --user and --confdir: the default)
  --confdir DIRECTORY     read jobs from here; may be given more than once, the first wins
  --rundir DIRECTORY      keep the control socket and the ledger here
  --logdir DIRECTORY      write the output of jobs here; - for fosterd's own standard output
  --startup-event EVENT   emit EVENT instead of `startup` at the beginning
  --no-startup-event      emit none
  --readers WHO           who may ask what runs: `owner` (and root), or `everyone` on this host; changes stay with root
                          and the supervisor's own user (default: what fosterd.settings beside the job files says)
  --debug, --verbose      tell more on standard error
  --help, --version
"""

STATE_FD = "--state-fd"  # internal: from the program that executed itself anew
_WITH_VALUE = (
    "--confdir",
    "--rundir",
    "--logdir",
    "--startup-event",
    "--readers",
    STATE_FD,
    "--default-console",
    "--append-confdir",
    "--prepend-confdir",
)
_FLAGS = (
    "--user", "--system", "--session", "--no-startup-event", "--debug", "--verbose", "--help", "--version",
    "--no-dbus", "--no-sessions", "--no-inherit-env", "--no-log", "--restart",
)  # fmt: skip


class UsageError(Exception):
    """The command line cannot be understood; the text says why."""


class Options:
    """What the command line says. ``state_fd``: from the program that executed itself anew, -1 for none.

    ``command``: what follows ``--``.
    """

    def __init__(self, arguments: list[str]) -> None:
        self.given: set[str] = set()
        self.confdirs: list[str] = []
        self.rundir = ""
        self.logdir = ""
        self.startup_event = "startup"
        self.readers: Optional[str] = None
        self.state_fd = -1
        pending, self.command = split_command(arguments)
        while pending:
            word = pending.pop(0)
            name, equals, value = word.partition("=")
            if name in _WITH_VALUE:
                if not equals:
                    if not pending:
                        raise UsageError(f"{name} needs a value; see fosterd --help")
                    value = pending.pop(0)
                self._take(name, value)
            elif word in _FLAGS:
                self.given.add(word)
            else:
                raise UsageError(f"unknown option {word}; see fosterd --help")

    def _take(self, name: str, value: str) -> None:
        if name in ("--confdir", "--append-confdir"):
            self.confdirs.append(value)
        elif name == "--prepend-confdir":
            self.confdirs.insert(0, value)
        elif name == "--rundir":
            self.rundir = value
        elif name == "--logdir":
            self.logdir = value
        elif name == "--startup-event":
            self.startup_event = value
        elif name == "--readers":
            if value not in READERS:
                raise UsageError(f"--readers is {' or '.join(READERS)}, not {value!r}")
            self.readers = value
        elif name == STATE_FD:
            if not value.isdigit():
                raise UsageError(f"{name} needs a number")
            self.state_fd = int(value)


def split_command(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return (what stands before ``--``, what follows it)."""
    if "--" not in arguments:
        return list(arguments), []
    at = arguments.index("--")
    if at + 1 == len(arguments):
        raise UsageError("a command has to follow `--`; see fosterd --help")
    return arguments[:at], arguments[at + 1 :]
