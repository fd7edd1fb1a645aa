# SPDX-License-Identifier: GPL-3.0-or-later
"""``notify-disk-writeable``: tell the supervisor that logs can be written from now on."""

from __future__ import annotations

from ..context import Context

SUMMARY = "Tell the supervisor that the disk is writeable now."
ARGUMENTS = ""
OPTIONS = ()


def run(context: Context) -> int:
    """Notify; print nothing."""
    context.foster.manager("NotifyDiskWriteable")
    return 0
