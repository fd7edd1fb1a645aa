# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof that a daemon does not depend on the login session that started it.

logind ends a session by its control group, whatever setsid and double forks did; a terminal ends what hangs on it; a
``systemd --user`` or a multiplexer takes its children with it. So the proof looks at all three.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import NamedTuple, Optional

from .ancestry import Cgroup, cgroup, chain, command_line
from .identity import Stat, read_stat

# Programs that stand between a person and what that person runs; the names as in /proc/PID/comm (15 bytes).
LOGIN_PROGRAMS = frozenset(
    (
        "sshd", "sshd-session", "sshd-auth", "dropbear", "telnetd", "in.telnetd", "mosh-server", "cockpit-bridge",
        "login", "agetty", "su", "sudo", "sudo-rs", "doas", "runuser", "gdm-session-wor", "gnome-terminal-", "xterm",
        "konsole", "tmux", "tmux: server", "screen", "SCREEN", "script", "dtach", "abduco", "zellij",
    )
)  # fmt: skip
_SESSION_SCOPE = re.compile(r"(?:^|/)session-[^/]+\.scope(?:/|$)")
_USER_MANAGER = re.compile(r"(?:^|/)(?:user@[^/]*|user\.slice|user-[^/]*\.slice)(?:/|$)")


class Proof(NamedTuple):
    """Who is above a process, and whether a logout leaves it alone; ``reason`` is one sentence either way.

    ``ppid`` and ``parent`` are of its parent, ``session`` is its session id, ``cgroup`` its control group.
    """

    pid: int
    ppid: int
    parent: str
    session: int
    cgroup: str
    escaped: bool
    reason: str


def proof(
    pid: int,
    supervisor: Optional[int] = None,
    caller: Optional[int] = None,
    user: bool = False,
    proc: str = "/proc",
    *,
    above: Optional[dict[int, Stat]] = None,
) -> Proof:
    """Return the proof for ``pid``.

    ``supervisor``: the pid of the supervisor (or init) that should be its parent; None: PID 1 or any. ``caller``: a
    process of the session to escape from (default: this one). ``user``: the supervisor belongs to a user, so a user's
    manager that lives on after logout may be above it. ``above``: what was read of ancestors and of the caller, to be
    shared by proofs that are made at one time.
    """
    known = {} if above is None else above
    ancestors = chain(pid, proc, known)
    if not ancestors:
        return Proof(pid, 0, "", 0, "", False, f"there is no process {pid}: it has ended")
    own = ancestors[0]
    groups = cgroup(pid, proc)
    parent = ancestors[1] if len(ancestors) > 1 else None
    asker = caller or os.getpid()
    asking = known.get(asker) or read_stat(asker, proc)
    known.update({stat.pid: stat for stat in (asking, *ancestors[1:]) if stat is not None})
    bound = (
        _bound_by_group(groups, user)
        or _bound_by_session(own, asking)
        or _bound_by_ancestor(ancestors[1:], supervisor, user, proc)
    )
    ours = f"its parent is {_named(parent)}, and nothing above it belongs to a login" if parent else "it is PID 1"
    return Proof(pid, own.ppid, parent.name if parent else "", own.session, groups.path, bound is None, bound or ours)


def _named(stat: Optional[Stat]) -> str:
    return f"{stat.name} (pid {stat.pid})" if stat else "nobody that can be seen"


def _bound_by_group(groups: Cgroup, user: bool) -> Optional[str]:
    for _controllers, path in groups.all:
        if _SESSION_SCOPE.search(path):
            return f"its control group {path} belongs to a login session and ends with it"
        if not user and _USER_MANAGER.search(path):
            return f"its control group {path} belongs to a user and ends with the user's last session"
    return None


def _bound_by_session(own: Stat, asking: Optional[Stat]) -> Optional[str]:
    if asking is not None and own.session and own.session == asking.session and own.pid != 1:
        return f"it is in session {own.session}, the very session that started it"
    if own.tty:
        return f"it has a controlling terminal (device {own.tty}) and ends with it"
    return None


def _bound_by_ancestor(above: Sequence[Stat], supervisor: Optional[int], user: bool, proc: str) -> Optional[str]:
    """Return why one of the ancestors ``above`` binds it; the first is the parent."""
    if supervisor is not None and supervisor not in {stat.pid for stat in above} and above:
        return f"its parent is {_named(above[0])}, not the supervisor (pid {supervisor})"
    if supervisor is None and above and above[0].pid != 1:
        words = command_line(above[0].pid, proc)
        if "fosterd" not in words and not (user and "systemd" in words):
            return f"its parent is {_named(above[0])}, which is neither PID 1 nor the supervisor"
    for stat in above:
        if stat.pid == 1:
            continue
        if stat.name in LOGIN_PROGRAMS:
            return f"its ancestor {_named(stat)} belongs to a login and may take it along"
        if not user and stat.name in ("systemd", "init") and "--user" in command_line(stat.pid, proc):
            return f"its ancestor {_named(stat)} is a user's manager and ends with the user's last session"
    return None
