# SPDX-License-Identifier: GPL-3.0-or-later
"""Print what the supervisor costs next to the floor: posix_spawn of /bin/true in the same run.

How long a crashed daemon is away is respawn.py's question: asking the supervisor again and again would slow it down.

Usage: tests/benchmarks/supervisor.py FOSTERD [--jobs N]      (FOSTERD: a built program, such as build/fosterd)
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "plugins"))

from module_utils.dbus import upstart
from module_utils.dbus.client import Connection
from module_utils.dbus.errors import BusUnreachable

ROUNDS = 200


def milliseconds(action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    return (time.perf_counter() - begin) * 1000


def floor() -> None:
    os.waitpid(os.posix_spawn("/bin/true", ["/bin/true"], os.environ), 0)


def memory(pid: int) -> dict[str, int]:
    """Return VmRSS and Pss of ``pid`` in KB."""
    found = {}
    for path in (f"/proc/{pid}/status", f"/proc/{pid}/smaps_rollup"):
        for line in Path(path).read_text().splitlines():
            name, _unused, rest = line.partition(":")
            if name in ("VmRSS", "Pss"):
                found[name] = int(rest.split()[0])
    return found


def processor(pid: int) -> int:
    """Return the clock ticks that ``pid`` has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


class Bench:
    def __init__(self, program: str, folder: Path, jobs: int) -> None:
        self.folder = folder
        (folder / "jobs").mkdir()
        (folder / "jobs" / "one.conf").write_text("exec sleep 10000\n")
        for number in range(jobs):
            (folder / "jobs" / f"many{number}.conf").write_text("start on many\nexec sleep 10000\n")
        self.daemon = subprocess.Popen(
            [
                program,
                f"--confdir={folder}/jobs",
                f"--rundir={folder}/run",
                f"--logdir={folder}/log",
                "--no-startup-event",
            ]
        )
        deadline = time.monotonic() + 10
        while True:
            try:
                self.connection = Connection.open(f"unix:path={folder}/run/control", 60)
                break
            except BusUnreachable:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def job(self, name: str, method: str) -> None:
        self.connection.call(upstart.job_path(name), upstart.JOB_INTERFACE, method, "asb", [], True)

    def emit(self, name: str) -> None:
        self.connection.call(
            upstart.MANAGER_PATH, upstart.MANAGER_INTERFACE, "EmitEvent", "sasb", name, [], True, timeout=300
        )

    def stop(self) -> None:
        self.daemon.send_signal(signal.SIGTERM)
        self.daemon.wait(60)


def show(what: str, value: str, ratio: str = "") -> None:
    print(f"{what:48} {value:>14} {ratio}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("fosterd")
    parser.add_argument("--jobs", type=int, default=1000)
    arguments = parser.parse_args()
    # The run folder is on tmpfs on every host; elsewhere making a pipe alone takes as long as starting a process.
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as scratch:
        for number, (what, jobs) in enumerate(((nothing, 0), (one_by_one, arguments.jobs), (measure, arguments.jobs))):
            folder = Path(scratch) / str(number)
            folder.mkdir()
            bench = Bench(arguments.fosterd, folder, jobs)
            try:
                what(bench, jobs)
            finally:
                bench.stop()
    return 0


def nothing(bench: Bench, _jobs: int) -> None:
    found = memory(bench.daemon.pid)
    show("memory, no job defined", f"{found['VmRSS']} KB", f"(PSS {found['Pss']})")


def one_by_one(bench: Bench, jobs: int) -> None:
    """A burst leaves holes in the memory that jobs started one after the other do not."""
    before = memory(bench.daemon.pid)
    for number in range(jobs):
        bench.job(f"many{number}", "Start")
    after = memory(bench.daemon.pid)
    show("for each job started by itself", f"{(after['VmRSS'] - before['VmRSS']) / jobs:.1f} KB")


def measure(bench: Bench, jobs: int) -> None:
    pid = bench.daemon.pid
    empty = memory(pid)
    show(f"memory, {jobs} definitions, no job", f"{empty['VmRSS']} KB", f"(PSS {empty['Pss']})")
    floors, starts, stops = [], [], []
    for _unused in range(ROUNDS):
        floors.append(milliseconds(floor))
        starts.append(milliseconds(lambda: bench.job("one", "Start")))
        stops.append(milliseconds(lambda: bench.job("one", "Stop")))
    base = statistics.median(floors)
    show("posix_spawn of /bin/true", f"{base:.2f} ms")
    for what, values in (("start over the socket", starts), ("stop over the socket", stops)):
        show(what, f"{statistics.median(values):.2f} ms", f"{statistics.median(values) / base:.2f}x")
    thousand = milliseconds(lambda: [floor() for _unused in range(jobs)])
    show(f"{jobs} posix_spawns", f"{thousand:.0f} ms")
    before = memory(pid)
    mass = milliseconds(lambda: bench.emit("many"))
    show(f"{jobs} jobs from one event", f"{mass:.0f} ms", f"{mass / thousand:.2f}x")
    time.sleep(2)
    after = memory(pid)
    show(f"memory, {jobs} running", f"{after['VmRSS']} KB", f"(PSS {after['Pss']})")
    show("for each job started by the event", f"{(after['VmRSS'] - before['VmRSS']) / jobs:.1f} KB")
    ticks = processor(pid)
    time.sleep(3)
    show("idle for 3 s", f"{processor(pid) - ticks} ticks")


if __name__ == "__main__":
    sys.exit(main())
