"""Print what of the packages runs: the jobs with main processes, and processes of their programs that are no job's."""

from __future__ import annotations

import json
import pathlib
import subprocess

PROGRAMS = {"nginx", "redis-server", "postgres", "cron", "apache2", "sshd"}


def processes() -> dict[int, tuple[str, int]]:
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                head, _paren, tail = (entry / "stat").read_text().rpartition(")")
            except OSError:
                continue
            state, parent = tail.split()[:2]
            if state not in "ZX":
                found[int(entry.name)] = (head.partition("(")[2], int(parent))
    return found


def main() -> None:
    """Look at the supervisor and at /proc."""
    supervisor = int(subprocess.run(["pgrep", "-f", "[f]osterd"], stdout=subprocess.PIPE, check=True).stdout.split()[0])
    listed = subprocess.run(["fosterctl", "list"], stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines()
    jobs = [line.split()[0] for line in listed if " start/running" in line]
    pids = {line.split()[0]: int(line.split()[-1]) for line in listed if ", process " in line}
    running = processes()
    strays = []
    for pid, (name, _parent) in running.items():
        above = pid
        while above in running and above not in (1, supervisor):
            above = running[above][1]
        # A login session is the ssh daemon's child, and as such a job's; one of before its restart is nobody's.
        if name in PROGRAMS and name != "sshd" and above != supervisor:
            strays.append(f"{pid} {name}")
    print(json.dumps({"jobs": jobs, "pids": pids, "strays": strays}))


main()
