# SPDX-License-Identifier: GPL-3.0-or-later
"""How a process is ended: signals and waits in turn, as start-stop-daemon(8) writes them after ``--retry``.

``TERM/30/KILL/5`` sends SIGTERM, waits up to 30 seconds, sends SIGKILL, waits up to 5. A lone number is the signal of
the task, that many seconds, SIGKILL, the same again. What follows ``forever`` is repeated.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import NamedTuple, Optional, Union

SETTLE = 5.0  # seconds that the last signal gets when the schedule ends with it
MOST = 1_000_000_000.0  # seconds, for a wait
_RULE = "it is a number of seconds, or SIGNAL/SECONDS/SIGNAL/SECONDS and so on, such as TERM/30/KILL/5"


class Send(NamedTuple):
    """Send the signal with this number."""

    number: int


class Wait(NamedTuple):
    """Wait this many seconds, or shorter when everything has ended."""

    seconds: float


Step = Union[Send, Wait]


class Schedule(NamedTuple):
    """``steps`` in order; from ``repeat`` on they are repeated for ever, None: not at all."""

    steps: tuple[Step, ...]
    repeat: Optional[int] = None

    def __iter__(self) -> Iterator[Step]:  # type: ignore[override]
        """Yield the steps, for ever where the schedule says so."""
        yield from self.steps
        while self.repeat is not None:
            yield from self.steps[self.repeat :]


class ScheduleError(ValueError):
    """The text is no schedule; ``str()`` says why, without the name of the option."""


def signal_number(text: str) -> int:
    """Return the number of a signal: ``TERM``, ``SIGTERM``, ``15``, ``RTMIN+3``; raise ScheduleError for another."""
    name = text.strip().upper()
    if name.isascii() and name.isdigit():
        if not 1 <= len(name) <= 3 or not 1 <= int(name) < signal.NSIG:
            raise ScheduleError(f"there is no signal {text}; there are 1 to {signal.NSIG - 1}")
        return int(name)
    name = name[3:] if name.startswith("SIG") else name
    base, plus, offset = name.partition("+")
    if base in ("RTMIN", "RTMAX") and (not plus or offset.isdigit()):
        number = int(signal.Signals[f"SIG{base}"]) + int(offset or 0)
        if number <= signal.SIGRTMAX:
            return number
    elif not plus and f"SIG{name}" in signal.Signals.__members__:
        return int(signal.Signals[f"SIG{name}"])
    raise ScheduleError(f"there is no signal called {text}; give its name, such as TERM, or its number")


def parse(text: str, first: int = signal.SIGTERM) -> Schedule:
    """Read a schedule; ``first`` is the signal that a lone number of seconds begins with. Raise ScheduleError."""
    text = text.strip()
    words = text.split("/")
    if len(words) == 1:
        seconds = _seconds(text)
        if seconds is None:
            raise ScheduleError(f'"{text}" is no schedule: {_RULE}')
        return Schedule((Send(first), Wait(seconds), Send(int(signal.SIGKILL)), Wait(seconds)))
    steps: list[Step] = []
    repeat: Optional[int] = None
    for word in words:
        seconds = _seconds(word)
        if word == "forever":
            if repeat is not None:
                raise ScheduleError(f'"{text}" says forever twice; once is for ever')
            repeat = len(steps)
        elif seconds is not None:
            steps.append(Wait(seconds))
        elif not word.strip():
            raise ScheduleError(f'"{text}" has nothing before, between or after its slashes: {_RULE}')
        else:
            steps.append(Send(signal_number(word[1:] if word.startswith("-") else word)))
    if repeat is not None and not any(isinstance(step, Wait) for step in steps[repeat:]):
        raise ScheduleError(f'"{text}" repeats without ever waiting: put a number of seconds after forever')
    if repeat is None and isinstance(steps[-1], Send):
        steps.append(Wait(SETTLE))
    return Schedule(tuple(steps), repeat)


def default(first: int = signal.SIGTERM) -> Schedule:
    """Return what a task without a schedule gets: its signal, 30 seconds, SIGKILL, 5 seconds."""
    return Schedule((Send(first), Wait(30.0), Send(int(signal.SIGKILL)), Wait(SETTLE)))


def _seconds(word: str) -> Optional[float]:
    """Return the seconds that ``word`` is, None when it is something else; raise ScheduleError for too many."""
    if not word.isascii() or not word.isdigit():
        return None
    if len(word) > 10 or float(word) > MOST:
        raise ScheduleError(f"{word} seconds are too long; at most {MOST:.0f}, or use forever")
    return float(word)
