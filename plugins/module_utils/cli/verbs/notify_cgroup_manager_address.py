# SPDX-License-Identifier: GPL-3.0-or-later
"""``notify-cgroup-manager-address ADDRESS``: tell the supervisor where the cgroup manager is."""

from __future__ import annotations

from ..context import Context
from ..options import UsageError

SUMMARY = "Tell the supervisor the address of the cgroup manager."
ARGUMENTS = "ADDRESS"
OPTIONS = ()


def run(context: Context) -> int:
    """Notify; print nothing."""
    if not context.arguments:
        raise UsageError("missing address")
    context.foster.manager("NotifyCGroupManagerAddress", "s", context.arguments[0])
    return 0
