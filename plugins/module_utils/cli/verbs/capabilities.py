# SPDX-License-Identifier: GPL-3.0-or-later
"""``capabilities``: how the supervisor follows processes on this host, and what it cannot do here and why."""

from __future__ import annotations

from ..context import Context

SUMMARY = "Print how processes are followed on this host, and why not better."
ARGUMENTS = ""
OPTIONS = ()


def run(context: Context) -> int:
    """Print one line for each way to follow processes."""
    found = context.foster.foster("Capabilities")
    if context.json:
        context.say_json(found)
        return 0
    cgroup = found.get("cgroup")
    context.say(f"supervisor {found['pid']} of uid {found['uid']}, Python {found['python']}, Linux {found['kernel']}")
    context.say(f"cgroups below {cgroup['path']}" if cgroup else "no cgroups")
    for rung in found.get("tracking", ()):
        why = f" ({rung['why']})" if rung["why"] else ""
        context.say(f"  {'yes' if rung['in_force'] else 'no ':<3} {rung['name']}: {rung['purpose']}{why}")
    return 0
