# SPDX-License-Identifier: GPL-3.0-or-later
"""The command that fosterd is given (``fosterd -- CMD ARGS``): a job called main, with whose end the supervisor ends.

It is written as a job file into the run folder, so that ``main.override`` and all verbs apply to it as to any other.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ..job.errors import JobError
from ..job.model import Job, Process
from ..job.parser import parse_job
from ..job.writer import write_job
from .errors import StartError

NAME = "main"
_FILE = f"{NAME}.conf"
_FAILED_TO_START = {errno.ENOENT: 127, errno.EACCES: 126}  # sh(1): not found, cannot be executed


def folder(run_folder: str) -> str:
    """Return the folder of the job file."""
    return os.path.join(run_folder, "command")


def write_job_file(run_folder: str, others: Sequence[str], event: str, command: Sequence[str], working: str) -> None:
    """Write the job that runs ``command`` in the folder ``working`` when ``event`` comes.

    ``others``: the folders of the other jobs, where none may be called main. Raises StartError.
    """
    for other in others:
        path = os.path.join(other, _FILE)
        if os.path.lexists(path):
            raise StartError(f"{path}: the job called main is the command after `--`; give this one another name")
    import shlex  # here only: 160 KB that a supervisor without a command does without

    where = folder(run_folder)
    job = Job(NAME, description="The command that fosterd was given", console="owner" if _on_terminal() else "output",
              exec_main=Process(shlex.join(command)), chdir=working if working != "/" else None)  # fmt: skip
    try:
        text = write_job(job)
        if event:
            text = f"start on {event}\n{text}"
        parse_job(text, NAME, _FILE)
        os.makedirs(where, 0o755, exist_ok=True)
        with open(os.path.join(where, _FILE), "w", encoding="utf-8") as file:
            file.write(text)
    except JobError as error:
        raise StartError(f"the command after `--` cannot be run: {error}") from None
    except OSError as error:
        raise StartError(f"cannot write {where}/{_FILE}: {error.strerror}") from None


def remove_job_file(run_folder: str) -> None:
    """Remove what ``write_job_file`` wrote; raise OSError."""
    where = folder(run_folder)
    os.unlink(os.path.join(where, _FILE))
    os.rmdir(where)


def exit_status(ended: Sequence[Mapping[str, Any]], failure: Optional[Mapping[str, Any]]) -> int:
    """Return what the supervisor ends with, as a shell would tell of the command.

    ``ended``: the job's processes that ended, the last one last. ``failure``: how the job failed, if it did.
    """
    if failure is not None and failure.get("errno") is not None:
        return _FAILED_TO_START.get(failure["errno"], 126)
    mains = [each for each in ended if each["process"] == "main"]
    if mains:
        last = mains[-1]
        if last.get("signal") is not None:
            return 128 + int(last["signal"])
        if last.get("exit_status") is not None:
            return int(last["exit_status"])
    return 1 if failure is not None else 0


def _on_terminal() -> bool:
    return os.isatty(0) and os.path.exists("/dev/console")
