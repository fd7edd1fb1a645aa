# SPDX-License-Identifier: GPL-3.0-or-later
# pylint: disable=ansible-bad-function  # a program of its own, which speaks to a terminal
"""fosterctl, and Upstart's clients by their names: find the verb, read the options, run, say errors in a sentence.

Called as initctl, start, stop, restart, reload, status or emit it prints what Upstart 1.13.2's initctl prints, with its
exit statuses. A verb is one file in ``verbs``, imported only when it is called.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module
from types import ModuleType

from ..dbus.errors import BusError, BusUnreachable
from .context import CommandError, Context
from .options import Option, UsageError, Values, describe, parse

UPSTART_NAMES = ("initctl", "start", "stop", "restart", "reload", "status", "emit")

# verb -> file in verbs/
VERBS = {
    "start": "start",
    "stop": "stop",
    "restart": "restart",
    "reload": "reload",
    "status": "status",
    "list": "list",
    "emit": "emit",
    "tree": "tree",
    "log": "log",
    "explain": "explain",
    "history": "history",
    "capabilities": "capabilities",
    "show-config": "show_config",
    "check-config": "check_config",
    "usage": "usage",
    "reload-configuration": "reload_configuration",
    "version": "version",
    "log-priority": "log_priority",
    "get-env": "get_env",
    "list-env": "list_env",
    "set-env": "set_env",
    "unset-env": "unset_env",
    "reset-env": "reset_env",
    "notify-disk-writeable": "notify_disk_writeable",
    "notify-dbus-address": "notify_dbus_address",
    "notify-cgroup-manager-address": "notify_cgroup_manager_address",
    "list-sessions": "list_sessions",
    "fork-trace": "fork_trace",
}
OURS = ("tree", "log", "fork-trace", "explain", "history", "capabilities")  # not known to Upstart's clients

COMMON = (
    Option("system", text="ask the supervisor of the system"),
    Option("user", text="ask the supervisor of this user"),
    Option("session", text="ask the supervisor that UPSTART_SESSION names"),
    Option("dest", value="NAME", text="accepted and ignored: there is no bus"),
    Option("quiet", "q", text="print errors only"),
    Option("verbose", "v", text="print more"),
    Option("help", text="print this and exit"),
    Option("version", text="print the version of this program and exit"),
)
OURS_COMMON = (
    Option("address", value="ADDRESS", text="ask the supervisor at this D-Bus address (unix:path=...)"),
    Option("json", text="print JSON"),
)


def main(argv: list[str]) -> int:
    """Run ``argv`` (with the program's name first) and return the exit status."""
    program = argv[0].rpartition("/")[2] or "fosterctl"
    upstart = program in UPSTART_NAMES
    try:
        return _run(program, upstart, argv[1:])
    except UsageError as error:
        print(f"{program}: {error}\nTry `{program} --help' for more information.", file=sys.stderr)
    except (BusError, BusUnreachable, CommandError) as error:
        _flush()
        print(f"{program}: {error}", file=sys.stderr)
    except BrokenPipeError:
        # Whoever read the output is gone; nobody is left to tell. Python would complain again when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"{program}: {where}{error.strerror or error}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1


def _flush() -> None:
    """Let what was printed come before the error, where both go to one file."""
    with suppress(OSError):
        sys.stdout.flush()


def _run(program: str, upstart: bool, words: list[str]) -> int:
    common = COMMON if upstart else COMMON + OURS_COMMON
    values: Values = {}
    rest = words
    if program in VERBS:
        name = program
    else:
        values, rest = parse(words, common, stop_at_first=True)
        if values.get("help"):
            return _help(program, upstart, common)
        if values.get("version"):
            return _own_version(program)
        if not rest:
            raise UsageError("missing command")
        name, rest = rest[0], rest[1:]
        if name == "help":
            return _help(program, upstart, common)
        if name not in VERBS or (upstart and name in OURS):
            raise UsageError(f"invalid command: {name}")
    verb = import_module(f"{__package__}.verbs.{VERBS[name]}")
    own, arguments = parse(rest, verb.OPTIONS + common)
    values.update(own)
    if values.get("help"):
        return _help_verb(program, name, verb, common)
    if values.get("version"):
        return _own_version(program)
    with Context(program, upstart, arguments, values) as context:
        status: int = verb.run(context)
    sys.stdout.flush()
    return status


def _own_version(program: str) -> int:
    print(f"{program} (foster.init)")
    return 0


def _help(program: str, upstart: bool, common: tuple[Option, ...]) -> int:
    print(f"Usage: {program} [OPTION]... COMMAND [OPTION]... [ARG]...\n\nCommands:")
    for name, module in VERBS.items():
        if not (upstart and name in OURS):
            print(f"  {name:<30} {import_module(f'{__package__}.verbs.{module}').SUMMARY}")
    print("\nOptions:")
    print("\n".join(describe(common)))
    print(f"\nFor more about a command, try `{program} COMMAND --help'.")
    return 0


def _help_verb(program: str, name: str, verb: ModuleType, common: tuple[Option, ...]) -> int:
    called = program if program == name else f"{program} {name}"
    print(f"Usage: {called} [OPTION]... {verb.ARGUMENTS}".rstrip())
    print(f"{verb.SUMMARY}\n\nOptions:")
    print("\n".join(describe(verb.OPTIONS + common)))
    return 0
