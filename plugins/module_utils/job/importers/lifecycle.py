# SPDX-License-Identifier: GPL-3.0-or-later
"""When a service is ready, when it is started again and how it is ended (systemd.service(5), systemd.kill(5))."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable, Optional, Union

from ..model import Expect, RespawnDelay, RespawnLimit
from ..values import MOST, signal
from .commandline import Command
from .imported import BEHAVIOUR, Lost
from .quantities import boolean, span, status
from .unitfile import Line, Unit, names

TYPES = ("simple", "exec", "idle", "forking", "oneshot", "notify", "notify-reload", "dbus")
CARRIED = frozenset(
    names("""
    Restart RestartSec RestartSteps RestartMaxDelaySec RestartMode RestartPreventExitStatus RestartForceExitStatus
    SuccessExitStatus StartLimitInterval StartLimitIntervalSec StartLimitBurst TimeoutStartSec TimeoutStopSec TimeoutSec
    KillMode KillSignal SendSIGKILL FinalKillSignal ReloadSignal WatchdogSec
    """)
)
_TIMEOUT = 90.0  # DefaultTimeoutStartSec and DefaultTimeoutStopSec, seconds
_CLEAN = (0, "HUP", "INT", "TERM", "PIPE")  # systemd.service(5), SuccessExitStatus
_FAILURES = tuple(range(1, 256))


class Wrong(ValueError):
    """A value that cannot be read, and where it is written."""

    def __init__(self, message: str, line: Optional[Line]) -> None:
        super().__init__(message)
        self.line = line


def read(
    unit: Unit, convert: Callable[[str], Any], *directives: str, default: Any = None, section: str = "Service"
) -> Any:
    """Return the converted value of the last of ``directives``; raise Wrong."""
    line = unit.line(*directives, section=section)
    if line is None:
        return default
    try:
        return convert(line.value)
    except ValueError as error:
        raise Wrong(str(error), line) from None


def fields(unit: Unit, kind: str, commands: Mapping[str, Sequence[Command]]) -> tuple[dict[str, Any], list[Lost]]:
    """Return the fields of the job, and what is lost."""
    lost: list[Lost] = []
    found = {
        "expect": _expect(unit, kind),
        "task": kind == "oneshot" and not read(unit, boolean, "RemainAfterExit", default=False),
        "start_timeout": _start_timeout(unit, kind),
        "watchdog": read(unit, span, "WatchdogSec", default=None) or None if kind.startswith("notify") else None,
        **_respawn(unit, lost),
        **_stop(unit, commands["ExecStop"], lost),
        **_reload(unit, kind, commands["ExecReload"]),
    }
    return found, lost


def _expect(unit: Unit, kind: str) -> Expect:
    pidfile, name = unit.value("PIDFile"), unit.value("BusName")
    if kind == "forking" and pidfile:
        return Expect("pidfile", pidfile if pidfile.startswith("/") else f"/run/{pidfile}")
    if kind == "dbus" and name:
        return Expect("dbus", name)
    return {"forking": Expect("exit"), "notify": Expect("notify"), "notify-reload": Expect("notify")}.get(
        kind, Expect()
    )


def _start_timeout(unit: Unit, kind: str) -> Optional[float]:
    default = None if kind in ("simple", "exec", "idle", "oneshot") else _TIMEOUT
    return read(unit, span, "TimeoutStartSec", "TimeoutSec", default=default) or None


def _respawn(unit: Unit, lost: list[Lost]) -> dict[str, Any]:
    restart = unit.value("Restart", default="no")
    line = unit.line("Restart")
    clean = [*_CLEAN, *_statuses(unit, "SuccessExitStatus")]
    never = _statuses(unit, "RestartPreventExitStatus")
    found: dict[str, Any] = {"respawn": restart not in ("no", "on-success", "on-watchdog")}
    if restart not in ("no", "always", "on-success", "on-failure", "on-abnormal", "on-abort", "on-watchdog"):
        raise Wrong(f"{restart} is not one of no, always, on-failure, on-abnormal, on-abort, on-success", line)
    if restart in ("on-success", "on-watchdog") and line is not None:
        sentence = f"It is not started again: a job cannot be, {restart.replace('-', ' ')} alone."
        lost.append(Lost(line.directive, line.value, BEHAVIOUR, True, sentence, line.where))
    if restart in ("on-abnormal", "on-abort"):  # no exit status starts it again, a signal does
        never = [*never, *(number for number in _FAILURES if number not in clean)]
    if restart != "always":
        found["normal_exit"] = tuple(dict.fromkeys(each for each in clean if each not in never))
    found["permanent_failure"] = tuple(dict.fromkeys(never))
    forced = unit.line("RestartForceExitStatus")
    if forced is not None and restart != "always":
        also = _statuses(unit, "RestartForceExitStatus")
        found["normal_exit"] = tuple(each for each in found["normal_exit"] if each not in also)
        found["permanent_failure"] = tuple(each for each in found["permanent_failure"] if each not in also)
    if not found["respawn"]:
        return {"respawn": False, "normal_exit": found.get("normal_exit", ())}
    first = read(unit, span, "RestartSec", default=0.1) or 0.0
    longest = read(unit, span, "RestartMaxDelaySec", default=first)
    found["respawn_delay"] = RespawnDelay(first, max(first, float(MOST if longest is None else longest)))
    found["respawn_limit"] = _limit(unit)
    return found


def _statuses(unit: Unit, directive: str) -> list[Union[int, str]]:
    try:
        return [status(word) for word in unit.words(directive)]
    except ValueError as error:
        raise Wrong(str(error), unit.line(directive)) from None


def _limit(unit: Unit) -> RespawnLimit:
    interval: Optional[float] = 10.0
    burst = 5
    for section in ("Unit", "Service"):  # the old place and the new one
        interval = read(unit, span, "StartLimitInterval", "StartLimitIntervalSec", default=interval, section=section)
        burst = read(unit, int, "StartLimitBurst", default=burst, section=section)
    if not interval or not burst:
        return RespawnLimit(0, 0)
    return RespawnLimit(min(burst, MOST), max(1, round(interval)))


def _stop(unit: Unit, commands: Sequence[Command], lost: list[Lost]) -> dict[str, Any]:
    timeout = read(unit, span, "TimeoutStopSec", "TimeoutSec", default=_TIMEOUT)
    seconds = MOST if not timeout or not read(unit, boolean, "SendSIGKILL", default=True) else max(1, round(timeout))
    main = stop_signal(commands) or read(unit, signal, "KillSignal", default="TERM")
    mode = unit.value("KillMode", default="control-group")
    line = unit.line("KillMode")
    if mode not in ("control-group", "process", "mixed", "none"):
        raise Wrong(f"{mode} is not one of control-group, mixed, process, none", line)
    if mode in ("none", "mixed") and line is not None:
        sentence = "Its main process is ended, the others are left alone."
        if mode == "mixed":
            sentence = "The kill signal goes to all processes of its group, not to the main process alone."
        lost.append(Lost("KillMode", mode, BEHAVIOUR, False, sentence, line.where))
    found: dict[str, Any] = {"kill_signal": main, "kill_timeout": min(seconds, MOST)}
    last = read(unit, signal, "FinalKillSignal", default="KILL")
    if last != "KILL":
        found["kill_schedule"] = (main, found["kill_timeout"], last, found["kill_timeout"])
    found["keep_leftovers"] = mode in ("process", "none")
    return found


def stop_signal(commands: Sequence[Command]) -> Optional[str]:
    """Return the signal that ExecStop sends to the main process, where that is all it does."""
    name = commands[0].signal() if len(commands) == 1 else None
    return _signal(name)


def _reload(unit: Unit, kind: str, commands: Sequence[Command]) -> dict[str, Any]:
    name = _signal(commands[0].signal() if len(commands) == 1 else None)
    if name is None and kind == "notify-reload":
        name = read(unit, signal, "ReloadSignal", default="HUP")
    return {"reload_signal": name} if name else {}


def _signal(name: Optional[str]) -> Optional[str]:
    try:
        return signal(name) if name else None
    except ValueError:
        return None
