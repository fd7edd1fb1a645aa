# SPDX-License-Identifier: GPL-3.0-or-later
"""What the options of the modules job and jobs have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ..job.options import job_from_options
from ..job.writer import write_job

STATES = ["present", "absent", "started", "stopped", "restarted", "reloaded"]
ON_CHANGE = ["restart", "reload", "none"]


def variables(env: Optional[Mapping[Any, Any]]) -> Optional[dict[str, str]]:
    """Return variables as texts."""
    return None if env is None else {str(key): str(value) for key, value in env.items()}


def text_of(name: str, definition: Optional[Mapping[str, Any]], content: Optional[str]) -> Optional[str]:
    """Return the text that the job file is to have, None where the task gives none. Raises JobError."""
    if definition is not None:
        return write_job(job_from_options(name, definition))
    return content if content is None or content.endswith("\n") else f"{content}\n"
