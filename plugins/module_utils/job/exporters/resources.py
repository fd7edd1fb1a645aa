# SPDX-License-Identifier: GPL-3.0-or-later
"""Resource limits and control groups. Source: systemd.exec(5), systemd.resource-control(5), cgroup v2 of the kernel."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Callable, Optional

from ..model import Job
from .errors import CannotSay
from .target import Line, Target

_MOST = 2**63 - 1
_MOST_SECONDS = 2**43  # systemd counts LimitCPU= in microseconds
_SIZE = re.compile(r"[0-9]{1,18}[KMGT]?\Z")
_CPUS = re.compile(r"[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*\Z")


def limits(job: Job, target: Target) -> Iterable[Line]:
    """Return one line for each limit."""
    for name, limit in job.limits:
        most = _MOST_SECONDS if name == "cpu" else _MOST
        numbers = [number for number in (limit.soft, limit.hard) if number is not None]
        if any(number > most for number in numbers):
            raise CannotSay("limit", "limits", f"systemd takes no {name} above {most}: say unlimited")
        if limit.hard is not None and (limit.soft is None or limit.soft > limit.hard):
            raise CannotSay("limit", "limits", f"the soft limit of {name} is above the hard one")
        unlimited = "40" if name == "nice" else "infinity"  # the most that setrlimit(2) has for it
        if name == "nice" and any(number > 40 for number in numbers):
            raise CannotSay("limit", "limits", "systemd takes no nice above 40")
        soft, hard = (unlimited if number is None else str(number) for number in (limit.soft, limit.hard))
        yield Line("Service", f"Limit{name.upper()}", soft if soft == hard else f"{soft}:{hard}")


def _size(text: str) -> Optional[str]:
    return "infinity" if text == "max" else text if _SIZE.match(text) else None


def _count(text: str) -> Optional[str]:
    return "infinity" if text == "max" else text if re.match(r"[1-9][0-9]{0,17}\Z", text) else None


def _weight(text: str) -> Optional[str]:
    number = text[len("default ") :] if text.startswith("default ") else text
    return number if re.match(r"[0-9]{1,5}\Z", number) and 1 <= int(number) <= 10000 else None


def _list(text: str) -> Optional[str]:
    return text if _CPUS.match(text) else None


_KEYS: dict[str, tuple[str, Callable[[str], Optional[str]]]] = {
    "memory.max": ("MemoryMax", _size),
    "memory.high": ("MemoryHigh", _size),
    "memory.low": ("MemoryLow", _size),
    "memory.min": ("MemoryMin", _size),
    "memory.swap.max": ("MemorySwapMax", _size),
    "pids.max": ("TasksMax", _count),
    "cpu.weight": ("CPUWeight", _weight),
    "io.weight": ("IOWeight", _weight),
    "cpuset.cpus": ("AllowedCPUs", _list),
    "cpuset.mems": ("AllowedMemoryNodes", _list),
}


def cgroup(job: Job, target: Target) -> Iterable[Line]:
    """Return the lines for the keys of cgroup v2."""
    for key, text in job.cgroup:
        if key == "cpu.max":
            yield from _quota(text)
            continue
        directive, read = _KEYS.get(key, ("", lambda text: None))
        if not directive:
            raise CannotSay("cgroup", "cgroup", f"systemd has no directive for {key}")
        value = read(text)
        if value is None:
            raise CannotSay("cgroup", "cgroup", f"{ascii(text)[1:-1]} is not a value of {key} that systemd takes")
        yield Line("Service", directive, value)


def _quota(text: str) -> Iterable[Line]:
    """``QUOTA PERIOD`` in microseconds; systemd has the share in percent, whole numbers of it."""
    found = re.match(r"(max|[0-9]{1,12})(?: ([0-9]{1,7}))?\Z", text)
    period = int(found.group(2) or 100_000) if found else 0
    if found is None or not 1000 <= period <= 1_000_000:
        raise CannotSay("cgroup", "cgroup", f"{ascii(text)[1:-1]} is not a value of cpu.max that systemd takes")
    if found.group(1) == "max":
        yield Line("Service", "CPUQuota", "")
        return
    percent, rest = divmod(int(found.group(1)) * 100, period)
    if rest or not percent:
        raise CannotSay("cgroup", "cgroup", f"systemd takes whole percents, and cpu.max {text} is none")
    yield Line("Service", "CPUQuota", f"{percent}%")
    yield Line("Service", "CPUQuotaPeriodSec", f"{period}us")
