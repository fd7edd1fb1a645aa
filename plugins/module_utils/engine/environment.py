# SPDX-License-Identifier: GPL-3.0-or-later
"""How the environment of a job's processes is put together.

A table of ``KEY=VALUE`` strings, in the order in which the keys were first set. Later layers replace earlier
ones: the supervisor's table for jobs, the job's ``env``, then what the command or the events brought.
While a table is put together it is a dict from the key to the whole string.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from sys import intern

from .event import Event
from .messages import Env

Table = dict[str, str]


def table(env: Iterable[str]) -> Table:
    """Return ``env`` as a table; a later entry for a key takes the earlier one's place."""
    return {entry.partition("=")[0]: entry for entry in env}


def add(env: Table, entries: Iterable[str], inherited: Mapping[str, str], replace: bool = True) -> None:
    """Set ``entries``; a bare ``KEY`` takes its value from ``inherited``, and unsets it where there is none."""
    for entry in entries:
        key, equals, _unused = entry.partition("=")
        if not replace and key in env:
            continue
        if equals:
            env[key] = entry
        elif key in inherited:
            env[key] = f"{key}={inherited[key]}"
        elif replace:
            env.pop(key, None)


def of_process(env: Iterable[str], stop_env: Iterable[str], key: tuple[str, str], extra: Iterable[str]) -> Env:
    """Return the whole environment of a process of the instance ``key``: what is added last cannot be overridden."""
    found = table(env)
    found.update(table(stop_env))
    found["UPSTART_JOB"] = f"UPSTART_JOB={key[0]}"
    found["UPSTART_INSTANCE"] = f"UPSTART_INSTANCE={key[1]}"
    found.update(table(extra))
    return tuple(found.values())


def values(env: Iterable[str]) -> dict[str, str]:
    """Return ``env`` as a mapping of keys to values; the first entry for a key counts."""
    found: dict[str, str] = {}
    for entry in env:
        key, _unused, value = entry.partition("=")
        found.setdefault(key, value)
    return found


def all_valid(env: Iterable[str]) -> bool:
    """Tell whether every entry is a ``KEY=VALUE`` pair."""
    return all("=" in entry for entry in env)


def add_events(env: Table, causes: Iterable[Event], key: str) -> None:
    """Set what the events brought, one after the other, and ``key`` to their names."""
    names = []
    for event in causes:
        add(env, event.env, {})
        names.append(event.name)
    env[key] = intern(f"{key}={' '.join(names)}")  # one string for the thousand jobs that an event starts


def add_files(env: Table, causes: Iterable[Event]) -> None:
    """Set UPSTART_FDS to the numbers of the descriptors that came with the events, where there are any."""
    files = [str(event.file) for event in causes if event.file is not None]
    if files:
        env["UPSTART_FDS"] = f"UPSTART_FDS={' '.join(files)}"


def change(env: Table, entries: Iterable[str], replace: bool, unset: bool) -> None:
    """Do what set-env and unset-env do; ``entries`` are ``KEY=VALUE``, ``KEY`` for an empty value, names to unset."""
    if unset:
        for name in entries:
            env.pop(name, None)
    else:
        add(env, (entry if "=" in entry else f"{entry}=" for entry in entries), {}, replace)
