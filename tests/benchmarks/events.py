# SPDX-License-Identifier: GPL-3.0-or-later
"""Print what events cost: jobs that one event starts, an event that nobody listens to, job files that are read.

Usage: tests/benchmarks/events.py FOSTERD      (FOSTERD: a built program, such as build/fosterd)
"""

from __future__ import annotations

import argparse
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
from module_utils.engine.engine import Engine
from module_utils.engine.messages import Define, Emit
from module_utils.job.parser import parse_job

SIZES = (100, 500, 1000)
LISTENERS = 10_000
FILES = 1000
JOB = """\
start on {event} and started network
stop on stopping network
respawn
expect daemon
exec /usr/sbin/thing -f {n}
"""


def seconds(action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def show(what: str, value: str, remark: str = "") -> None:
    print(f"{what:56} {value:>12} {remark}", flush=True)


class Supervisor:
    """A supervisor on the job files of a folder."""

    def __init__(self, program: str, folder: Path) -> None:
        options = [f"--confdir={folder}/jobs", f"--rundir={folder}/run", f"--logdir={folder}/log"]
        self._process = subprocess.Popen([program, *options, "--no-startup-event"])
        deadline = time.monotonic() + 60
        while True:
            try:
                self._connection = Connection.open(f"unix:path={folder}/run/control", 300)
                return
            except BusUnreachable:
                if time.monotonic() > deadline:
                    self._process.kill()
                    raise
                time.sleep(0.01)

    def emit(self, name: str) -> None:
        """Emit an event and wait until everything that it starts runs."""
        self._manager("EmitEvent", "sasb", name, [], True)

    def reload(self) -> None:
        """Let all job files be taken for changed."""
        self._manager("ReloadConfiguration")

    def _manager(self, *call: object) -> None:
        self._connection.call(upstart.MANAGER_PATH, upstart.MANAGER_INTERFACE, *call, timeout=300)  # type: ignore[arg-type]

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(120)


def started_by_one_event(program: str) -> None:
    """Print how long it takes until all jobs run that one event starts; each logs its output."""
    for size in SIZES:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "jobs").mkdir()
            for number in range(size):
                (folder / "jobs" / f"many{number}.conf").write_text("start on many\nexec sleep 10000\n")
            supervisor = Supervisor(program, folder)
            try:
                _measure(supervisor, size)
            finally:
                supervisor.close()


def _measure(supervisor: Supervisor, size: int) -> None:
    took = seconds(lambda: supervisor.emit("many"))
    show(f"{size} jobs from one event", f"{took * 1000:.0f} ms", f"{took / size * 1000:.2f} ms each")
    if size == SIZES[-1]:
        idle = statistics.median(seconds(lambda: supervisor.emit("nobody")) for _unused in range(200))
        show(f"an event for nobody, over the socket, {size} jobs", f"{idle * 1000:.3f} ms")
        show(f"reload-configuration, {size} running jobs", f"{seconds(supervisor.reload) * 1000:.0f} ms")


def nobody_listens() -> None:
    """Print what an event costs that none of many jobs wants: one of an unknown name, and one with other variables."""
    engine = Engine(("PATH=/bin",))
    for number in range(LISTENERS):
        text = f"start on go N={number} and up\nexec x\n"
        engine.handle(Define(parse_job(text, f"j{number}", f"j{number}.conf")), 0.0)
    engine.changes()
    for what, event in (("a name", "nobody"), ("variables", "go")):
        took = seconds(
            lambda event=event: [engine.handle(Emit(None, event, ("N=x",), False), 0.0) for _each in range(2000)]
        )
        show(f"an event with {what} for none of {LISTENERS} jobs", f"{took / 2000 * 1000:.4f} ms", "(at most 0.2)")


def read_files() -> None:
    """Print how long it takes to read many job files."""
    texts = [JOB.format(event=f"e{number % 50}", n=number) for number in range(FILES)]
    took = seconds(lambda: [parse_job(text, f"j{n}", f"j{n}.conf") for n, text in enumerate(texts)])
    show(f"{FILES} job files parsed", f"{took * 1000:.0f} ms", "(at most 500)")


def main() -> int:
    parser = argparse.ArgumentParser(description="Print what events cost.")
    parser.add_argument("fosterd")
    arguments = parser.parse_args()
    nobody_listens()
    read_files()
    started_by_one_event(arguments.fosterd)
    return 0


if __name__ == "__main__":
    sys.exit(main())
