# SPDX-License-Identifier: GPL-3.0-or-later
"""The state machine of an instance: one table that says which state follows, given the goal.

Upstart 1.13.2 has more states, which only last while a process is being set up; nobody sees them at rest, so
they are not here. What entering a state does is in ``lifecycle``.
"""

from __future__ import annotations

from typing import NamedTuple, Union

START = "start"
STOP = "stop"
RESPAWN = "respawn"
GOALS = (STOP, START, RESPAWN)

WAITING = "waiting"
STARTING = "starting"
SECURITY = "security"
PRE_START = "pre-start"
SPAWNED = "spawned"
POST_START = "post-start"
RUNNING = "running"
PRE_STOP = "pre-stop"
STOPPING = "stopping"
KILLED = "killed"
POST_STOP = "post-stop"
STATES = (
    WAITING, STARTING, SECURITY, PRE_START, SPAWNED, POST_START, RUNNING, PRE_STOP, STOPPING, KILLED, POST_STOP,
)  # fmt: skip


class Facts(NamedTuple):
    """What else decides: ``main``: the main process lives; ``profile``: a security profile is to be loaded;
    ``replace``: the process is not to go on, since a restart was asked for or since it is dead."""

    main: bool = False
    profile: bool = False
    replace: bool = False


class _Either(NamedTuple):
    fact: int
    yes: str
    no: str


_MAIN, _PROFILE, _REPLACE = range(3)

# A goal of respawn lasts while a script of the instance outlives its main process; it then means start, by way of
# a stop. Where a state cannot be met with that goal, it counts as start.
NEXT: dict[tuple[str, str], Union[str, _Either]] = {
    (WAITING, STOP): WAITING,
    (WAITING, START): STARTING,
    (STARTING, STOP): STOPPING,
    (STARTING, START): _Either(_PROFILE, SECURITY, PRE_START),
    (SECURITY, STOP): STOPPING,
    (SECURITY, START): PRE_START,
    (PRE_START, STOP): STOPPING,
    (PRE_START, START): SPAWNED,
    (SPAWNED, STOP): STOPPING,
    (SPAWNED, START): POST_START,
    (POST_START, STOP): STOPPING,
    (POST_START, START): _Either(_REPLACE, STOPPING, RUNNING),
    (POST_START, RESPAWN): STOPPING,
    (RUNNING, STOP): _Either(_MAIN, PRE_STOP, STOPPING),
    (RUNNING, START): STOPPING,
    (PRE_STOP, STOP): STOPPING,
    (PRE_STOP, START): _Either(_REPLACE, STOPPING, RUNNING),
    (PRE_STOP, RESPAWN): STOPPING,
    (STOPPING, STOP): KILLED,
    (STOPPING, START): KILLED,
    (KILLED, STOP): POST_STOP,
    (KILLED, START): POST_STOP,
    (POST_STOP, STOP): WAITING,
    (POST_STOP, START): STARTING,
}


def next_state(state: str, goal: str, facts: Facts = Facts()) -> str:  # noqa: B008 (immutable)
    """Return the state that follows ``state`` on the way to ``goal``."""
    entry = NEXT.get((state, goal))
    if entry is None:
        entry = NEXT[state, START]
    if isinstance(entry, str):
        return entry
    return entry.yes if facts[entry.fact] else entry.no
