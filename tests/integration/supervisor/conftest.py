# SPDX-License-Identifier: GPL-3.0-or-later
"""A real supervisor, started from the working tree, as root and as an ordinary user.

The ordinary user is nobody where the tests run as root; its interpreter is FOSTER_TEST_PYTHON (default: the system's
python3), and jeepney comes from where the tests have it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(REPOSITORY / "plugins"))

from module_utils.dbus import upstart
from module_utils.dbus.client import Connection
from module_utils.dbus.errors import BusError, BusUnreachable
from module_utils.supervisor.tracking import proc

NOBODY = 65534


class Supervisor:
    """One supervisor in a folder of its own, with a connection."""

    def __init__(self, folder: Path, as_nobody: bool) -> None:
        self.folder = folder
        self.jobs = folder / "jobs"
        self.jobs.mkdir()
        self._as_nobody = as_nobody
        self.connection: Connection
        if as_nobody:
            for path in (folder, self.jobs):
                os.chown(path, NOBODY, NOBODY)
        self.daemon = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        python = os.environ.get("FOSTER_TEST_PYTHON") or shutil.which("python3", path="/usr/bin:/bin") or sys.executable
        library = importlib.util.find_spec("jeepney")
        if library is None or library.origin is None:
            pytest.skip("jeepney is not installed")
        prefix: list[str] = []
        if self._as_nobody:
            prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
            private = self.folder / "library"
            if not private.exists():
                shutil.copytree(Path(library.origin).parent, private / "jeepney")
            packages = str(private)
        else:
            packages = str(Path(library.origin).parents[1])
        with open(self.folder / "output", "ab") as output:
            self.daemon = subprocess.Popen(
                [*prefix, python, str(REPOSITORY / "hacking" / "fosterd"), f"--confdir={self.jobs}",
                 f"--rundir={self.folder}/run", f"--logdir={self.folder}/log"],
                stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": packages, "HOME": str(self.folder)},
            )  # fmt: skip
        deadline = time.monotonic() + 20
        while True:
            try:
                self.connection = Connection.open(f"unix:path={self.folder}/run/control", 20)
                return self.daemon
            except (BusError, BusUnreachable):
                if time.monotonic() > deadline or self.daemon.poll() is not None:
                    raise AssertionError((self.folder / "output").read_text()) from None
                time.sleep(0.02)

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

    def call(self, name: str, method: str, *env: str) -> None:
        self.connection.call(upstart.job_path(name), upstart.JOB_INTERFACE, method, "asb", list(env), True, timeout=20)

    def emit(self, name: str) -> None:
        self.connection.call(upstart.MANAGER_PATH, upstart.MANAGER_INTERFACE, "EmitEvent", "sasb", name, [], True)

    def describe(self, name: str) -> dict[str, Any]:
        text = self.connection.call(upstart.MANAGER_PATH, upstart.FOSTER_INTERFACE, "Describe", "as", [name])[0]
        found: dict[str, Any] = json.loads(text)[0]
        return found

    def main(self, name: str) -> int:
        """Return the pid of the main process of the only instance."""
        return int(self.describe(name)["instances"][0]["processes"][0]["pid"])

    def copies(self) -> list[int]:
        """Return the living processes that carry the supervisor's marker."""
        found = []
        for pid in proc.all_pids():
            stat = proc.stat(pid)
            if (
                proc.environment(pid).get("FOSTER_SUPERVISOR") == f"{self.folder}/run"
                and stat
                and stat.state not in "ZX"
            ):
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


@pytest.fixture(params=["own", "nobody"])
def supervisor(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    """A running supervisor; at the end it and everything of it are gone."""
    import tempfile

    as_nobody = request.param == "nobody"
    if as_nobody and (os.geteuid() != 0 or shutil.which("setpriv") is None):
        pytest.skip("becoming another user needs root and setpriv")
    with tempfile.TemporaryDirectory() as name:
        made = Supervisor(Path(name), as_nobody)
        yield made
        if made.daemon.poll() is None:
            assert made.terminate() == 0
        left = made.copies()
        for pid in left:
            os.kill(pid, 9)
        assert not left
        assert "Traceback" not in (made.folder / "output").read_text()
