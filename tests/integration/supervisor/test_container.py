# SPDX-License-Identifier: GPL-3.0-or-later
"""fosterd as the first process of a container: a pid namespace of its own, as root and as nobody."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Optional

import guard
import pytest
from module_utils.dbus import upstart
from module_utils.dbus.client import Connection
from module_utils.dbus.errors import BusError, BusUnreachable
from module_utils.supervisor.tracking import proc
from program import FOSTERD, NOBODY, fosterd_environment, system_python

# What the kernel shows as cgroup v2 in most containers: there, and not to be written to.
READ_ONLY_CGROUPS = (
    "mount --make-rprivate / && mount -t cgroup2 cgroup2 /sys/fs/cgroup && "
    'mount -o remount,bind,ro /sys/fs/cgroup && exec "$@"'
)

BY_BOTH = pytest.mark.parametrize("container", ["root", "nobody"], indirect=True)

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None, reason="a pid namespace needs root and unshare"
)


class Container:
    """A pid namespace with fosterd as PID 1, in a folder of its own."""

    def __init__(self, folder: Path, as_nobody: bool) -> None:
        self.folder = folder
        self.jobs = folder / "jobs"
        self.as_nobody = as_nobody
        self.runtime: subprocess.Popen[str]
        self.jobs.mkdir()
        if as_nobody:
            for path in (folder, self.jobs):
                os.chown(path, NOBODY, NOBODY)

    def define(self, name: str, text: str) -> None:
        (self.jobs / f"{name}.conf").write_text(text)

    def start(self, *arguments: str, stdin: Optional[str] = None, prefix: tuple[str, ...] = ()) -> None:
        user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if self.as_nobody else []
        self.runtime = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", *prefix, *user,
             system_python(), FOSTERD, f"--confdir={self.jobs}",
             f"--rundir={self.folder}/run", f"--logdir={self.folder}/log", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=fosterd_environment(self.folder), cwd=self.folder,
        )  # fmt: skip
        guard.watch_over(self.runtime.pid)
        assert self.runtime.stdin is not None
        if stdin is not None:
            self.runtime.stdin.write(stdin)
        self.runtime.stdin.close()
        self.runtime.stdin = None

    def first(self) -> int:
        """Return the pid, seen from here, of what is PID 1 in there."""
        return proc.children(self.runtime.pid)[0]

    def end(self) -> tuple[int, list[str]]:
        """Wait for the end; return the exit status and the lines of the container's output."""
        output, _unused = self.runtime.communicate(timeout=60)
        return self.runtime.returncode, output.splitlines()

    def connect(self) -> Connection:
        found: list[Connection] = []

        def connected() -> bool:
            try:
                found.append(Connection.open(f"unix:path={self.folder}/run/control", 20))
            except (BusError, BusUnreachable):
                return False
            return True

        self.wait_for(connected, "a connection")
        return found[0]

    def wait_for(self, condition: Callable[[], Any], what: str) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            if self.runtime.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{what}: {self.kill()}")
            time.sleep(0.02)

    def kill(self) -> list[str]:
        if self.runtime.poll() is None:
            for pid in proc.children(self.runtime.pid):
                os.kill(pid, signal.SIGKILL)  # the kernel ends everything else in the namespace
        return self.end()[1]


@pytest.fixture
def container(request: pytest.FixtureRequest) -> Iterator[Container]:
    with tempfile.TemporaryDirectory() as name:
        made = Container(Path(name), getattr(request, "param", "root") == "nobody")
        yield made
        if made.runtime.poll() is None:
            made.kill()


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (("true",), 0),
        (("sh", "-c", "exit 7"), 7),
        (("sh", "-c", "kill -9 $$"), 128 + signal.SIGKILL),
        (("no-such-program",), 127),
    ],
    ids=["success", "failure", "signal", "not-found"],
)
def test_the_container_ends_with_the_status_of_its_command(container, command, status):
    container.start("--", *command)
    ended = container.end()
    assert ended[0] == status, ended


@BY_BOTH
def test_the_command_has_the_containers_input_output_folder_and_arguments(container):
    container.start("--", "sh", "-c", 'cat; pwd; printf "%s\\n" "$1"', "sh", "two words; $HOME", stdin="said\n")
    status, lines = container.end()
    assert status == 0
    assert [line for line in lines if not line.startswith("fosterd:")] == [
        "said", str(container.folder), "two words; $HOME",
    ]  # fmt: skip


def test_a_task_that_starts_on_starting_main_is_done_before_the_command_begins(container):
    container.define("migrate", "start on starting main\ntask\nconsole output\nexec sh -c 'sleep 0.2; echo migrated'\n")
    container.start("--", "echo", "served")
    status, lines = container.end()
    assert [line for line in lines if not line.startswith("fosterd:")] == ["migrated", "served"]
    assert status == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGRTMIN + 3])
def test_a_signal_stops_the_jobs_in_the_order_that_they_ask_for(container, number):
    container.define("app", "start on startup\nstop on shutdown\nconsole output\nexec sleep 1000\n"
                            "post-stop exec echo app has stopped\n")  # fmt: skip
    container.define("database", "start on startup\nstop on stopped app\nconsole output\nexec sleep 1000\n"
                                 "pre-stop exec echo database is asked to stop\n")  # fmt: skip
    container.start()
    connection = container.connect()
    connection.close()
    os.kill(container.first(), number)
    status, lines = container.end()
    assert status == 0
    told = [line for line in lines if not line.startswith("fosterd:")]
    assert told == ["app has stopped", "database is asked to stop"]


def test_a_signal_ends_the_command_and_its_status_is_the_containers(container):
    container.start("--", "sh", "-c", "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done")
    assert container.runtime.stdout is not None
    while container.runtime.stdout.readline() != "ready\n":
        assert container.runtime.poll() is None
    os.kill(container.first(), signal.SIGTERM)
    assert container.end()[0] == 5


@BY_BOTH
def test_orphans_that_belong_to_no_job_are_reaped(container):
    container.define("orphans", "start on startup\ntask\nkeep leftovers\n"
                                "exec sh -c 'for n in 1 2 3 4 5; do setsid env -i sleep 0.05 & done'\n")  # fmt: skip
    container.start("--", "sleep", "1000")
    container.connect().close()
    first = container.first()

    def only_the_command_is_left() -> bool:
        stats = [proc.stat(pid) for pid in proc.children(first)]
        return [proc.command_line(stat.pid) for stat in stats if stat] == [b"sleep\x001000\x00"]

    container.wait_for(only_the_command_is_left, "an orphan that is still there")
    os.kill(first, signal.SIGTERM)
    assert container.end()[0] == 128 + signal.SIGTERM


@BY_BOTH
def test_a_container_that_was_killed_and_is_started_again_begins_anew(container):
    container.define("side", "start on startup\nconsole output\nexec sleep 1000\n")
    container.start("--", "sleep", "1000")
    container.connect().close()
    container.kill()
    container.start("--", "echo", "again")
    status, lines = container.end()
    assert status == 0
    assert "again" in lines
    assert not [line for line in lines if "earlier supervisor" in line]


@BY_BOTH
def test_the_program_is_executed_anew_under_the_running_command(container):
    container.start("--", "sh", "-c", "read _ || :; sleep 1000")
    connection = container.connect()
    first = container.first()
    path = upstart.instance_path("main", "")

    def main_pid() -> int:
        asking = container.connect()
        properties = "org.freedesktop.DBus.Properties"
        found = asking.call(path, properties, "Get", "ss", upstart.INSTANCE_INTERFACE, "processes")
        asking.close()
        return int(found[0][1][0][1])

    before = main_pid()
    os.kill(first, signal.SIGUSR2)
    with pytest.raises((BusError, BusUnreachable)):  # connections end with the old program
        while True:
            connection.call(upstart.MANAGER_PATH, "org.freedesktop.DBus.Properties", "Get", "ss",
                            upstart.MANAGER_INTERFACE, "version")  # fmt: skip
    assert main_pid() == before
    os.kill(first, signal.SIGTERM)
    assert container.end()[0] == 128 + signal.SIGTERM


def test_cgroups_that_cannot_be_written_to_are_done_without(container):
    container.define("side", "start on startup\nexec sleep 1000\n")
    container.start("--", "cat", "/proc/self/cgroup", prefix=("sh", "-c", READ_ONLY_CGROUPS, "sh"))
    status, lines = container.end()
    assert status == 0
    cgroups = [line.split(":", 2)[2] for line in lines if line.count(":") >= 2 and not line.startswith("fosterd:")]
    assert cgroups and not [path for path in cgroups if "foster" in path]


def test_without_log_files_all_jobs_write_to_the_containers_output(container):
    container.define("side", "start on starting main\ntask\nexec echo from the side\n")
    container.start("--logdir=-", "--", "echo", "from the command")
    status, lines = container.end()
    assert status == 0
    assert [line for line in lines if not line.startswith("fosterd:")] == ["from the side", "from the command"]


def test_the_output_tells_what_runs_and_how_it_ended(container):
    container.start("--", "sh", "-c", "exit 3")
    lines = container.end()[1]
    assert "fosterd: main is running" in lines
    assert [line for line in lines if line.startswith("fosterd: main: main process") and line.endswith("status 3")]


def test_a_job_of_the_same_name_as_the_command_is_refused(container):
    container.define("main", "exec sleep 1\n")
    container.start("--", "true")
    status, lines = container.end()
    assert (status, len(lines)) == (1, 1)
    assert "main.conf" in lines[0]
