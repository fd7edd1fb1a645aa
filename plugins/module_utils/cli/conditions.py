# SPDX-License-Identifier: GPL-3.0-or-later
"""``start on`` and ``stop on`` as they come over D-Bus: operators (``["/AND"]``, ``["/OR"]``) last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple, Optional

Words = Sequence[Sequence[str]]  # the start_on and stop_on properties

JOB_EVENTS = ("starting", "started", "stopping", "stopped")
INIT_EVENTS = ("startup", "debug", "control-alt-delete", "keyboard-request", "power-status-changed", "session-end")
_OPERATORS = {"/AND": "and", "/OR": "or"}


def infix(condition: Words) -> str:
    """Return the condition as it is written in a job file, every operator in parentheses; "" for none."""
    stack: list[str] = []
    for words in condition:
        operator = _OPERATORS.get(words[0])
        if operator and len(stack) >= 2:
            right, left = stack.pop(), stack.pop()
            stack.append(f"({left} {operator} {right})")
        else:
            stack.append(" ".join(words))
    return stack[-1] if stack else ""


def job_of(words: Sequence[str]) -> tuple[Optional[str], list[str]]:
    """Return (the job that a job event is about, the other variables) of one event with its matches."""
    job: Optional[str] = None
    others = []
    for number, word in enumerate(words[1:]):
        found = None
        if words[0] in JOB_EVENTS and job is None:
            if word.startswith("JOB="):
                found = word[len("JOB=") :]
            elif number == 0 and "=" not in word:
                found = word
        if found:
            job = found
        else:
            others.append(word)
    return job, others


def enumerate_events(condition: Words) -> Iterator[str]:
    """Yield ``EVENT (job: JOB, env: VARIABLES)`` for every event of the condition."""
    for words in condition:
        if words[0] not in _OPERATORS:
            job, others = job_of(words)
            variables = "".join(f" {word}" for word in others)
            yield f"{words[0]} (job:{' ' + job if job else ''}, env:{variables})"


class _Node(NamedTuple):
    reachable: bool
    problems: tuple[str, ...]  # of it and all below
    children: tuple[_Node, ...]


def problems(condition: Words, jobs: set[str], emitted: set[str], ignored: set[str], strict: bool = False) -> list[str]:
    """Return ``unknown event X`` and ``unknown job Y`` for what keeps the condition from coming true.

    ``emitted``: globs of events that some job emits. ``ignored``: events to take for known. ``strict``: complain about
    an unknown event also where the other side of an ``or`` is known.
    """
    stack: list[_Node] = []
    for words in condition:
        if words[0] in _OPERATORS and len(stack) >= 2:
            right, left = stack.pop(), stack.pop()
            both = words[0] == "/AND" or strict
            reachable = all((left.reachable, right.reachable)) if both else any((left.reachable, right.reachable))
            stack.append(_Node(reachable, right.problems + left.problems, (right, left)))
        else:
            found = tuple(_event_problems(words, jobs, emitted, ignored))
            stack.append(_Node(not found, found, ()))
    return list(_first_unreachable(stack[-1], True)) if stack else []


def _event_problems(words: Sequence[str], jobs: set[str], emitted: set[str], ignored: set[str]) -> Iterator[str]:
    event = words[0]
    known = event in JOB_EVENTS or event in INIT_EVENTS or event in ignored
    if not known and not any(fnmatchcase(event, glob) for glob in emitted):
        yield f"unknown event {event}"
    job, _others = job_of(words)
    if job and job not in jobs and not job.startswith("$"):
        yield f"unknown job {job}"


def _first_unreachable(node: _Node, root: bool) -> tuple[str, ...]:
    """Return the problems of the outermost operator (or the whole condition) that can never come true."""
    if not node.reachable and (root or node.children):
        return node.problems
    for child in node.children:
        found = _first_unreachable(child, False)
        if found:
            return found
    return ()
