# SPDX-License-Identifier: GPL-3.0-or-later
"""``tree``: the supervisor, its jobs, their instances and all processes that belong to them."""

from __future__ import annotations

from typing import Any

from ...inits import detect
from ...processes.ancestry import children, command_line
from ..context import Context

SUMMARY = "Print the jobs with all their processes as a tree."
ARGUMENTS = "[JOB]..."
OPTIONS = ()


def run(context: Context) -> int:
    """Print the tree; jobs that do not run are one line each."""
    jobs = sorted(context.foster.describe(*context.arguments), key=lambda job: str(job.get("name")))
    below = children()
    if context.json:
        for job in jobs:
            for instance in job.get("instances") or []:
                for process in instance.get("processes") or []:
                    process["children"] = _nested(int(process["pid"]), below)
        context.say_json(jobs)
        return 0
    pid = detect.peer(context.foster.connection.fileno())
    context.say(f"{pid} {command_line(pid)}" if pid else str(context.foster.connection.address))
    _draw(context, [_job(job, below) for job in jobs], "")
    return 0


Node = tuple[str, list[Any]]


def _job(job: dict[str, Any], below: dict[int, list[int]]) -> Node:
    """Return the node of a job; one with a single unnamed instance is one line with it."""
    nodes: list[Node] = []
    for instance in job.get("instances") or []:
        name = f" ({instance['name']})" if instance.get("name") else ""
        text = f"{job['name']}{name} {instance['goal']}/{instance['state']}"
        nodes.append((text, [_process(process, below) for process in instance.get("processes") or []]))
    if not nodes:
        return f"{job['name']} stop/waiting", []
    return nodes[0] if len(nodes) == 1 else (str(job["name"]), nodes)


def _process(process: dict[str, Any], below: dict[int, list[int]]) -> Node:
    pid = int(process["pid"])
    kind = "" if process.get("kind", "main") == "main" else f"{process['kind']}: "
    return f"{kind}{pid} {command_line(pid)}", [_descendant(child, below) for child in below.get(pid, [])]


def _descendant(pid: int, below: dict[int, list[int]]) -> Node:
    return f"{pid} {command_line(pid)}", [_descendant(child, below) for child in below.get(pid, [])]


def _nested(pid: int, below: dict[int, list[int]]) -> list[dict[str, Any]]:
    return [
        {"pid": child, "command": command_line(child), "children": _nested(child, below)}
        for child in below.get(pid, [])
    ]


def _draw(context: Context, nodes: list[Node], indent: str) -> None:
    for number, (text, children_) in enumerate(nodes, 1):
        last = number == len(nodes)
        context.say(f"{indent}{'└─' if last else '├─'} {text}")
        _draw(context, children_, indent + ("   " if last else "│  "))
