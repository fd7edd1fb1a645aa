# SPDX-License-Identifier: GPL-3.0-or-later
"""A SysV script with its LSB header as a job that calls it (systemd-sysv-generator(8) does the same for systemd)."""

from __future__ import annotations

import re
from typing import Optional

from ..errors import JobError
from ..model import Expect, Job, Match, Process
from ..names import check_name
from .commandline import quoted
from .imported import BEHAVIOUR, ORDER, Imported, Lost
from .scripts import script

_START_TIMEOUT = 300  # seconds, as systemd-sysv-generator sets it
_HEADER = re.compile(r"^### BEGIN INIT INFO\s*$(.*?)^### END INIT INFO\s*$", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^#[ \t]*([A-Za-z-]+):[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_PIDFILE = re.compile(r"^#\s*pidfile:\s*(/\S+)\s*$", re.MULTILINE | re.IGNORECASE)
_ASSIGNMENT = re.compile(
    r"""^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=("[^"\n]*"|'[^'\n]*'|[^\s;"'`]*)\s*(?:#.*)?$""", re.MULTILINE
)
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$([A-Za-z_][A-Za-z0-9_]*)")
_LABEL = re.compile(r"^\s*\(?((?:[a-z|\s\\-]*\|\s*)?reload\s*(?:\|[a-z|\s\\-]*)?)\)", re.MULTILINE)
_PATHS = ("PIDFILE", "PIDFile", "pidfile", "PID_FILE", "DAEMON_PIDFILE")


def import_script(name: str, path: str, text: str, arguments: str = "") -> Imported:
    """Return the job that starts and stops through the script at ``path``, with ``arguments`` behind each verb.

    With a pidfile that the script names, its daemon is the job's main process; without one the job runs from the
    script's start to its stop. Raises JobError for a text that is no script.
    """
    check_name(name)
    if not text.startswith("#!"):
        raise JobError("the script does not begin with #! and an interpreter", path, 1)
    header = _header(text)
    pidfile = _pidfile(text, name)
    call = f"{quoted(path)} {{}}{' ' + arguments if arguments else ''}"
    stop = script([f"{call.format('stop')} || :"])
    lost: list[Lost] = []
    job = Job(
        name=name,
        description=header.get("short-description") or None,
        start_on=Match("startup") if header.get("default-start") or not header else None,
        env=("_SYSTEMCTL_SKIP_REDIRECT=1", "SYSTEMCTL_SKIP_REDIRECT=1"),
        exec_main=Process(call.format("start")) if pidfile else None,
        pre_start=None if pidfile else script([call.format("start")]),
        pre_stop=stop if pidfile else None,
        post_stop=None if pidfile else stop,  # Upstart runs a pre-stop only where there is a main process
        expect=Expect("pidfile", pidfile) if pidfile else Expect(),
        start_timeout=float(_START_TIMEOUT) if pidfile else None,
        normal_exit=(0,),
        kill_timeout=_START_TIMEOUT,
        keep_leftovers=bool(pidfile),
    )
    if not pidfile:
        sentence = "It names no pidfile, so that nobody sees when its daemon ends: the job runs until it is stopped."
        lost.append(Lost("pidfile", "", BEHAVIOUR, True, sentence, path))
    for field in ("required-start", "should-start"):
        if header.get(field):
            sentence = "Is not carried over: jobs that start at boot start together."
            lost.append(Lost(field.title(), header[field], ORDER, False, sentence, path))
    # One that restarts the daemon would start it as a child of the reload: then a reload is a restart of the job.
    # Where one label is for all verbs, what comes under it tells them apart.
    labels = [set(re.findall(r"[a-z-]+", label)) for label in _LABEL.findall(text)]
    reloads = any("restart" not in label or "stop" in label for label in labels)
    reload = Job(
        name=f"{name}/reload",
        description=f"Lets {name} read its configuration again",
        task=True,
        exec_main=script([call.format("reload")]),
        env=job.env,
    )
    aliases = tuple(word for word in header.get("provides", "").split() if word != name and not word.startswith("$"))
    return Imported(
        job,
        reload=reload if reloads else None,
        reloads=reloads,
        lost=tuple(lost),
        wanted=job.start_on is not None,
        aliases=aliases,
    )


def _header(text: str) -> dict[str, str]:
    found = _HEADER.search(text)
    return {key.lower(): value for key, value in _FIELD.findall(found.group(1))} if found else {}


def _pidfile(text: str, name: str) -> Optional[str]:
    """Return the one pidfile that the script names, its simple variables replaced; None where it is not sure."""
    named = _PIDFILE.search(text)
    if named:
        return named.group(1)
    variables: dict[str, set[str]] = {}
    for key, value in _ASSIGNMENT.findall(text):
        variables.setdefault(key, set()).add(value.strip("\"'"))
    for key in _PATHS:
        values = variables.get(key, set())
        if len(values) == 1:
            path = _replaced(next(iter(values)), variables)
            if path is not None and path.startswith("/"):
                return path
    return None


def _replaced(value: str, variables: dict[str, set[str]], depth: int = 0) -> Optional[str]:
    if depth > 4:
        return None
    result, position = "", 0
    for found in _REFERENCE.finditer(value):
        values = variables.get(found.group(1) or found.group(2), set())
        inner = _replaced(next(iter(values)), variables, depth + 1) if len(values) == 1 else None
        if inner is None:
            return None
        result += value[position : found.start()] + inner
        position = found.end()
    result += value[position:]
    return None if set(result) & set("$`*?()") else result
