# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs of a supervisord configuration as jobs (supervisord's manual, Configuration File)."""

from __future__ import annotations

import configparser
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Optional

from ..errors import JobError, nearest, shown
from ..model import Job, Match, Process, RespawnDelay, RespawnLimit
from ..names import check_name
from ..values import signal
from .commandline import quoted
from .imported import BEHAVIOUR, ORDER, Around, Imported, Lost
from .quantities import boolean, octal, size
from .unitfile import names

_PROGRAM = re.compile(r"program:([A-Za-z0-9_. @-]+)\Z")
_REFERENCE = re.compile(r"%%|%\(([A-Za-z0-9_]+)\)(0?[0-9]*)([sd])")

# option: what becomes of it; the rest is in _LOST
_CARRIED = frozenset(
    names("""
    command process_name numprocs numprocs_start directory umask priority autostart autorestart startsecs startretries
    exitcodes stopsignal stopwaitsecs user environment redirect_stderr stdout_logfile stdout_logfile_maxbytes
    stdout_logfile_backups
    """)
)
_LOST = {
    "stopasgroup": "", "killasgroup": "",  # what a job does anyway
    "stderr_logfile": "what is written to stderr goes to the job's log, too",
    "stderr_logfile_maxbytes": "", "stderr_logfile_backups": "",
    "stdout_capture_maxbytes": "nothing is captured", "stderr_capture_maxbytes": "nothing is captured",
    "stdout_events_enabled": "no events are made of its output",
    "stderr_events_enabled": "no events are made of its output",
    "stdout_syslog": "the log is a file", "stderr_syslog": "the log is a file",
    "serverurl": "there is no XML-RPC server",
}  # fmt: skip
_OTHERS = ("group:", "eventlistener:", "fcgi-program:", "include")


def import_programs(path: str, text: str, around: Around) -> list[Imported]:
    """Return a job for each process of each program in the configuration ``text``. Raises JobError."""
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";",), strict=False, default_section="\0")
    try:
        parser.read_string(text, path)
    except configparser.Error as error:
        line = getattr(error, "lineno", None) or next((number for number, _l in getattr(error, "errors", ())), None)
        raise JobError("this is no line of a supervisord configuration", path, line) from None
    found: list[Imported] = []
    for section in parser.sections():
        program = _PROGRAM.match(section)
        if program is not None:
            found += _program(program.group(1), dict(parser.items(section)), path, around)
        elif section.startswith(_OTHERS) and found:
            sentence = "Is not carried over: there is nothing like it."
            first = found[0]
            found[0] = replace(first, lost=(*first.lost, Lost(section, "", ORDER, True, sentence, path)))
    return found


def _program(name: str, options: Mapping[str, str], path: str, around: Around) -> list[Imported]:
    count = int(_checked(path, name, "numprocs", options.get("numprocs", "1"), int))
    first = int(_checked(path, name, "numprocs_start", options.get("numprocs_start", "0"), int))
    if not 1 <= count <= 1000:
        raise JobError(f"{name} has {count} processes; 1 to 1000 can be jobs", path)
    found = []
    for number in range(first, first + count):
        known = {
            "program_name": name,
            "group_name": name,
            "process_num": number,
            "numprocs": count,
            "here": path.rpartition("/")[0] or ".",
            "host_node_name": around.hostname,
        }
        found.append(_process(name, options, path, known))
    return found


def _process(name: str, options: Mapping[str, str], path: str, known: Mapping[str, Any]) -> Imported:
    count = known["numprocs"]
    values = {key: _expanded(value, known, path, name, key) for key, value in options.items()}
    if not values.get("command", "").strip():
        raise JobError(f"{name} has no command", path)
    process = values.get("process_name", name)
    own = process if count > 1 else name
    if count > 1 and "%(process_num)" not in options.get("process_name", ""):
        own = f"{process}_{known['process_num']:02d}"
    check_name(own)

    def read(option: str, default: str, convert: Any) -> Any:
        return _checked(path, name, option, values.get(option, default), convert)

    lost = [
        Lost(key, value, BEHAVIOUR, key not in _LOST, f"Is ignored: {_why(key)}.", path)
        for key, value in values.items()
        if key not in _CARRIED and _LOST.get(key, "?")
    ]
    again = values.get("autorestart", "unexpected").strip().lower()
    codes = [word.strip() for word in values.get("exitcodes", "0").split(",") if word.strip()]
    retries = read("startretries", "3", int)
    wait = read("startsecs", "1", int)
    logfile = values.get("stdout_logfile", "AUTO").strip()
    job = Job(
        name=own,
        start_on=Match("startup") if read("autostart", "true", boolean) else None,
        exec_main=_main(values["command"], logfile),
        env=tuple(_environment(values.get("environment", ""), path, name)),
        respawn=again != "false",
        respawn_limit=RespawnLimit(max(1, retries), max(1, wait) * max(1, retries)),
        respawn_delay=RespawnDelay(0.0, 0.0),
        normal_exit=() if again == "true" else tuple(_checked(path, name, "exitcodes", c, int) for c in codes),
        kill_signal=read("stopsignal", "TERM", signal),
        kill_timeout=read("stopwaitsecs", "10", int),
        console="none" if logfile in ("NONE", "/dev/null") else "log",
        log_size=read("stdout_logfile_maxbytes", "50MB", _bytes) or None,
        log_keep=min(1000, read("stdout_logfile_backups", "10", int)),
        umask=None if "umask" not in values else read("umask", "", octal) & 0o777,
        chdir=values.get("directory") or None,
        setuid=values.get("user") or None,
    )
    return Imported(job, lost=tuple(lost), wanted=job.start_on is not None)


def _main(command: str, logfile: str) -> Process:
    words = command if not set(command) & set("`$*?~<>|;&()[]{}!") else " ".join(map(quoted, _words(command)))
    if logfile.startswith("/") and logfile != "/dev/null":
        return Process(f"{words} >>{quoted(logfile)} 2>&1")
    return Process(words)


def _words(command: str) -> list[str]:
    import shlex  # supervisord splits it so: no shell, no variables

    return shlex.split(command)


def _environment(text: str, path: str, name: str) -> list[str]:
    found = []
    for each in re.finditer(r"""\s*([A-Za-z_][A-Za-z0-9_]*)=("[^"]*"|'[^']*'|[^,]*)\s*(,|\Z)""", text):
        found.append(f"{each.group(1)}={each.group(2).strip().strip(chr(34) + chr(39))}")
    if text.strip() and not found:
        raise JobError(f'the environment of {name} is not KEY="VALUE",KEY="VALUE"', path)
    return found


def _expanded(value: str, known: Mapping[str, Any], path: str, name: str, option: str) -> str:
    def one(found: re.Match[str]) -> str:
        if found.group(0) == "%%":
            return "%"
        key = found.group(1)
        if key.startswith("ENV_"):
            raise JobError(f"{option} of {name} asks for supervisord's own environment, {key}; write the value", path)
        if key not in known:
            raise JobError(f"{option} of {name} asks for {shown(key)}, which is not known{nearest(key, known)}", path)
        return str(f"%{found.group(2)}{found.group(3)}" % known[key])

    return _REFERENCE.sub(one, value)


def _why(option: str) -> str:
    return _LOST.get(option) or "it is not known here"


def _bytes(text: str) -> Optional[int]:
    return size(text.strip().upper().rstrip("B"))


def _checked(path: str, name: str, option: str, value: str, convert: Any) -> Any:
    try:
        return convert(value.strip())
    except ValueError:
        raise JobError(f"{option} of {name} is {shown(value)}, which it cannot be", path) from None
