# SPDX-License-Identifier: GPL-3.0-or-later
"""``list-env``: print the job environment, sorted."""

from __future__ import annotations

from ..context import GLOBAL, Context

SUMMARY = "Print all variables of the job environment."
ARGUMENTS = ""
OPTIONS = (GLOBAL,)


def run(context: Context) -> int:
    """Print one KEY=VALUE on each line, sorted."""
    details = context.job_details()
    found = sorted(context.foster.manager("ListEnv", "as", details)[0])
    if context.json:
        context.say_json(dict(each.partition("=")[::2] for each in found))
    else:
        for each in found:
            context.say(each)
    return 0
