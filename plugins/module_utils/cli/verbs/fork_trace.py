# SPDX-License-Identifier: GPL-3.0-or-later
"""``fork-trace -- COMMAND``: run a daemon once, show how it forks, and say which ``expect`` fits it."""

from __future__ import annotations

from typing import Any

from ...processes.trace.report import as_data
from ...processes.trace.request import DEFAULT_PATH, Request, TraceError
from ...processes.trace.run import trace
from ..context import CommandError, Context
from ..options import Option, UsageError

SUMMARY = "Run a daemon once, show how it forks, and say which expect fits it."
ARGUMENTS = "-- COMMAND [ARG]..."
OPTIONS = (
    Option("timeout", "t", "SECONDS", "look no longer than this (30)"),
    Option("settle", "s", "SECONDS", "believe that it has started once nothing happens for so long (1)"),
    Option("kill-timeout", "k", "SECONDS", "from SIGTERM to SIGKILL in the end (5)"),
    Option("chdir", "d", "FOLDER", "run it in this folder (/)"),
    Option("setuid", value="USER", text="run it as this user"),
    Option("setgid", value="GROUP", text="run it as this group"),
    Option("no-notify", text="do not offer NOTIFY_SOCKET, for which some daemons stay in the foreground"),
    Option("no-ptrace", text="look through /proc only, as where ptrace is forbidden"),
)


def run(context: Context) -> int:
    """Run the command as a job would be run; return 1 when it did not start. Needs no supervisor."""
    if not context.arguments:
        raise UsageError("missing command: write it after --")
    try:
        result = as_data(trace(_request(context)))
    except TraceError as error:
        raise CommandError(str(error)) from error
    if context.json:
        context.say_json(result)
    else:
        for line in _text(result):
            context.say(line)
    return 1 if result["failed"] else 0


def _request(context: Context) -> Request:
    values = context.values
    return Request(
        argv=tuple(context.arguments),
        env={"PATH": DEFAULT_PATH, "TERM": "linux"},
        chdir=str(values.get("chdir", "/")),
        user=_text_of(values.get("setuid")),
        group=_text_of(values.get("setgid")),
        timeout=_seconds(context, "timeout", 30.0),
        settle=_seconds(context, "settle", 1.0),
        kill_timeout=_seconds(context, "kill-timeout", 5.0),
        use_ptrace=not values.get("no-ptrace"),
        offer_notify=not values.get("no-notify"),
    )


def _text_of(value: Any) -> Any:
    return None if value is None else str(value)


def _seconds(context: Context, name: str, default: float) -> float:
    text = context.values.get(name)
    if text is None:
        return default
    try:
        seconds = float(str(text))
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86400:
        raise UsageError(f"--{name}={text}: write a number of seconds, from 0 to 86400")
    return seconds


def _text(result: dict[str, Any]) -> list[str]:
    found = list(result["lines"])
    found.append("")
    if result["failed"]:
        found.append(f"no expect: {result['reason']}")
    elif result["task"]:
        found.append(f"task: {result['reason']}")
    else:
        found.append(f"expect {result['expect']}")
        found.append(f"  {result['sure']}: {result['reason']}")
    found.extend(f"  {warning}" for warning in result["warnings"])
    main = result["main"]
    if main:
        found.append(f"  main process {main['pid']} {main['command']}")
        found.extend(f"  listens on {address}" for address in main["listens"] if address)
        found.extend(f"  is named by {path}" for path in main["pidfiles"])
    if result["alternatives"]:
        found.append("what each kind would do:")
        width = max(len(each["expect"]) for each in result["alternatives"])
        for each in result["alternatives"]:
            found.append(f"  {each['expect']:<{width}}  {'fits' if each['fits'] else 'no  '}  {each['outcome']}")
    if result["failed"] and result["output"]:
        found.extend(("what it wrote:", result["output"].rstrip("\n")))
    return found
