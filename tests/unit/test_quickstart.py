# SPDX-License-Identifier: GPL-3.0-or-later
"""The quickstart runs on a host with nothing but what Debian calls essential, and the Python that it needs itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

PLAYBOOKS = sorted((Path(__file__).resolve().parents[2] / "playbooks").glob("quickstart*.yml"))
# kill, ps and pgrep, for one, are in a package that a small host lacks; the shell has a kill of its own.
THERE = {"sh", "umask", "python3", "{{"}


def tasks(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping in the playbook, tasks among them."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from tasks(each)


def programs(task: dict[str, Any]) -> Iterator[str]:
    for module in ("command", "shell"):
        given = task.get(f"ansible.builtin.{module}")
        if isinstance(given, str):
            yield given.split()[0]
        elif isinstance(given, dict) and "argv" in given:
            argv = given["argv"]
            yield argv.split()[0] if isinstance(argv, str) else argv[0].split()[0]
        elif given is not None:
            yield from (part.split()[0] for part in given["cmd"].split(";")[:1])


def test_there_is_a_quickstart() -> None:
    assert PLAYBOOKS


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.name)
def test_its_commands_are_on_every_host(path: Path) -> None:
    used = {name for task in tasks(yaml.safe_load(path.read_text())) for name in programs(task)}
    assert used <= THERE
