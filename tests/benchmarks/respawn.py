# SPDX-License-Identifier: GPL-3.0-or-later
"""Print how long a crashed daemon is away: ours next to the floor, and next to supervisord and systemd where they are.

Usage: tests/benchmarks/respawn.py FOSTERD [--rounds N]      (FOSTERD: a built program, such as build/fosterd)

The daemon is the same for all of them: a shell that writes its pid into a pipe and becomes ``sleep``. What is measured
is the time from SIGKILL to the next pid in that pipe. The floor is posix_spawn of /bin/true in the same run.
supervisord is used where it is on the PATH; systemd where it is PID 1 and we are root (a transient unit).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PATIENCE = 60.0  # seconds for one respawn


class Daemon:
    """The daemon and the pipe by which it tells that it is up."""

    def __init__(self, folder: Path) -> None:
        self.pipe = folder / "pipe"
        os.mkfifo(self.pipe)
        # Open for both, so that it does not end with the daemon that wrote last.
        self._descriptor = os.open(self.pipe, os.O_RDWR | os.O_CLOEXEC)
        script = folder / "daemon"
        script.write_text(f"echo $$ >{self.pipe}\nexec sleep 10000\n")
        self.command = ("/bin/sh", str(script))  # the folder may be mounted noexec

    def next_pid(self) -> int:
        """Wait for the daemon to come up and return its pid."""
        if not select.select([self._descriptor], [], [], PATIENCE)[0]:
            raise SystemExit("the daemon does not come up")
        return int(os.read(self._descriptor, 100))

    def away(self, rounds: int) -> float:
        """Return the median of milliseconds from a crash to the next copy."""
        pid = self.next_pid()
        found = []
        for _round in range(rounds):
            begin = time.perf_counter()
            os.kill(pid, signal.SIGKILL)
            pid = self.next_pid()
            found.append((time.perf_counter() - begin) * 1000)
        return statistics.median(found)


def floor(rounds: int) -> float:
    found = []
    for _round in range(rounds):
        begin = time.perf_counter()
        os.waitpid(os.posix_spawn("/bin/true", ["/bin/true"], os.environ), 0)
        found.append((time.perf_counter() - begin) * 1000)
    return statistics.median(found)


@contextlib.contextmanager
def running(*command: str) -> Iterator[None]:
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


@contextlib.contextmanager
def fosterd(program: str, folder: Path, daemon: Daemon) -> Iterator[None]:
    (folder / "jobs").mkdir()
    (folder / "jobs" / "daemon.conf").write_text(
        f"start on startup\nrespawn\nrespawn limit 0 0\nexec {' '.join(daemon.command)}\n"
    )
    with running(program, f"--confdir={folder}/jobs", f"--rundir={folder}/run", f"--logdir={folder}/log"):
        yield


@contextlib.contextmanager
def supervisord(program: str, folder: Path, daemon: Daemon) -> Iterator[None]:
    (folder / "supervisord.conf").write_text(
        f"[supervisord]\nnodaemon=true\nlogfile={folder}/supervisord.log\npidfile={folder}/supervisord.pid\n"
        f"[program:daemon]\ncommand={' '.join(daemon.command)}\nautorestart=true\nstartsecs=0\nstartretries=1000\n"
    )
    with running(program, "-c", f"{folder}/supervisord.conf"):
        yield


@contextlib.contextmanager
def systemd(folder: Path, daemon: Daemon) -> Iterator[None]:
    unit = f"foster-benchmark-{os.getpid()}.service"
    settings = ("Restart=always", "RestartSec=0", "StartLimitIntervalSec=0")
    properties = [f"--property={setting}" for setting in settings]
    subprocess.run(["systemd-run", "--quiet", f"--unit={unit}", *properties, *daemon.command], check=True)
    try:
        yield
    finally:
        subprocess.run(["systemctl", "stop", unit], check=True)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("fosterd")
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    base = floor(arguments.rounds)
    print(f"{'posix_spawn of /bin/true':32} {base:9.2f} ms", flush=True)
    other = shutil.which("supervisord")
    peers = [("fosterd", lambda folder, daemon: fosterd(arguments.fosterd, folder, daemon))]
    if Path("/run/systemd/system").is_dir() and os.geteuid() == 0:
        peers.append(("systemd", systemd))
    if other is not None:
        peers.append(("supervisord", lambda folder, daemon: supervisord(other, folder, daemon)))
    for name, start in peers:
        with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as scratch:
            folder = Path(scratch)
            folder.chmod(0o755)
            daemon = Daemon(folder)
            with start(folder, daemon):
                away = daemon.away(arguments.rounds)
            print(f"{name + ': crash to the next copy':32} {away:9.2f} ms {away / base:8.1f}x", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
