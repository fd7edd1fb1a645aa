# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running job costs the supervisor, however it was started. tests/benchmarks/supervisor.py tells the figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from module_utils.dbus import upstart

JOBS = 1000  # Python takes its memory by the megabyte
KB_PER_JOB = 4
MANAGER = (upstart.MANAGER_PATH, upstart.MANAGER_INTERFACE)


def resident(pid: int) -> int:
    """Return the VmRSS of ``pid`` in KB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


@pytest.mark.parametrize("supervisor", ["own"], indirect=True)
def test_a_job_costs_4_kb_also_where_one_event_starts_a_thousand(supervisor: Any) -> None:
    """It was 6 KB: the signals to who had emitted the event lay between what stays, and left holes."""
    for number in range(JOBS):
        (supervisor.jobs / f"many{number}.conf").write_text("start on many\nexec sleep 1000\n")
    supervisor.connection.call(*MANAGER, "ReloadConfiguration", timeout=300)
    before = resident(supervisor.daemon.pid)
    supervisor.connection.call(*MANAGER, "EmitEvent", "sasb", "many", [], True, timeout=300)
    supervisor.wait_for(  # what is free is given back a moment later
        lambda: resident(supervisor.daemon.pid) - before <= KB_PER_JOB * JOBS, f"{KB_PER_JOB} KB for each job"
    )
    assert len(supervisor.copies()) == JOBS
