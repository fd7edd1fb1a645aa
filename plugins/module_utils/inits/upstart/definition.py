# SPDX-License-Identifier: GPL-3.0-or-later
"""Which definition runs: Upstart goes on with the one that a job was started with until its last instance has ended.

Over D-Bus it tells little of a definition, but its GetState holds all of the one in force. What is noted below /run
(see ``started``) is therefore "what Upstart had in force then was this definition", and for an Upstart without GetState
"this main process was started with this definition".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Optional

from ...job.errors import JobError
from ...job.parser import parse_job
from ...job.writer import write_job
from ...processes.identity import identify
from ..interface import Definition

# What changes while a definition stays: its instances, the matches of its conditions so far, marks for its end.
_PASSING = frozenset(("jobs", "instances", "deleted", "last_failure", "unread", "digest"))


def digest(name: str, definition: Definition) -> str:
    """Return the digest of what a definition means; comments and layout do not count."""
    try:
        text = write_job(parse_job(definition.text or "", name, name, definition.override or None))
    except JobError:
        text = f"{definition.text}\n{definition.override}"
    return _hash(text)


def class_key(state: Mapping[str, Any], name: str) -> Optional[str]:
    """Return the key of the definition of ``name`` that is in force, None where Upstart does not tell."""
    for each in state.get("job_classes") or ():
        if each.get("name") == name and each.get("session", 0) == 0 and "process" in each:
            kept = {key: value for key, value in each.items() if key not in _PASSING}
            for condition in ("start_on", "stop_on"):
                kept[condition] = [_operator(node) for node in each.get(condition) or ()]
            return f"class:{_hash(json.dumps(kept, sort_keys=True))}"
    return None


def process_key(pid: int) -> Optional[str]:
    """Return the key of the process that ``pid`` is now, None where there is none."""
    process = identify(pid)
    return process and f"process:{process.pid}:{process.start_time}:{process.boot_id}"


def _operator(node: Any) -> Any:
    if not isinstance(node, Mapping):
        return node
    return {key: value for key, value in node.items() if key not in ("value", "event")}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
