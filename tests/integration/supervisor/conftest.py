# SPDX-License-Identifier: GPL-3.0-or-later
"""A real supervisor, started from the working tree, as root and as an ordinary user.

The ordinary user is nobody where the tests run as root.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import guard
import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[2] / "plugins")]

from module_utils.dbus import upstart
from module_utils.dbus.client import Connection
from module_utils.dbus.errors import BusError, BusUnreachable
from module_utils.supervisor.tracking import mark, proc
from program import FOSTERD, NOBODY, fosterd_environment, system_python


class Supervisor:
    """One supervisor in a folder of its own, with a connection."""

    def __init__(self, folder: Path, as_nobody: bool, prefix: Sequence[str] = (), program: str = FOSTERD) -> None:
        self.folder = folder
        self.jobs = folder / "jobs"
        self.jobs.mkdir()
        self._as_nobody = as_nobody
        self._prefix = prefix  # what is executed around it
        self.program = program
        self._output_read = 0
        self.connection: Connection
        if as_nobody:
            for path in (folder, self.jobs):
                os.chown(path, NOBODY, NOBODY)
        self.daemon = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        prefix: list[str] = []
        if self._as_nobody:
            prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        with open(self.folder / "output", "ab") as output:
            self.daemon = subprocess.Popen(
                [*self._prefix, *prefix, system_python(), self.program, f"--confdir={self.jobs}",
                 f"--rundir={self.folder}/run", f"--logdir={self.folder}/log"],
                stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                env=fosterd_environment(self.folder),
            )  # fmt: skip
        guard.watch_over(self.daemon.pid)
        deadline = time.monotonic() + 20
        while True:
            try:
                self.connection = Connection.open(f"unix:path={self.folder}/run/control", 20)
                return self.daemon
            except (BusError, BusUnreachable):
                if time.monotonic() > deadline or self.daemon.poll() is not None:
                    raise AssertionError((self.folder / "output").read_text()) from None
                time.sleep(0.02)

    def connect(self) -> Connection:
        """Return one more connection."""
        return Connection.open(f"unix:path={self.folder}/run/control", 60)

    def kill(self) -> None:
        self.connection.close()
        self.daemon.kill()
        self.daemon.wait()

    def terminate(self) -> int:
        self.connection.close()
        self.daemon.terminate()
        return self.daemon.wait(30)

    def define(self, name: str, text: str) -> None:
        (self.jobs / f"{name}.conf").write_text(text)
        self.connection.call(upstart.MANAGER_PATH, upstart.MANAGER_INTERFACE, "ReloadConfiguration")

    def call(self, name: str, method: str, *env: str, wait: bool = True) -> None:
        self.connection.call(upstart.job_path(name), upstart.JOB_INTERFACE, method, "asb", list(env), wait, timeout=60)

    def emit(self, name: str) -> None:
        self.connection.call(upstart.MANAGER_PATH, upstart.MANAGER_INTERFACE, "EmitEvent", "sasb", name, [], True)

    def describe(self, name: str) -> dict[str, Any]:
        text = self.connection.call(upstart.MANAGER_PATH, upstart.FOSTER_INTERFACE, "Describe", "as", [name])[0]
        found: dict[str, Any] = json.loads(text)[0]
        return found

    def ask(self, member: str, signature: str, *values: str) -> Any:
        """Return the answer to a method of org.foster.Init1."""
        arguments = (upstart.MANAGER_PATH, upstart.FOSTER_INTERFACE, member, signature, *values)
        return json.loads(self.connection.call(*arguments)[0])

    def explain(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("Explain", "ss", name, "")
        return found

    def process(self, name: str) -> dict[str, Any]:
        """Return what is told of the main process of the only instance."""
        found: dict[str, Any] = self.describe(name)["instances"][0]["processes"][0]
        return found

    def output(self) -> str:
        """Return what the supervisor has written to its own log since ``clean``."""
        return (self.folder / "output").read_text()[self._output_read :]

    def clean(self) -> None:
        """Stop and remove every job."""
        for path in self.jobs.glob("*.conf"):
            for _instance in self.describe(path.stem)["instances"]:
                with contextlib.suppress(BusError):
                    self.call(path.stem, "Stop")
            path.unlink()
        self.connection.call(upstart.MANAGER_PATH, upstart.MANAGER_INTERFACE, "ReloadConfiguration")
        self._output_read = len((self.folder / "output").read_text())

    def family(self, name: str) -> list[int]:
        """Return the living processes of the job, told from outside: by the mark that the ledger knows."""
        marks = [
            record[2]
            for line in (self.folder / "run" / "ledger").read_text().splitlines()
            for key, record in [json.loads(line)]
            if key == f"mark/{name}//" and record
        ]
        return [
            pid
            for pid in proc.all_pids()
            if marks and mark.of(pid) in marks and (stat := proc.stat(pid)) is not None and not stat.ended
        ]

    def history(self, name: str) -> list[dict[str, Any]]:
        """Return the processes of a job that have ended."""
        found: list[dict[str, Any]] = self.ask("History", "s", name)["processes"]
        return found

    def main(self, name: str) -> int:
        """Return the pid of the main process of the only instance."""
        return int(self.describe(name)["instances"][0]["processes"][0]["pid"])

    def copies(self) -> list[int]:
        """Return the living processes that carry the supervisor's marker."""
        found = []
        for pid in proc.all_pids():
            stat = proc.stat(pid)
            if proc.environment(pid).get("FOSTER_SUPERVISOR") == f"{self.folder}/run" and stat and not stat.ended:
                found.append(pid)
        return found

    def wait_for(self, condition: Any, what: str) -> None:
        deadline = time.monotonic() + 15
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}: not in 15 s\n{(self.folder / 'output').read_text()}")
            time.sleep(0.02)

    def log(self, name: str) -> str:
        path = self.folder / "log" / f"{name}.log"
        return path.read_text() if path.exists() else ""


def has_ended(pid: int) -> bool:
    """Tell whether nothing of a process runs: it is gone, or only waits to be reaped."""
    stat = proc.stat(pid)
    return stat is None or stat.ended


@contextlib.contextmanager
def running(user: str, prefix: Sequence[str] = (), program: str = FOSTERD) -> Iterator[Supervisor]:
    """Run a supervisor as "own" or "nobody"; at the end it and everything of it are gone."""
    as_nobody = user == "nobody"
    if as_nobody and (os.geteuid() != 0 or shutil.which("setpriv") is None):
        pytest.skip("becoming another user needs root and setpriv")
    with tempfile.TemporaryDirectory() as name:
        made = Supervisor(Path(name), as_nobody, prefix, program)
        try:
            yield made
        finally:
            if made.daemon.poll() is None:
                assert made.terminate() == 0
            left = made.copies()
            for pid in left:
                os.kill(pid, 9)
            assert not left
            assert "Traceback" not in (made.folder / "output").read_text()


@pytest.fixture(params=["own", "nobody"])
def supervisor(request: pytest.FixtureRequest) -> Iterator[Supervisor]:
    """A running supervisor of its own for each test."""
    with running(request.param) as made:
        yield made


@pytest.fixture(scope="module")
def lasting() -> Iterator[Supervisor]:
    """One supervisor for all tests of a file, without cgroups where that can be had: as an ordinary user."""
    with running("nobody" if os.geteuid() == 0 and shutil.which("setpriv") else "own") as made:
        yield made


@pytest.fixture(scope="session")
def tree_program() -> Iterator[str]:
    """Return the path of tree.c's program, which everybody may execute."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        subprocess.run(["cc", "-o", f"{folder}/tree", HERE / "tree.c", "-lpthread"], check=True)
        yield f"{folder}/tree"
