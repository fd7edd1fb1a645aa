# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill the supervisor again and again while jobs start, stop and respawn; then count the copies of each job.

Usage: tests/crash/kill_supervisor.py FOSTERD [--kills N] [--seed N]      (FOSTERD: a program, such as build/fosterd)

After each kill a new supervisor is started. At the end every job is started once more or stopped, as decided by a
coin; each one that is to run has to run exactly once, with the pid that the supervisor knows, no other process of a job
may be left, and no line that a process wrote may be missing from its log, or be there twice.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "plugins"))

from module_utils.dbus import upstart
from module_utils.dbus.client import Connection
from module_utils.dbus.errors import BusError, BusUnreachable
from module_utils.supervisor.tracking import proc

JOBS = {
    "plain": "respawn\nrespawn limit 0 0\nexec sleep 10000\n",
    "shell": "respawn\nrespawn limit 0 0\nexec sleep $((5000 + 5000))\n",
    "script": "respawn\nrespawn limit 0 0\nscript\n  echo began\n  exec sleep 10000\nend script\n",
    "prepared": "respawn\nrespawn limit 0 0\npre-start exec true\npost-stop exec true\nexec sleep 10000\n",
    "limited": "respawn\nrespawn limit 0 0\nlimit nofile 100 200\nexec sleep 10000\n",
    "talking": "respawn\nrespawn limit 0 0\nscript\n  while n=$((n+1)); do echo $$ $n; sleep 0.1; done\nend script\n",
    "forking": "respawn\nrespawn limit 0 0\nexpect fork\nexec sh -c 'sleep 10000 & exit 0'\n",
}


class Crash:
    def __init__(self, program: str, folder: Path) -> None:
        self.program = program
        self.folder = folder
        self.address = f"unix:path={folder}/run/control"
        (folder / "jobs").mkdir()
        for name, text in JOBS.items():
            for number in range(3):
                (folder / "jobs" / f"{name}{number}.conf").write_text(text)
        self.names = [f"{name}{number}" for name in JOBS for number in range(3)]
        self.done = threading.Event()
        self.daemon = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        folder = self.folder
        with open(folder / "output", "ab") as output:
            return subprocess.Popen(
                [self.program, f"--confdir={folder}/jobs", f"--rundir={folder}/run", f"--logdir={folder}/log"],
                stderr=output, stdout=output,
            )  # fmt: skip

    def connect(self) -> Connection:
        deadline = time.monotonic() + 100
        while True:
            try:
                return Connection.open(self.address, 100)
            except (BusUnreachable, BusError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.005)

    def trouble(self, seed: int) -> None:
        """Start, stop and kill jobs for as long as the test lasts."""
        dice = random.Random(seed)
        while not self.done.is_set():
            with contextlib.suppress(BusError, BusUnreachable, OSError):
                connection = Connection.open(self.address, 5)
                while not self.done.is_set():
                    name = dice.choice(self.names)
                    method = dice.choice(("Start", "Start", "Stop", "Restart"))
                    if dice.random() < 0.3:
                        for pid in self.copies().get(name, [])[:1]:
                            with contextlib.suppress(ProcessLookupError):
                                os.kill(pid, signal.SIGKILL)
                        continue
                    with contextlib.suppress(BusError):
                        connection.call(
                            upstart.job_path(name),
                            upstart.JOB_INTERFACE,
                            method,
                            "asb",
                            [],
                            dice.random() < 0.5,
                            timeout=5,
                        )
            time.sleep(0.01)

    def copies(self) -> dict[str, list[int]]:
        """Return the processes that carry our marker, by job."""
        found: dict[str, list[int]] = {}
        for pid in proc.all_pids():
            env = proc.environment(pid)
            if env.get("FOSTER_SUPERVISOR") == f"{self.folder}/run":
                stat = proc.stat(pid)
                if stat is not None and stat.state not in "ZX":
                    found.setdefault(env.get("UPSTART_JOB", ""), []).append(pid)
        return found

    def settle(self, connection: Connection, dice: random.Random) -> dict[str, bool]:
        """Decide for each job whether it is to run, and wait until it is so; return the decisions."""
        wanted = {name: dice.random() < 0.7 for name in self.names}
        for name, run in wanted.items():
            with contextlib.suppress(BusError):
                connection.call(
                    upstart.job_path(name),
                    upstart.JOB_INTERFACE,
                    "Start" if run else "Stop",
                    "asb",
                    [],
                    True,
                    timeout=30,
                )
        return wanted

    def known(self, connection: Connection) -> dict[str, tuple[str, list[int]]]:
        import json

        text = connection.call(upstart.MANAGER_PATH, upstart.FOSTER_INTERFACE, "Describe", "as", [])[0]
        return {
            job["name"]: (each["state"], [process["pid"] for process in each["processes"]])
            for job in json.loads(text)
            for each in job["instances"]
        }

    def gaps(self) -> list[str]:
        """Return which lines of the talking jobs are missing, or are there twice."""
        wrong = []
        for name in self.names:
            path = self.folder / "log" / f"{name}.log"
            if name.startswith("talking") and path.exists():
                said: dict[str, list[str]] = {}
                for line in path.read_text().splitlines():
                    pid, _unused, number = line.partition(" ")
                    said.setdefault(pid, []).append(number)
                wrong += [
                    f"{name}: of the lines of {pid} some are missing or there twice: {numbers}"
                    for pid, numbers in said.items()
                    if numbers != [str(number) for number in range(1, len(numbers) + 1)]
                ]
        return wrong

    def judge(self, wanted: dict[str, bool]) -> list[str]:
        """Return what is wrong."""
        deadline = time.monotonic() + 15
        while True:
            wrong = self.differences(wanted)
            if not wrong or time.monotonic() > deadline:
                return wrong
            time.sleep(0.1)

    def differences(self, wanted: dict[str, bool]) -> list[str]:
        connection = self.connect()
        copies, known = self.copies(), self.known(connection)
        connection.close()
        wrong = []
        for name, run in wanted.items():
            pids, (state, mains) = copies.get(name, []), known.get(name, ("waiting", []))
            if run and (len(pids) != 1 or mains != pids or state != "running"):
                wrong.append(f"{name}: to run once, known as {state} {mains}, found {pids}")
            elif not run and (pids or mains):
                wrong.append(f"{name}: to be stopped, known as {state} {mains}, found {pids}")
        return wrong

    def torment(self, kills: int, seed: int) -> None:
        """Kill the supervisor ``kills`` times while others trouble the jobs; it runs at the end."""
        dice = random.Random(seed)
        threads = [threading.Thread(target=self.trouble, args=(seed + number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        try:
            for _kill in range(kills):
                time.sleep(dice.random() * 0.3)
                self.daemon.kill()
                self.daemon.wait()
                self.daemon = self.start()
                if dice.random() < 0.7:
                    self.connect().close()
        finally:
            self.done.set()
            for thread in threads:
                thread.join()

    def verdict(self, seed: int) -> list[str]:
        """Bring every job to a state of its own and return what is wrong."""
        connection = self.connect()
        wanted = self.settle(connection, random.Random(seed))
        connection.close()
        wrong = self.judge(wanted)
        self.daemon.terminate()
        try:
            self.daemon.wait(60)
        except subprocess.TimeoutExpired:
            wrong.append("the supervisor did not end within 60 s of SIGTERM")
        wrong += [f"left behind: {name} {pids}" for name, pids in self.copies().items()]
        wrong += self.gaps()
        if b"Traceback" in (self.folder / "output").read_bytes():
            wrong.append("the supervisor wrote a traceback")
        return wrong

    def clean(self) -> None:
        """Leave no process behind, whatever has happened."""
        self.daemon.kill()
        self.daemon.wait()
        for pids in self.copies().values():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("fosterd")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        crash = Crash(arguments.fosterd, folder)
        try:
            crash.connect().close()
            crash.torment(arguments.kills, arguments.seed)
            failures = crash.verdict(arguments.seed)
            print(f"seed {arguments.seed}: {arguments.kills} kills, {len(crash.names)} jobs, {len(failures)} wrong")
            for failure in failures:
                print(" ", failure)
        finally:
            crash.clean()
            if sys.exc_info()[0] is not None or failures:
                print((folder / "output").read_text()[-3000:])
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
