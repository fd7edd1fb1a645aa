# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits and priorities of a service (systemd.exec(5), systemd.resource-control(5))."""

from __future__ import annotations

import re
from typing import Any, Callable, Optional

from ..model import Limit
from .imported import BEHAVIOUR, Around, Lost
from .lifecycle import Wrong, read
from .quantities import size, span
from .unitfile import Line, Unit

_LIMITS = {
    "LimitCPU": "cpu", "LimitFSIZE": "fsize", "LimitDATA": "data", "LimitSTACK": "stack", "LimitCORE": "core",
    "LimitRSS": "rss", "LimitNOFILE": "nofile", "LimitAS": "as", "LimitNPROC": "nproc", "LimitMEMLOCK": "memlock",
    "LimitSIGPENDING": "sigpending", "LimitMSGQUEUE": "msgqueue", "LimitNICE": "nice", "LimitRTPRIO": "rtprio",
}  # fmt: skip
_SYS_NICE, _SYS_RESOURCE = 23, 24


def _bytes(value: str) -> Optional[str]:
    if value == "0":
        return "0"
    number = size(value)
    return "max" if number is None else str(number)


def _quota(value: str) -> Optional[str]:
    found = re.match(r"([0-9]{1,6})(?:\.[0-9]*)?%\Z", value)
    return f"{int(found.group(1)) * 1000} 100000" if found else None


def _plain(value: str) -> Optional[str]:
    return value if re.match(r"[0-9]{1,6}\Z", value) else None


_CGROUP: dict[str, tuple[str, Callable[[str], Optional[str]]]] = {
    "MemoryMax": ("memory.max", _bytes),
    "MemoryLimit": ("memory.max", _bytes),
    "MemoryHigh": ("memory.high", _bytes),
    "MemoryLow": ("memory.low", _bytes),
    "MemoryMin": ("memory.min", _bytes),
    "MemorySwapMax": ("memory.swap.max", _bytes),
    "TasksMax": ("pids.max", _bytes),
    "CPUWeight": ("cpu.weight", _plain),
    "CPUQuota": ("cpu.max", _quota),
    "IOWeight": ("io.weight", _plain),
    "AllowedCPUs": ("cpuset.cpus", lambda value: value if re.match(r"[0-9,-]+\Z", value) else None),
}
CARRIED = frozenset({*_LIMITS, *_CGROUP, "Nice", "OOMScoreAdjust"})


def fields(unit: Unit, around: Around) -> tuple[dict[str, Any], list[Lost]]:
    """Return the fields of the job, and what the host does not allow. Raises Wrong."""
    lost: list[Lost] = []
    limits = [(name, limit) for each, name in _LIMITS.items() if (limit := _limit(unit.line(each), name, around, lost))]
    found: dict[str, Any] = {"limits": tuple(sorted(limits)), "cgroup": tuple(_cgroup(unit, lost))}
    nice = read(unit, int, "Nice", default=0)
    if nice < 0 and not around.may(_SYS_NICE):
        lost.append(_refused(unit.line("Nice"), "The priority is not raised: the supervisor lacks CAP_SYS_NICE."))
    elif nice:
        found["nice"] = max(-20, min(19, nice))
    score = read(unit, int, "OOMScoreAdjust", default=None)
    if score is not None and score < 0 and not around.may(_SYS_RESOURCE):
        sentence = "It is not spared when memory is short: the supervisor lacks CAP_SYS_RESOURCE."
        lost.append(_refused(unit.line("OOMScoreAdjust"), sentence))
    elif score is not None:
        found["oom_score"] = max(-1000, min(1000, score))
    return found, lost


def _limit(line: Optional[Line], name: str, around: Around, lost: list[Lost]) -> Optional[Limit]:
    if line is None:
        return None
    soft, _colon, hard = line.value.partition(":")
    try:
        low, high = _amount(soft, name), _amount(hard or soft, name)
    except ValueError as error:
        raise Wrong(str(error), line) from None
    if name in around.ceilings:
        ceiling = around.ceilings[name]
        if ceiling is not None and (high is None or high > ceiling):
            lost.append(_refused(line, f"Is {ceiling} here: the supervisor may not go above that."))
            high = ceiling
            low = ceiling if low is None or low > ceiling else low
    return Limit(low, high)


def _amount(text: str, name: str) -> Optional[int]:
    if name == "cpu":
        seconds = span(text)
        return None if seconds is None else int(seconds)
    if name == "nice" and text[:1] in "+-":
        return 20 - int(text)
    return size(text)


def _cgroup(unit: Unit, lost: list[Lost]) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for directive, (key, convert) in _CGROUP.items():
        line = unit.line(directive)
        if line is None:
            continue
        try:
            value = convert(line.value)
        except ValueError:
            value = None
        if value is None:
            lost.append(_refused(line, "Is ignored: the control group takes a plain number only."))
        elif value != "max":
            found[key] = value
    return list(found.items())


def _refused(line: Optional[Line], sentence: str) -> Lost:
    if line is None:
        return Lost("", "", BEHAVIOUR, True, sentence)
    return Lost(line.directive, line.value, BEHAVIOUR, True, sentence, line.where)
