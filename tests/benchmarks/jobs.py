# SPDX-License-Identifier: GPL-3.0-or-later
"""Print how long the module jobs takes for many jobs, next to `ansible -m ping` in the same run.

Usage: tests/benchmarks/jobs.py FOSTERD [--jobs N]      (FOSTERD: a built program, such as build/fosterd)

It needs the ansible of this Python, and a supervisor of this user that does not hang on a login: run it where no logind
is, as in a container.
"""

from __future__ import annotations

import argparse
import contextlib
import json
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
from typing import Any

TOP = Path(__file__).resolve().parents[2]
ROUNDS = 3
END_TIMEOUT = 120  # seconds


class Host:
    """This machine with a supervisor of its own in ``folder``, and Ansible on it."""

    def __init__(self, folder: Path) -> None:
        collections = folder / "ansible_collections" / "foster"
        collections.mkdir(parents=True)
        (collections / "init").symlink_to(TOP)
        self._ansible = shutil.which("ansible", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        self.environ = {
            **os.environ, "ANSIBLE_COLLECTIONS_PATH": str(folder), "ANSIBLE_HOME": str(folder / "ansible"),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable, "XDG_RUNTIME_DIR": str(folder / "run"),
            "XDG_CONFIG_HOME": str(folder / "config"), "XDG_STATE_HOME": str(folder / "state"), "HOME": str(folder),
        }  # fmt: skip
        (folder / "run").mkdir(mode=0o700)

    def task(self, module: str, **arguments: Any) -> tuple[float, dict[str, Any]]:
        """Run one task; return the seconds that it took and what it returned."""
        if self._ansible is None:
            raise SystemExit("ansible is not installed for this Python, nor in PATH.")
        command = [self._ansible, "localhost", "-c", "local", "-m", module]
        command += ["-a", json.dumps(arguments)] if arguments else []
        begin = time.perf_counter()
        done = subprocess.run(command, env=self.environ, capture_output=True, text=True, check=False)
        took = time.perf_counter() - begin
        if done.returncode:
            raise SystemExit(f"{module} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        result: dict[str, Any] = json.loads(done.stdout.partition("=>")[2])
        return took, result

    @contextlib.contextmanager
    def supervisor(self, program: str) -> Iterator[None]:
        """Run the supervisor as an orphan in a session of its own, as an init would have it."""
        socket = Path(self.environ["XDG_RUNTIME_DIR"], "foster", "control")
        subprocess.run(["setsid", "--fork", program, "--user"], env=self.environ, check=True)
        deadline = time.monotonic() + 20
        while not socket.exists():
            if time.monotonic() > deadline:
                raise SystemExit(f"{program} does not listen at {socket}.")
            time.sleep(0.02)
        pid = self._pid()
        try:
            yield
        finally:
            descriptor = os.pidfd_open(pid)
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)
            poller = select.poll()
            poller.register(descriptor, select.POLLIN)
            poller.poll(END_TIMEOUT * 1000)
            os.close(descriptor)

    def _pid(self) -> int:
        _took, told = self.task("foster.init.job_info", scope="user", use="foster")
        return int(told["capabilities"]["pid"])


def show(what: str, seconds: float, ping: float) -> None:
    print(f"{what:44} {seconds:8.2f} s {seconds / ping:6.2f} times a ping", flush=True)


def main() -> int:
    """Measure, and print a line for each."""
    parser = argparse.ArgumentParser(description="Print how long the module jobs takes for many jobs.")
    parser.add_argument("fosterd")
    parser.add_argument("--jobs", type=int, default=1000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        host = Host(Path(name))
        jobs = [{"name": f"j{number}", "content": "exec sleep 10000\n"} for number in range(arguments.jobs)]
        wanted = {"jobs": jobs, "scope": "user", "use": "foster", "owner": "bench", "purge": True, "wait_timeout": 300}
        with host.supervisor(arguments.fosterd):
            ping = statistics.median(host.task("ansible.builtin.ping")[0] for _round in range(ROUNDS))
            show("ansible -m ping", ping, ping)
            took, told = host.task("foster.init.jobs", **wanted)
            if len(told["changed_jobs"]) != arguments.jobs:
                raise SystemExit(f"{len(told['changed_jobs'])} of {arguments.jobs} jobs were started.")
            show(f"{arguments.jobs} jobs written and started", took, ping)
            again = [host.task("foster.init.jobs", **wanted) for _round in range(ROUNDS)]
            if any(told["changed"] for _took, told in again):
                raise SystemExit("A second run changed something.")
            show(f"{arguments.jobs} jobs that run already", statistics.median(took for took, _told in again), ping)
            took, _told = host.task("foster.init.jobs", **{**wanted, "jobs": []})
            show(f"{arguments.jobs} jobs stopped and removed", took, ping)
    return 0


if __name__ == "__main__":
    sys.exit(main())
