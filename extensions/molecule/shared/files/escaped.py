# SPDX-License-Identifier: GPL-3.0-or-later
"""Fail with a sentence for each pid that hangs on a login session: judged from /proc alone, without the collection's
own code.

Arguments: the pids.
"""

import sys
from pathlib import Path


def stat(pid):
    """Return (name, parent pid) of a process; proc(5)."""
    text = Path("/proc", str(pid), "stat").read_text()
    name = text[text.index("(") + 1 : text.rindex(")")]
    return name, int(text[text.rindex(")") + 2 :].split()[1])


def is_guard(pid):
    """Return whether a shell is the one that brings the supervisor back where there is no init, away from any login.

    That one is a child of PID 1, without a terminal, in a session whose leader has ended.
    """
    text = Path("/proc", str(pid), "stat").read_text()
    _state, parent, _group, session, terminal = text[text.rindex(")") + 2 :].split()[:5]
    words = Path("/proc", str(pid), "cmdline").read_bytes().split(b"\0")
    return b"fosterd-guard" in words and parent == "1" and terminal == "0" and not Path("/proc", session).exists()


def faults(pid):
    """Yield what is wrong with where the process hangs."""
    cgroup = Path("/proc", str(pid), "cgroup").read_text()
    if any(part.startswith("session-") for line in cgroup.splitlines() for part in line.split("/")):
        yield f"pid {pid} is in a session's scope: {cgroup.strip()}"
    names = []
    at = stat(pid)[1]
    while at:
        name, parent = stat(at)
        names.append("guard" if name == "sh" and is_guard(at) else name)
        at = parent
    for name in names:
        if name.startswith(("sshd", "bash", "sh", "sudo", "login", "ansible")):
            yield f"pid {pid} has the ancestors {' < '.join(names)}"
            break


found = [fault for pid in sys.argv[1:] for fault in faults(pid)]
if len(sys.argv) == 1:
    found = ["no pid was given, so nothing was proved"]
print("\n".join(found))
sys.exit(1 if found else 0)
