# SPDX-License-Identifier: GPL-3.0-or-later
"""``list-sessions``: print the supervisors in session mode of this user, one ``PID ADDRESS`` on each line."""

from __future__ import annotations

import os

from ..context import CommandError, Context

SUMMARY = "List this user's supervisors in session mode."
ARGUMENTS = ""
OPTIONS = ()


def run(context: Context) -> int:
    """Print the sessions whose process lives; make the folder, which Upstart's clients do as well."""
    runtime = context.environ.get("XDG_RUNTIME_DIR")
    if not runtime:
        raise CommandError("Unable to query session directory: XDG_RUNTIME_DIR is not set in the environment")
    folder = os.path.join(runtime, "upstart", "sessions")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    for name in sorted(os.listdir(folder)):
        pid, _dot, extension = name.partition(".")
        if extension != "session" or not pid.isdigit() or not os.path.exists(f"/proc/{pid}"):
            continue
        with open(os.path.join(folder, name), encoding="utf-8", errors="surrogateescape") as file:
            key, _equals, where = file.readline().rstrip("\n").partition("=")
        if key == "UPSTART_SESSION" and where:
            context.say(f"{pid} {where}")
    return 0
