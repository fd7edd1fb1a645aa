# SPDX-License-Identifier: GPL-3.0-or-later
"""Try real daemons, in a container that is there for nothing else and in which a supervisor runs.

For each daemon, with `expect auto`: its main process is the one that its own pidfile names, after `start`, after
`kill -9` of it, and after `stop` and `start`; `stop` leaves nothing. Then fork_trace has to name the right `expect`,
and a job with that one has to follow it, too. Prints one line for each daemon; the exit status is 0 when all is right.

    trial.py /usr/local/lib/foster/foster.pyz (--all | --few | NAME...) [--json]
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from typing import Any, Callable, Optional

BUNDLE = sys.argv[1]
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)), BUNDLE]
from foster.dbus import upstart
from foster.dbus.client import Connection
from foster.dbus.errors import BusError
from table import DAEMONS, Daemon

JOBS = "/etc/foster"
WORK = "/run/trial"
PATIENCE = 60.0  # seconds
AT_ONCE = 4


class Wrong(Exception):
    """Something is not as it has to be."""


class Trial:
    """One daemon."""

    def __init__(self, bundle: str, daemon: Daemon) -> None:
        self.daemon = daemon
        self.folder = f"{WORK}/{daemon.name}"
        self._fosterctl = [sys.executable, "-IS", bundle, "fosterctl"]
        self._connection = Connection.open("unix:path=/run/foster/control", PATIENCE)
        self.job = f"trial-{daemon.name}"
        self.found: dict[str, Any] = {}

    def prepare(self) -> None:
        os.makedirs(self.folder, mode=0o755, exist_ok=True)
        script = self._here(self.daemon.prepare)
        if script and not os.listdir(self.folder):
            subprocess.run(["sh", "-e", "-c", script], check=True, stdin=subprocess.DEVNULL)

    def follow(self, expect: str, again: bool) -> None:
        """Run it as a job. ``again``: kill and start it again, too."""
        self._define(expect)
        self._control("Start")
        first = self._main("after start")
        if again:
            os.kill(first, signal.SIGKILL)
            wait_for(lambda: self._running() not in (0, first), f"kill -9 of {first}", self._shown)
            self._main("after kill -9")
        self._stop()
        if again:
            self._control("Start")
            self._main("after a stop and a start")
            self._stop()

    def give_up(self) -> None:
        with suppress(Wrong):
            self._stop()

    def trace(self) -> None:
        """Let fork_trace name the expect."""
        words = [*self._fosterctl, "fork-trace", "--json", "--timeout", "60"]
        if self.daemon.setuid:
            words += ["--setuid", self.daemon.setuid]
        command = self._here(self.daemon.command)
        if self.daemon.pre_start:
            subprocess.run(["sh", "-c", self._here(self.daemon.pre_start)], check=True)
        done = subprocess.run(
            [*words, "--", "sh", "-c", f"exec {command}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if not done.stdout:
            raise Wrong(f"fork-trace: {done.stderr.strip()}")
        self.found = json.loads(done.stdout)
        if self.found["failed"]:
            raise Wrong(f"fork-trace: {self.found['reason']}: {self.found['output'].strip()[-300:]}")
        left = [process["pid"] for process in self.found["processes"] if os.path.exists(f"/proc/{process['pid']}")]
        if left:
            raise Wrong(f"fork-trace left {left}")
        expected = self.daemon.expect
        if expected is not None and self.found["expect"] != self._here(expected):
            raise Wrong(f"fork-trace says {self.found['expect']}, not {self._here(expected)}: {self.found['reason']}")
        path = self._here(self.daemon.pidfile)
        if path and path not in [os.path.realpath(each) for each in self.found["main"]["pidfiles"]]:
            raise Wrong(f"fork-trace: {path} does not name the main process, {self.found['main']}")

    # ---- pieces ----

    def _here(self, text: str) -> str:
        return text.replace("$W", self.folder)

    def _define(self, expect: str) -> None:
        lines = [f"exec {self._here(self.daemon.command)}", f"expect {expect}", "respawn", "respawn limit 20 60",
                 "kill timeout 20", "start timeout 80"]  # fmt: skip
        if self.daemon.pre_start:
            lines.append(f"pre-start exec {self._here(self.daemon.pre_start)}")
        if self.daemon.setuid:
            lines.append(f"setuid {self.daemon.setuid}")
        with open(f"{JOBS}/{self.job}.conf", "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        self._connection.call(upstart.MANAGER_PATH, upstart.MANAGER_INTERFACE, "ReloadConfiguration")

    def _control(self, method: str) -> None:
        try:
            self._connection.call(
                upstart.job_path(self.job), upstart.JOB_INTERFACE, method, "asb", [], True, timeout=PATIENCE + 30
            )
        except BusError as error:
            raise Wrong(f"{method}: {error.message} {self._log()}") from error

    def _log(self) -> str:
        try:
            with open(f"/var/log/foster/{self.job}.log", encoding="utf-8", errors="replace") as file:
                return " ".join(file.read()[-400:].split())
        except OSError:
            return ""

    def _described(self) -> dict[str, Any]:
        """Return what the supervisor says of the only instance, nothing when there is none."""
        text = self._connection.call(upstart.MANAGER_PATH, upstart.FOSTER_INTERFACE, "Describe", "as", [self.job])[0]
        instances = json.loads(text)[0]["instances"]
        return instances[0] if instances else {}

    def _shown(self) -> str:
        found = self._described()
        return f"{found.get('goal')}/{found.get('state')} {found.get('processes')} {self._log()}"

    def _running(self) -> int:
        """Return the pid of the main process when the job runs, else 0."""
        found = self._described()
        pids = [process["pid"] for process in found.get("processes", []) if process["kind"] == "main"]
        return int(pids[0]) if found.get("state") == "running" and pids else 0

    def _main(self, when: str) -> int:
        """Return the main process, which has to be the one that the pidfile names."""
        path = self._here(self.daemon.pidfile)
        if not path:
            pid = self._running()
            if not pid:
                raise Wrong(f"{when}: {self._shown()}")
            return pid
        wait_for(
            lambda: number_in(path) not in (0, None) and number_in(path) == self._running(),
            f"{when}: {path} has {number_in(path)}, {self._shown()}",
            lambda: f"{number_in(path)} {self._shown()} {self._log()}",
        )
        return self._running()

    def _stop(self) -> None:
        family = self._family()
        self._control("Stop")
        left = [pid for pid in family | self._family() if alive(pid)]
        if left:
            raise Wrong(f"stop left {left}")

    def _family(self) -> set[int]:
        """Return every process that carries the mark of this job, or is below one that does."""
        found = set()
        mark = f"UPSTART_JOB={self.job}".encode()
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    with open(f"/proc/{name}/environ", "rb") as file:
                        if mark in file.read().split(b"\0"):
                            found.add(int(name))
                except OSError:
                    continue
        main = self._running()
        return found | (descendants(main) | {main} if main else set())


def descendants(pid: int) -> set[int]:
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    parents[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
            except OSError:
                continue
    found: set[int] = set()
    while True:
        more = {child for child, parent in parents.items() if parent in found | {pid}} - found
        if not more:
            return found
        found |= more


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def number_in(path: str) -> Optional[int]:
    try:
        with open(path, "rb") as file:
            words = file.read(64).split()
    except OSError:
        return None
    return int(words[0]) if words and words[0].isdigit() else None


def wait_for(condition: Callable[[], bool], what: str, more: Callable[[], str] = lambda: "") -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise Wrong(f"{what} ({more()})")
        time.sleep(0.25)


def attempt(trial: Trial) -> dict[str, Any]:
    """Try one daemon and say how it went."""
    problems = []
    try:
        trial.prepare()
        trial.follow("auto", again=True)
    except (Wrong, BusError, subprocess.CalledProcessError) as error:
        problems.append(f"auto: {error}")
        trial.give_up()
    try:
        trial.trace()
        if trial.found["expect"] != "auto":
            trial.follow(trial.found["expect"], again=False)
    except (Wrong, BusError) as error:
        problems.append(str(error))
        trial.give_up()
    found = trial.found
    return {
        "name": trial.daemon.name,
        "problems": problems,
        **{key: found.get(key) for key in ("expect", "sure", "reason", "hops", "lines", "warnings", "seconds")},
    }


def main(bundle: str, chosen: list[str]) -> int:
    as_json = "--json" in chosen
    wanted = [
        daemon for daemon in DAEMONS
        if "--all" in chosen or ("--few" in chosen and daemon.few) or daemon.name in chosen
    ]  # fmt: skip
    wrong = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in as_completed([pool.submit(attempt, Trial(bundle, daemon)) for daemon in wanted]):
            result = done.result()
            wrong += bool(result["problems"])
            if as_json:
                print(json.dumps(result), flush=True)
            else:
                said = "; ".join(result["problems"]) or f"expect {result['expect']} ({result['sure']})"
                print(f"{'WRONG' if result['problems'] else 'right'} {result['name']}: {said}", flush=True)
    return 1 if wrong or not wanted else 0


if __name__ == "__main__":
    sys.exit(main(BUNDLE, sys.argv[2:]))
