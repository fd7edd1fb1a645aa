# SPDX-License-Identifier: GPL-3.0-or-later
"""Who started a process and where it stands: parents, children, session, terminal, control group."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple, Optional

from .identity import Stat, read_stat

_MAX_DEPTH = 1000  # of a chain of parents; the kernel's namespaces nest 32 deep, processes hardly 50


class Cgroup(NamedTuple):
    """The control groups of a process. ``path``: in the hierarchy where sessions are; ``all``: every line.

    cgroup v2 has the line ``0::/path``; v1 and hybrid have more, and logind keeps sessions in ``name=systemd``.
    """

    path: str
    all: tuple[tuple[str, str], ...]  # (controllers, path); controllers is "" for cgroup v2


def chain(pid: int, proc: str = "/proc", known: Optional[Mapping[int, Stat]] = None) -> list[Stat]:
    """Return the process and its ancestors, up to one without a parent that can be seen (PID 1).

    ``known``: what was read of some of them already.
    """
    found: list[Stat] = []
    seen = set()
    while pid > 0 and pid not in seen and len(found) < _MAX_DEPTH:
        stat = (known or {}).get(pid) or read_stat(pid, proc)
        if stat is None:
            break
        found.append(stat)
        seen.add(pid)
        pid = stat.ppid
    return found


def children(proc: str = "/proc") -> dict[int, list[int]]:
    """Return the pids of the children of every process that has some, in order."""
    found: dict[int, list[int]] = {}
    for name in os.listdir(proc):
        if name.isdigit():
            stat = read_stat(int(name), proc)
            if stat is not None:
                found.setdefault(stat.ppid, []).append(stat.pid)
    for pids in found.values():
        pids.sort()
    return found


def command_line(pid: int, proc: str = "/proc") -> str:
    """Return the command line on one line, the name in brackets where there is none, "(gone)" for no process."""
    try:
        with open(f"{proc}/{pid}/cmdline", "rb") as file:
            raw = file.read(4096)
    except OSError:
        raw = b""
    words = raw.rstrip(b"\0").split(b"\0") if raw else []
    text = " ".join(word.decode("utf-8", "replace") for word in words)
    if not text.strip():
        stat = read_stat(pid, proc)
        return f"[{stat.name}]" if stat else "(gone)"
    return "".join(character if character.isprintable() else " " for character in text)


def parse_cgroup(text: str) -> Cgroup:
    """Read the content of /proc/PID/cgroup: lines ``ID:CONTROLLERS:PATH``, cgroups(7)."""
    lines = []
    for line in text.splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3:
            lines.append((parts[1], parts[2]))
    by_controllers = dict(lines)
    likely = [by_controllers[known] for known in ("name=systemd", "") if known in by_controllers]
    likely += [path for _controllers, path in lines]
    # In a container on a host with both, the init of the container uses one of them, and all is "/" in the other.
    path = next((each for each in likely if each != "/"), likely[0] if likely else "")
    return Cgroup(path, tuple(lines))


def cgroup(pid: int, proc: str = "/proc") -> Cgroup:
    """Return the control groups of ``pid``; an empty path where the kernel has none or the process is gone."""
    try:
        with open(f"{proc}/{pid}/cgroup", encoding="utf-8", errors="surrogateescape") as file:
            return parse_cgroup(file.read())
    except OSError:
        return Cgroup("", ())


def terminal_name(device: int) -> str:
    """Return the path of a terminal from its number in /proc/PID/stat, "" for none; see the kernel's devices.txt."""
    if not device:
        return ""
    major, minor = device >> 8 & 0xFFF, device & 0xFF | device >> 12 & 0xFFF00
    if 136 <= major <= 143:
        return f"/dev/pts/{minor + (major - 136) * 256}"
    if major == 4:
        return f"/dev/tty{minor}" if minor < 64 else f"/dev/ttyS{minor - 64}"
    return f"device {major}:{minor}"
