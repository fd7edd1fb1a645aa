# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment that jobs' processes start from: little for the system, one's own for a user, all in a container."""

from __future__ import annotations

from collections.abc import Mapping

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# PWD and the like say where the shell was that started us; jobs are not there.
_SESSION_LEFT_OUT = frozenset(("UPSTART_SESSION", "PWD", "OLDPWD", "SHLVL", "_"))
_USER_VARIABLES = (
    "HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG", "LANGUAGE", "TZ", "TERM", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME",
    "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME",
)  # fmt: skip  # not the login session's own: what is started from here outlives it


def of_session(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return Upstart's for its session mode: all of the caller's."""
    first = [key for key in ("PATH", "TERM") if key in environ]
    return _entries({key: environ[key] for key in (*first, *environ) if key not in _SESSION_LEFT_OUT})


def of_user(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return what belongs to the user, and not to the login that the supervisor was started from."""
    kept = {key: value for key, value in environ.items() if key in _USER_VARIABLES or key.startswith("LC_")}
    kept.setdefault("PATH", _SYSTEM_PATH)
    return _entries(kept)


def of_container(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return all of it: a container's variables are meant for what runs in it."""
    return _entries({"PATH": _SYSTEM_PATH, "TERM": "linux", **environ})


def of_system() -> tuple[str, ...]:
    """Return what an init gives, whoever started it."""
    return _entries({"PATH": _SYSTEM_PATH, "TERM": "linux"})


def _entries(variables: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"{key}={value}" for key, value in variables.items())
