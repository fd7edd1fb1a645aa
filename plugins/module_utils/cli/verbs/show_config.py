# SPDX-License-Identifier: GPL-3.0-or-later
"""``show-config [JOB]``: print what jobs emit, start on and stop on."""

from __future__ import annotations

from typing import Any

from ...dbus.upstart import JOB_INTERFACE, PROPERTIES_INTERFACE, names_in
from ..conditions import enumerate_events, infix
from ..context import Context
from ..options import Option

SUMMARY = "Print what jobs emit, start on and stop on."
ARGUMENTS = "[JOB]"
OPTIONS = (Option("enumerate", "e", text="print each event by itself instead of the condition"),)


def run(context: Context) -> int:
    """Print one job, or all of them sorted by name."""
    foster = context.foster
    paths = [foster.job(context.arguments[0])] if context.arguments else foster.jobs()
    found = [configuration(context, path) for path in paths]
    if context.json:
        context.say_json(
            [dict(each, start_on=infix(each["start_on"]), stop_on=infix(each["stop_on"])) for each in found]
        )
        return 0
    for each in found:
        context.say(each["name"])
        for event in each["emits"]:
            context.say(f"  emits {event}")
        for stanza in ("start on", "stop on"):
            condition = each[stanza.replace(" ", "_")]
            if context.values.get("enumerate"):
                for event in enumerate_events(condition):
                    context.say(f"  {stanza} {event}")
            elif condition:
                context.say(f"  {stanza} {infix(condition)}")
    return 0


def configuration(context: Context, path: str) -> dict[str, Any]:
    """Return name, emits, start_on and stop_on of the job at ``path``; the conditions with operators last."""
    answer = context.foster.connection.call(path, PROPERTIES_INTERFACE, "GetAll", "s", JOB_INTERFACE)[0]
    values = {name: value for name, (_signature, value) in answer.items()}
    return {
        "name": values.get("name", names_in(path)[0]),
        "emits": values.get("emits", []),
        "start_on": values.get("start_on", []),
        "stop_on": values.get("stop_on", []),
    }
