# SPDX-License-Identifier: GPL-3.0-or-later
"""``log JOB [KEY=VALUE]...``: print the last lines that a job has written."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from ...dbus.errors import BusError
from ..context import CommandError, Context
from ..options import Option, UsageError

SUMMARY = "Print the last lines of a job's log."
ARGUMENTS = "JOB [KEY=VALUE]..."
OPTIONS = (
    Option("lines", value="N", text="how many lines (default 20)"),
    Option("follow", "f", text="go on printing what the job writes"),
)
_BLOCK = 1 << 16  # bytes
_PAUSE = 0.25  # seconds between two looks at the file, with --follow


def run(context: Context) -> int:
    """Print the log of the instance that the variables select."""
    job, _inside = context.job()
    lines = context.values.get("lines", "20")
    if not str(lines).isdigit():
        raise UsageError(f"--lines takes a number, not {lines}")
    path = _path(context, job)
    try:
        with open(path, "rb") as file:
            text = tail(file, int(lines))
            if context.json:
                context.say_json({"job": job, "log": path, "lines": text.decode("utf-8", "replace").splitlines()})
                return 0
            sys.stdout.buffer.write(text)
            sys.stdout.flush()
            if context.values.get("follow"):
                _follow(path, file)
    except FileNotFoundError as error:
        raise CommandError(f"{job} has written nothing yet: there is no {path}") from error
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}; read it as the user that the supervisor runs as") from error
    return 0


def _path(context: Context, job: str) -> str:
    """Return the path of the log of the instance; of the job where no instance is known any more."""
    foster = context.foster
    described: dict[str, Any] = next(iter(foster.describe(job)), {})
    if not described:
        foster.job(job)  # says that it is unknown
    instances: list[dict[str, Any]] = described.get("instances") or []
    chosen: dict[str, Any] = {}
    try:
        selected = foster.instance(foster.job(job), context.arguments[1:])
        name = foster.instance_status(job, selected).instance
        chosen = next((each for each in instances if each.get("name") == name), {})
    except BusError as error:
        if error.short not in ("UnknownInstance", "UnknownParameter", "UnknownObject") and "parameter" not in str(
            error
        ):
            raise
    path = chosen.get("log") or described.get("log") or next((each["log"] for each in instances if each.get("log")), "")
    if not path:
        raise CommandError(f"{job} has no log: its console is not `log`, or it never ran")
    return str(path)


def tail(file: Any, lines: int) -> bytes:
    """Return the last ``lines`` lines of a file that is open in binary mode, and leave it at its end."""
    end = file.seek(0, os.SEEK_END)
    data = b""
    start = end
    while start > 0 and data.count(b"\n") <= lines:
        size = min(_BLOCK, start)
        start -= size
        file.seek(start)
        data = file.read(size) + data
    file.seek(end)
    return b"".join(data.splitlines(keepends=True)[-lines:]) if lines else b""


def _follow(path: str, file: Any) -> None:
    """Print what is appended, for ever; go on with the new file when the log is rotated."""
    while True:
        data = file.read(_BLOCK)
        if data:
            sys.stdout.buffer.write(data)
            sys.stdout.flush()
            continue
        try:
            if os.stat(path).st_ino != os.fstat(file.fileno()).st_ino:
                file = open(path, "rb")  # noqa: SIM115 (open until we are interrupted)
                continue
        except FileNotFoundError:
            pass
        time.sleep(_PAUSE)
