# SPDX-License-Identifier: GPL-3.0-or-later
"""Print where daemons are, a line each: parent, session and control group, or that it is gone.

Arguments: NAME=PID, or NAME=SECONDS for the process `sleep SECONDS`.
"""

import sys
from pathlib import Path


def stat(pid):
    """Return (name, parent pid, session id); proc(5)."""
    text = Path("/proc", str(pid), "stat").read_text()
    fields = text[text.rindex(")") + 2 :].split()
    return text[text.index("(") + 1 : text.rindex(")")], int(fields[1]), int(fields[3])


def found(value):
    """Return the pids that are meant."""
    pids = [path.name for path in Path("/proc").iterdir() if path.name.isdigit()]
    wanted = f"sleep\0{value}\0".encode()
    for pid in pids:
        try:
            if pid == value or Path("/proc", pid, "cmdline").read_bytes() == wanted:
                yield pid
        except OSError:
            continue


for argument in sys.argv[1:]:
    name, value = argument.split("=", 1)
    lines = []
    for pid in found(value):
        _name, parent, session = stat(pid)
        groups = [line.split(":", 2) for line in Path("/proc", pid, "cgroup").read_text().splitlines()]
        by_kind = {kind: path for _number, kind, path in groups}
        # v1's named hierarchy is systemd's on a hybrid host, and else the machine's, seen from a container.
        named = by_kind.get("name=systemd", "/")
        group = named if named != "/" else by_kind.get("", "/")
        above = stat(parent)[0] if parent else "nobody"
        own = "its own" if session == int(pid) else f"session {session}"
        lines.append(f"{name}: parent {above} ({parent}), {own}, cgroup {group}")
    print("\n".join(lines) or f"{name}: gone")
