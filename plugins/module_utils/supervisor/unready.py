# SPDX-License-Identifier: GPL-3.0-or-later
"""Words for what a failure (``last_failure``) says beyond how a process ended, the same wherever it is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def unready(failure: Mapping[str, Any]) -> str:
    """Return what kept the job from becoming ready, as what a process did; "" where that is not how it failed."""
    if failure.get("timeout") == "start":
        waited = f"; it waited for {failure['waited_for']}" if failure.get("waited_for") else ""
        return f"was not ready within its start timeout{waited}"
    if "never" in failure:
        reason = f": {failure['never']}" if failure["never"] else ""
        return f"could not become ready any more{reason}"
    return ""


def too_often(failure: Mapping[str, Any]) -> str:
    """Return what goes after how a process ended where that was one end too many, else ""."""
    return ", more often than its respawn limit allows" if failure.get("too_often") else ""
