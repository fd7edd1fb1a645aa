# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out the steps of a case on a session and note what it shows."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import BinaryIO, Optional

from .case import Case
from .launch import launch
from .session import Session, asleep
from .trace import Step, Trace

# All seconds are those of the recordings: a session may stretch them.
_QUIET = 0.2  # seconds without a signal that end a step, as in the recordings
_LATE = 2.0  # seconds more that signals of the recording may take on a busy machine
_LIMIT = 25.0  # seconds for a command in the foreground
_BLOCKED_LIMIT = 2.0  # the same where it is expected to block for ever
_ENDLESS = 1500  # signals in one step that only events which cause each other can bring
ENDLESS = "signals do not end"  # what is noted then
_NEVER_BLOCK = frozenset(("status", "list", "initctl"))
_CLIENT_VERBS = frozenset(("start", "stop", "restart", "reload", "status", "emit", "list"))


class _Command:
    """A client under way; its output goes to files, so that no pipe fills up."""

    def __init__(self, arguments: list[str], session: Session, sort: bool = False) -> None:
        self._sort = sort
        self._started = time.monotonic()
        self._out, self._err = (_scratch(session.base, name) for name in ("stdout", "stderr"))
        self._process = launch(
            arguments,
            env=session.client_environment,
            cwd=session.work,
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=self._err,
        )

    def running(self) -> bool:
        return self._process.poll() is None

    def connected(self) -> bool:
        """Tell whether it has come as far as it can by itself: it has ended, or sleeps with a connection."""
        if not self.running():
            return True
        try:
            links = [os.readlink(entry.path) for entry in os.scandir(f"/proc/{self._process.pid}/fd")]
        except OSError:
            return False  # it is just ending
        return any(link.startswith("socket:") for link in links) and asleep(self._process.pid)

    def wait(self, seconds: float) -> bool:
        """Wait for the end; False when it did not come in time."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def report(self, step: Step) -> None:
        """Put output, exit code and duration into `step`."""
        step.code = self._process.returncode
        step.seconds = time.monotonic() - self._started
        step.stdout, step.stderr = _read(self._out), _read(self._err)
        if self._sort:
            step.stdout.sort()


def _scratch(base: Path, name: str) -> BinaryIO:
    return open(tempfile.mkstemp(prefix=f"{name}.", dir=base)[1], "w+b")


def _read(file: BinaryIO) -> list[str]:
    file.seek(0)
    lines = file.read().decode("utf-8", "replace").split("\n")
    file.close()
    return lines[:-1] if lines[-1] == "" else lines


class Player:
    """Plays one case on one session."""

    def __init__(self, case: Case, session: Session) -> None:
        self._case = case
        self._session = session
        self._stretch = session.stretch
        self.latency = 0.0  # seconds that the slowest client took which had nothing to wait for
        self._background: dict[str, _Command] = {}
        self._seen = 0  # signals so far
        self._promised = 0  # signals in the expected trace up to this step

    def play(self) -> Trace:
        """Start the supervisor, do every step, return the trace, with this run's paths replaced by their names."""
        self._session.start()
        boot = Step("(boot)")
        self._settle(boot, None)
        boot.signals.clear()  # JobAdded, as far as we were quick enough to see them
        self._seen = 0
        trace = Trace([boot])
        for number, text in enumerate(self._case.steps, 1):
            expected = _at(self._case.expected, number, text)
            self._promised += len(expected.signals) if expected else 0
            step = Step(text)
            trace.steps.append(step)
            self._do(step, text, expected)
            self._settle(step, expected)
            if text.startswith("initkill "):
                code = self._session.exit_code()
                step.notes.append("init alive" if code is None else f"init exited {code}")
            if ENDLESS in step.notes:
                break
        trace.files = self._session.files()
        for name, command in self._background.items():
            if command.running():
                trace.blocked.append(name)
                command.kill()
        return _rename(trace, self._session)

    def _do(self, step: Step, text: str, expected: Optional[Step]) -> None:
        verb, _unused, rest = text.partition(" ")
        if verb.startswith("&"):
            self._background[verb[1:]] = self._command(rest)
        elif verb == "wait":
            name, _unused, seconds = rest.partition(" ")
            if name in self._background:
                self._finish(self._background[name], step, float(seconds or _LIMIT) * self._stretch, name)
            else:
                step.notes.append("returned")  # and was reported by an earlier wait
        elif verb == "isrunning":
            waits = rest in self._background and self._background[rest].running()
            step.notes.append("blocked" if waits else "returned")
        elif verb == "sleep":
            time.sleep(float(rest) * self._stretch)
        elif verb == "kill":
            self._kill(step, shlex.split(rest))
        elif verb == "initkill":
            if self._session.exit_code() is None:
                os.kill(self._session.pid, signal.Signals[f"SIG{rest}"])
        elif verb == "reconnect":
            self._session.connect()
        else:
            command = self._command(text)
            limit = _BLOCKED_LIMIT if expected is not None and expected.timed_out else _LIMIT
            if not command.wait(limit * self._stretch):
                step.notes.append("TIMED OUT (blocked)")
                command.kill()
            command.report(step)
            if verb in _NEVER_BLOCK:
                self.latency = max(self.latency, step.seconds)

    def _command(self, text: str) -> _Command:
        verb, _unused, rest = text.partition(" ")
        if verb == "sh":
            return _Command(["/bin/sh", "-c", rest], self._session)
        if verb not in _CLIENT_VERBS and verb != "initctl":
            raise ValueError(f"{self._case.name}: unknown step {text!r}")
        words = shlex.split(text)
        program = str(self._session.base / "bin" / "initctl")
        # The recordings run `initctl start x`, whose messages begin with "initctl:".
        return _Command([program, *(words[1:] if verb == "initctl" else words)], self._session, sort=verb == "list")

    def _finish(self, command: _Command, step: Step, seconds: float, name: str) -> None:
        if command.wait(seconds):
            command.report(step)
            del self._background[name]
        else:
            step.notes.append("STILL BLOCKED")

    def _kill(self, step: Step, words: list[str]) -> None:
        name, job, *more = words
        kind = next((word[5:] for word in more if word.startswith("proc=")), "main")
        variables = [word for word in more if not word.startswith("proc=")]
        status = Step("status")
        asked = self._command(shlex.join(["status", job, *variables]))
        asked.wait(_LIMIT * self._stretch)
        asked.report(status)
        self.latency = max(self.latency, status.seconds)
        pattern = r", process (\d+)" if kind == "main" else rf"\t{re.escape(kind)} process (\d+)"
        found = re.search(pattern, "\n".join(status.stdout))
        if found is None:
            step.notes.append(f"no {kind} process of {job}: {' '.join(status.stdout + status.stderr)}")
            return
        try:
            os.kill(int(found[1]), signal.Signals[f"SIG{name}"])
        except ProcessLookupError:
            step.notes.append(f"the {kind} process of {job} has just ended")

    def _wait_for_client(self, step: Step) -> None:
        """Wait until a client in the background has made its request; 4 ms when the cases were recorded."""
        command = self._background.get(step.text.partition(" ")[0][1:]) if step.text.startswith("&") else None
        if command is None or step.text.split()[1] == "sh":
            return
        deadline = time.monotonic() + _LIMIT
        seen = 0
        while seen < 3 and time.monotonic() < deadline:
            seen = seen + 1 if command.connected() and self._session.asleep() else 0
            time.sleep(0.01)

    def _pause(self, step: Step) -> float:
        """Return how long it is to be quiet: less by what the client took, to keep the pace of the recordings."""
        if step.text.startswith("&"):
            return _QUIET
        return max(_QUIET - step.seconds / self._stretch, _QUIET / 2)

    def _settle(self, step: Step, expected: Optional[Step]) -> None:
        """Wait until nothing has moved for a while; longer while the recording promises more than has come."""
        listener = self._session.listener
        if listener is None:
            return
        begun = time.monotonic()
        pause = self._pause(step)
        self._wait_for_client(step)
        while True:
            step.signals += (taken := listener.take())
            self._seen += len(taken)
            waited = (time.monotonic() - begun) / self._stretch
            quiet = min(listener.quiet_for() / self._stretch, waited)
            missing = expected is not None and self._seen < self._promised and self._session.exit_code() is None
            if quiet >= pause and not (missing and quiet < _LATE and expected is not None and expected.signals):
                return
            if waited > _LIMIT or len(step.signals) > _ENDLESS:
                step.notes.append(ENDLESS)
                return
            time.sleep(0.01)


def _at(trace: Trace, number: int, text: str) -> Optional[Step]:
    if number < len(trace.steps) and trace.steps[number].text == text:
        return trace.steps[number]
    return None


def _rename(trace: Trace, session: Session) -> Trace:
    """Write `$BASE` and `@CWD@` for the folders of this run."""
    base = str(session.base)
    names = ((str(session.work), "@CWD@"), (base, "$BASE"), (base.replace("/", "\\/"), "$BASE"))

    def rename(line: str) -> str:
        for path, name in names:
            line = line.replace(path, name)
        return line

    for step in trace.steps:
        step.stdout, step.stderr = [rename(line) for line in step.stdout], [rename(line) for line in step.stderr]
    trace.files = {name: [rename(line) for line in lines] for name, lines in trace.files.items()}
    return trace
