# SPDX-License-Identifier: GPL-3.0-or-later
"""What this process may do and what the kernel offers, found out by trying. Source: capabilities(7), cgroups(7)."""

from __future__ import annotations

import os
from typing import NamedTuple

from .ancestry import cgroup

# In the order of their numbers, from linux/capability.h.
CAPABILITIES = (
    "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
    "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
    "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
    "sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
    "mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
    "checkpoint_restore",
)  # fmt: skip


class Hierarchy(NamedTuple):
    """A mounted hierarchy of control groups, ``version`` 1 or 2. ``writable``: groups can be made below the own one."""

    version: int
    path: str
    writable: bool


def effective(status: str) -> tuple[str, ...]:
    """Return the names of the effective capabilities in the text of /proc/PID/status."""
    for line in status.splitlines():
        if line.startswith("CapEff:"):
            bits = int(line.split()[1], 16)
            return tuple(name for number, name in enumerate(CAPABILITIES) if bits >> number & 1)
    return ()


def flag(status: str, key: str) -> bool:
    """Return whether a number in the text of /proc/PID/status, such as NoNewPrivs, is not 0."""
    return any(line.split()[1:2] not in ([], ["0"]) for line in status.splitlines() if line.startswith(f"{key}:"))


def own_status(proc: str = "/proc") -> str:
    """Return the text of this process's status."""
    try:
        with open(f"{proc}/self/status", encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""


def has_pidfd() -> bool:
    """Return whether processes can be held by a descriptor: Linux 5.3, unless a container's filter forbids it."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (OSError, AttributeError):
        return False
    return True


def hierarchies(proc: str = "/proc") -> list[Hierarchy]:
    """Return cgroup v2, and the named hierarchy of systemd in v1, where they are mounted."""
    try:
        with open(f"{proc}/self/mounts", encoding="utf-8", errors="surrogateescape") as file:
            mounts = [line.split() for line in file]
    except OSError:
        return []
    groups = dict(cgroup(os.getpid(), proc).all)
    found = []
    for words in mounts:
        if len(words) < 4:
            continue
        if words[2] == "cgroup2":
            version, group = 2, groups.get("", "/")
        elif words[2] == "cgroup" and "name=systemd" in words[3].split(","):
            version, group = 1, groups.get("name=systemd", "/")
        else:
            continue
        writable = "ro" not in words[3].split(",") and os.access(words[1] + group.rstrip("/"), os.W_OK)
        found.append(Hierarchy(version, words[1], writable))
    return found
