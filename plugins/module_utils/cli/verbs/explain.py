# SPDX-License-Identifier: GPL-3.0-or-later
"""``explain JOB [INSTANCE]``: why a job is in its state, in plain words."""

from __future__ import annotations

from typing import Any

from ..context import Context
from ..options import UsageError

SUMMARY = "Say why a job is in its state: what it waits for, what ended it."
ARGUMENTS = "JOB [INSTANCE]"
OPTIONS = ()


def run(context: Context) -> int:
    """Explain one instance, or all instances of the job; a job without any is explained too."""
    if not context.arguments:
        raise UsageError("missing job name")
    job = context.arguments[0]
    context.foster.job(job)  # an unknown one is told in the words of every verb
    names = context.arguments[1:]
    if not names:
        described = context.foster.describe(job)
        names = [str(each["name"]) for one in described for each in one.get("instances") or []] or [""]
    answers = [context.foster.foster("Explain", "ss", job, name) for name in names]
    if context.json:
        context.say_json(answers)
        return 0
    for answer in answers:
        for line in _lines(answer):
            context.say(line)
    return 0


def _lines(answer: dict[str, Any]) -> list[str]:
    name = f" ({answer['instance']})" if answer.get("instance") else ""
    head = f"{answer['job']}{name} {answer['goal']}/{answer['state']}: {answer['reason']}."
    return [head, *(f"  {detail}." for detail in answer.get("details", ()))]
