# SPDX-License-Identifier: GPL-3.0-or-later
"""What the supervisor tells about its jobs, as the JSON text of org.foster.Init1 and of Upstart's GetState."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..job.model import Job, ProcessKind
from ..job.writer import write_job
from .readiness.choose import started
from .tracking import ladder, proc
from .tracking.cgroup import folder_name

if TYPE_CHECKING:
    from .host import Host


def digest(job: Job) -> str:
    """Return what tells one definition from another, comments and layout aside."""
    return str(_sha256(write_job(job).encode()).hexdigest())


def _sha256(data: bytes) -> Any:
    """Return the hash without OpenSSL, which hashlib loads: 3 MB for as long as the supervisor runs."""
    try:
        from _sha2 import sha256  # Python 3.12 and later
    except ImportError:
        try:
            from _sha256 import sha256
        except ImportError:
            from hashlib import sha256
    return sha256(data)


def describe(host: Host, names: Sequence[str]) -> str:
    """Return the jobs with these names, all when empty, sorted by name."""
    return json.dumps([_job(host, name) for name in sorted(names or host.engine.jobs) if name in host.engine.jobs])


def _job(host: Host, name: str) -> dict[str, Any]:
    job_class = host.engine.jobs[name]
    pending = job_class.pending if isinstance(job_class.pending, Job) else None
    running = digest(job_class.job)
    found = host.folder.path_of(name) if host.folder is not None else None
    return {
        "name": name,
        "path": found[0] if found else None,
        "override": found[1] if found else None,
        "digest": digest(pending) if pending is not None else running,
        "instances": [_instance(host, name, each, running) for each in sorted(job_class.instances)],
        "last_failure": host.past.failures.get(name),
    }


def _instance(host: Host, job: str, name: str, running: str) -> dict[str, Any]:
    instance = host.engine.jobs[job].instances[name]
    cgroups = host.families.cgroups
    return {
        "name": name,
        "goal": instance.goal,
        "state": instance.state,
        "processes": [_process(host, kind.value, pid) for kind, pid in instance.processes.items()],
        **({"says": says} if (says := _says(host, instance.processes.get(ProcessKind.MAIN, 0))) else {}),
        "cgroup": cgroups.path(folder_name(job, name)) if cgroups is not None else None,
        "log": host.logs.path((job, name)) if instance.job.console == "log" else None,
        "digest": running,
    }


def _process(host: Host, kind: str, pid: int) -> dict[str, Any]:
    """Return a process, and of a main one how sure it is that it is that."""
    found = {"kind": kind, "pid": pid, "start_time": proc.start_time(pid)}
    if kind == ProcessKind.MAIN.value:
        tracked = host.processes.known.get(pid)
        watcher = tracked.watcher if tracked is not None else None
        choice = watcher.choice if watcher is not None else started(pid)
        found.update({"certainty": choice.certainty, "reason": choice.reason})
    return found


def _says(host: Host, main: int) -> dict[str, str]:
    """Return what the main process tells about itself (sd_notify's STATUS and the like)."""
    tracked = host.processes.known.get(main)
    watcher = tracked.watcher if tracked is not None else None
    return dict(watcher.says) if watcher is not None else {}


def capabilities(host: Host) -> str:
    """Return what the kernel lets us do, who we are, and each rung of tracking with the reason why one is not used."""
    cgroups = host.families.cgroups
    tracking = ladder.rungs(host.families, host.processes.adopted, host.subreaper)
    return json.dumps(
        {
            "pid": os.getpid(),
            "uid": os.geteuid(),
            "version": host.version,
            "python": ".".join(str(part) for part in sys.version_info[:3]),
            "kernel": os.uname().release,
            "addresses": host.addresses,
            "subreaper": host.subreaper,
            "pidfd": hasattr(os, "pidfd_open"),
            "cgroup": None if cgroups is None else {"path": cgroups.root, "version": 2 if cgroups.unified else 1},
            "ledger": host.ledger.path,
            "tracking": [rung._asdict() for rung in tracking],
        }
    )


def history(host: Host, job: str) -> str:
    """Return the processes of a job that have ended, the oldest first, those that live, and what was said."""
    job_class = host.engine.jobs.get(job)
    living = []
    for name in sorted(job_class.instances) if job_class is not None else ():
        for member in host.families.members((job, name)):
            tracked = host.processes.known.get(member.pid)
            living.append(
                {
                    "instance": name,
                    "process": tracked.kind.value if tracked is not None else "child",
                    "pid": member.pid,
                    "name": member.name,
                    "parent": member.parent,
                }
            )
    return json.dumps(
        {
            "job": job,
            "processes": host.past.of(job),
            "living": living,
            "notes": host.past.notes(job),
            "last_failure": host.past.failures.get(job),
        }
    )


def state(host: Host) -> str:
    """Return the state in the outer shape of Upstart's GetState: the environment of jobs, the jobs, their files.

    Keys are in its order and spaces where json-c puts them; what is within a job is ours.
    """
    files = host.folder.paths() if host.folder is not None else {}
    folders = host.folder.folders if host.folder is not None else []
    sources = [
        {
            "path": folder,
            "type": "CONF_JOB_DIR",
            "conf_files": [
                {"path": path, "job_class": name}
                for name, (path, _unused) in files.items()
                if path.startswith(folder + "/")
            ],
        }
        for folder in folders
    ]
    return _spaced(
        {
            "sessions": [],
            "events": [],
            "control_bus_address": None,
            "job_environment": list(host.engine.environment),
            "job_classes": json.loads(describe(host, ())),
            "conf_sources": sources,
        }
    )


def _spaced(value: Any) -> str:
    """Return ``value`` as JSON the way json-c writes it: ``{ "a": [ ] }``, and slashes escaped."""
    if isinstance(value, dict):
        inner = ", ".join(f"{_spaced(key)}: {_spaced(one)}" for key, one in value.items())
        return f"{{ {inner} }}" if inner else "{ }"
    if isinstance(value, list):
        inner = ", ".join(_spaced(one) for one in value)
        return f"[ {inner} ]" if inner else "[ ]"
    return json.dumps(value).replace("/", "\\/")
