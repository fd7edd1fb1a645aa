# SPDX-License-Identifier: GPL-3.0-or-later
"""``expect dbus NAME`` with a message bus of our own, as root (the system's bus) and as a user (the session's)."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import guard
import pytest

from .conftest import Supervisor, running
from .program import system_python

SOURCE = Path(__file__).with_name("bus_owner.py")
CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
  </policy>
</busconfig>
"""


class Bus:
    """A message bus in a folder that everybody may read, with a program that takes names on it."""

    def __init__(self, folder: Path, program: str) -> None:
        self.socket = folder / "bus"
        self.owner = f"{system_python()} -S {folder}/{SOURCE.name} {self.socket}"
        self._program = program
        self._configuration = folder / "bus.conf"
        self._configuration.write_text(CONFIGURATION.format(socket=self.socket))
        shutil.copy(SOURCE, folder)
        self.daemon = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        command = [self._program, f"--config-file={self._configuration}", "--nofork", "--print-address"]
        self.daemon = subprocess.Popen(command, stdout=subprocess.PIPE)
        guard.watch_over(self.daemon.pid)
        assert self.daemon.stdout is not None
        assert self.daemon.stdout.readline().startswith(b"unix:"), "the bus does not come up"
        return self.daemon

    def stop(self) -> None:
        self.daemon.kill()
        self.daemon.wait()
        if self.daemon.stdout is not None:
            self.daemon.stdout.close()
        self.socket.unlink(missing_ok=True)


@pytest.fixture
def bus() -> Iterator[Bus]:
    program = shutil.which("dbus-daemon", path=f"{os.environ.get('PATH', '')}:/usr/bin:/bin")
    if program is None:
        absent = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        absent("no dbus-daemon")
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        made = Bus(Path(name), program)
        try:
            yield made
        finally:
            made.stop()


@pytest.fixture(params=["own", "nobody"])
def supervisor(request: pytest.FixtureRequest, bus: Bus) -> Iterator[Supervisor]:
    """A supervisor that takes ours for the system's bus, or for that of its user's session."""
    address = f"unix:path={bus.socket}"
    variables = [f"DBUS_SYSTEM_BUS_ADDRESS={address}", f"DBUS_SESSION_BUS_ADDRESS={address}"]
    with running(request.param, ["env", *variables]) as made:
        yield made


def begin(supervisor: Supervisor, bus: Bus, words: str = "", timeout: int = 60) -> int:
    """Start the job without waiting; return the process that is to take the name."""
    text = (
        f"expect dbus org.example.A\nstart timeout {timeout}\nkill timeout 2\nexec {bus.owner} org.example.A {words}\n"
    )
    supervisor.define("a", text)
    supervisor.call("a", "Start", wait=False)
    supervisor.wait_for(lambda: any(map(listens, supervisor.family("a"))), "the program to begin")
    return next(filter(listens, supervisor.family("a")))


def reason(supervisor: Supervisor) -> str:
    return str(supervisor.explain("a")["reason"])


def state(supervisor: Supervisor) -> str:
    return str(supervisor.describe("a")["instances"][0]["state"])


def take(pid: int) -> None:
    """Let a bus_owner.py take its name, as soon as it can."""
    os.kill(pid, signal.SIGUSR1)


def listens(pid: int) -> bool:
    """Tell whether the program has come so far as to take the name on SIGUSR1; before, that would end it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    return bool(int(status.partition("SigCgt:")[2].split()[0], 16) & 1 << (signal.SIGUSR1 - 1))


@pytest.mark.parametrize("words", ["", "fork"])
def test_ready_when_a_process_of_the_job_has_taken_the_name(supervisor, bus, words):
    pid = begin(supervisor, bus, words)
    supervisor.wait_for(lambda: "nobody owns it" in reason(supervisor), "the bus to be asked")
    assert state(supervisor) == "spawned"
    take(pid)
    supervisor.wait_for(lambda: state(supervisor) == "running", "readiness")
    found = supervisor.process("a")
    assert (found["pid"], found["certainty"]) == (pid, "certain")
    assert "owns org.example.A" in found["reason"]


def test_a_stranger_that_has_the_name_does_not_count(supervisor, bus):
    stranger = subprocess.Popen([*bus.owner.split(), "org.example.A"])
    guard.watch_over(stranger.pid)
    try:
        pid = begin(supervisor, bus)
        supervisor.wait_for(lambda: listens(stranger.pid), "the stranger to begin")
        take(stranger.pid)
        said = f"owned by process {stranger.pid}, which is none of its processes"
        supervisor.wait_for(lambda: said in reason(supervisor), "the stranger to be seen")
        take(pid)
        assert state(supervisor) == "spawned"
    finally:
        stranger.kill()
        stranger.wait()
    supervisor.wait_for(lambda: state(supervisor) == "running", "the name to come to the job")
    assert supervisor.main("a") == pid


def test_a_bus_that_is_gone_is_told_and_the_start_fails_in_time(supervisor, bus):
    begin(supervisor, bus, timeout=5)
    supervisor.wait_for(lambda: "nobody owns it" in reason(supervisor), "the bus to be asked")
    bus.stop()
    supervisor.wait_for(lambda: "the bus cannot be" in reason(supervisor), "the end of the bus to be told")
    supervisor.wait_for(lambda: "not ready after 5 seconds" in supervisor.output(), "the start to fail")
    supervisor.wait_for(lambda: supervisor.describe("a")["instances"] == [], "the end of the job")
    failure = supervisor.describe("a")["last_failure"]
    assert failure["timeout"] == "start"
    assert "the bus cannot be" in failure["waited_for"]


def test_a_bus_that_comes_later_is_waited_for(supervisor, bus):
    bus.stop()
    pid = begin(supervisor, bus)
    supervisor.wait_for(lambda: "the bus cannot be reached" in reason(supervisor), "that it is not there to be told")
    take(pid)
    bus.start()
    supervisor.wait_for(lambda: state(supervisor) == "running", "readiness")
    assert supervisor.main("a") == pid
