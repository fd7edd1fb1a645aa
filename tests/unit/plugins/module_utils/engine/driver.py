# SPDX-License-Identifier: GPL-3.0-or-later
"""A host in memory for the engine: starts nothing, answers at once, and lets a test say what ends, and when."""

from __future__ import annotations

from typing import Any, Optional

from ansible_collections.foster.init.plugins.module_utils.engine.engine import Engine
from ansible_collections.foster.init.plugins.module_utils.engine.instance import Instance
from ansible_collections.foster.init.plugins.module_utils.engine.messages import (
    Announce,
    CancelTimer,
    Define,
    Effect,
    Emit,
    EndFamily,
    FamilyEnded,
    Input,
    ProcessExited,
    Ready,
    Refuse,
    Reload,
    Reply,
    Restart,
    SetTimer,
    Signal,
    Spawn,
    Spawned,
    SpawnFailed,
    Start,
    Stop,
    TimerFired,
    Warn,
)  # fmt: skip
from ansible_collections.foster.init.plugins.module_utils.engine.signals import signal_number
from ansible_collections.foster.init.plugins.module_utils.job.model import Job, ProcessKind
from ansible_collections.foster.init.plugins.module_utils.job.parser import parse_job

MAIN = ProcessKind.MAIN
ENVIRONMENT = ("PATH=/usr/bin:/bin", "TERM=linux")


class Driver:
    """Put inputs through an engine and carry out its effects, in memory.

    ``stubborn``: jobs whose main process ignores everything but KILL. ``held_spawns``: (job, kind) whose Spawn is
    not answered. ``broken``: (job, kind) that cannot be executed. ``held_families``: jobs whose EndFamily is not
    answered at once.
    """

    def __init__(self, *definitions: str, engine: Optional[Engine] = None) -> None:
        self.engine = engine if engine is not None else Engine(ENVIRONMENT)
        self.now = 1000.0
        self.seen: list[str] = []  # announcements, one line each
        self.effects: list[Effect] = []
        self.replies: dict[int, Any] = {}  # request -> Reply or Refuse
        self.spawns: list[Spawn] = []
        self.signals: list[Signal] = []
        self.families: list[EndFamily] = []
        self.warnings: list[str] = []
        self.timers: dict[tuple[tuple[str, str], str], float] = {}
        self.stubborn: set[str] = set()
        self.held_spawns: set[tuple[str, ProcessKind]] = set()
        self.broken: set[tuple[str, ProcessKind]] = set()
        self.held_families: set[str] = set()
        self.asked: list[int] = []  # numbers of requests that are to be answered
        self._requests = 0
        self._pid = 100
        for text in definitions:
            name, _unused, body = text.partition(":")
            self.define(name.strip(), body)
        self.seen.clear()

    # ---- inputs ---------------------------------------------------------------------------------------------

    def define(self, name: str, text: str) -> Job:
        """Define a job from the text of a job file."""
        job = parse_job(text.replace("; ", "\n"), name, f"{name}.conf")
        self.put(Define(job))
        return job

    def start(self, job: str, *env: str, wait: bool = True, instance: Optional[str] = None) -> int:
        """Ask for a start and return the number of the request."""
        return self._ask(Start(self._number(), job, env, wait, instance))

    def stop(self, job: str, *env: str, wait: bool = True, instance: Optional[str] = None) -> int:
        """Ask for a stop and return the number of the request."""
        return self._ask(Stop(self._number(), job, env, wait, instance))

    def restart(self, job: str, *env: str, wait: bool = True, instance: Optional[str] = None) -> int:
        """Ask for a restart and return the number of the request."""
        return self._ask(Restart(self._number(), job, env, wait, instance))

    def emit(self, name: str, *env: str, wait: bool = True) -> int:
        """Emit an event and return the number of the request."""
        return self._ask(Emit(self._number(), name, env, wait))

    def exit(self, job: str, kind: ProcessKind = MAIN, code: int = 0, instance: str = "") -> None:
        """End a process of an instance with an exit status."""
        pid = self.instance(job, instance).processes[kind]
        self.put(ProcessExited((job, instance), kind, pid, code))

    def kill(self, job: str, signal: str = "KILL", kind: ProcessKind = MAIN, instance: str = "") -> None:
        """End a process of an instance by a signal."""
        pid = self.instance(job, instance).processes[kind]
        self.put(ProcessExited((job, instance), kind, pid, None, signal_number(signal)))

    def ready(self, job: str, instance: str = "", pid: Optional[int] = None) -> None:
        """Say that what expect waits for has happened."""
        main = self.instance(job, instance).processes[MAIN]
        self.put(Ready((job, instance), pid if pid is not None else main))

    def reload(self, job: str, instance: str = "") -> int:
        """Ask for a reload and return the number of the request."""
        return self._ask(Reload(self._number(), job, instance))

    def spawned(self, job: str, kind: ProcessKind = MAIN, instance: str = "") -> None:
        """Answer a Spawn that was held."""
        self._pid += 1
        self.put(Spawned((job, instance), kind, self._pid))

    def fire(self, name: str, job: str, instance: str = "") -> None:
        """Let a timer run out."""
        due = self.timers.pop(((job, instance), name))
        self.now = max(self.now, due)
        self.put(TimerFired((job, instance), name))

    def put(self, message: Input) -> list[Effect]:
        """Put one input through the engine, carry out the effects, and answer until nothing is left to answer."""
        queue = [message]
        all_effects: list[Effect] = []
        while queue:
            effects = self.engine.handle(queue.pop(0), self.now)
            all_effects += effects
            queue += self.carry_out(effects)
        return all_effects

    # ---- effects --------------------------------------------------------------------------------------------

    def carry_out(self, effects: list[Effect]) -> list[Input]:
        """Carry out effects and return the inputs that answer them."""
        answers: list[Input] = []
        self.effects += effects
        for effect in effects:
            if isinstance(effect, Announce):
                self.seen.append(_line(effect))
            elif isinstance(effect, Spawn):
                answers += self._spawn(effect)
            elif isinstance(effect, Signal):
                self.signals.append(effect)
                answers += self._signal(effect)
            elif isinstance(effect, EndFamily):
                self.families.append(effect)
                if effect.key[0] not in self.held_families:
                    answers.append(FamilyEnded(effect.key))
            elif isinstance(effect, SetTimer):
                self.timers[(effect.key, effect.name)] = self.now + effect.seconds
            elif isinstance(effect, CancelTimer):
                del self.timers[(effect.key, effect.name)]
            elif isinstance(effect, (Reply, Refuse)):
                if effect.request in self.replies:
                    raise AssertionError(f"request {effect.request} is answered twice")
                self.replies[effect.request] = effect
            elif isinstance(effect, Warn):
                self.warnings.append(effect.text)
        return answers

    def _spawn(self, effect: Spawn) -> list[Input]:
        self.spawns.append(effect)
        job = effect.key[0]
        if (job, effect.kind) in self.held_spawns:
            return []
        if (job, effect.kind) in self.broken:
            return [SpawnFailed(effect.key, effect.kind, "exec", 2)]
        self._pid += 1
        return [Spawned(effect.key, effect.kind, self._pid)]

    def _signal(self, effect: Signal) -> list[Input]:
        instance = self.engine.instance(effect.key)
        if instance is None or effect.alone or effect.kind not in instance.processes:
            return []
        if effect.key[0] in self.stubborn and effect.signal != "KILL":
            return []
        pid = instance.processes[effect.kind]
        return [ProcessExited(effect.key, effect.kind, pid, None, signal_number(effect.signal))]

    # ---- reading --------------------------------------------------------------------------------------------

    def instance(self, job: str, name: str = "") -> Instance:
        """Return that instance."""
        return self.engine.jobs[job].instances[name]

    def status(self, job: str, name: str = "") -> str:
        """Return goal/state, stop/waiting where there is no such instance."""
        instance = self.engine.instance((job, name))
        return f"{instance.goal}/{instance.state}" if instance is not None else "stop/waiting"

    def answer(self, request: int) -> str:
        """Return "ok", the message of a refusal, or "" while the request waits."""
        answer = self.replies.get(request)
        if answer is None:
            return ""
        return answer.message if isinstance(answer, Refuse) else "ok"

    def take(self) -> list[str]:
        """Return the announcements since the last call."""
        seen, self.seen = self.seen, []
        return seen

    def of(self, job: str, name: str = "") -> list[str]:
        """Return what was announced of one instance since take()."""
        prefix = f"{job}/{name} "
        return [line[len(prefix) :] for line in self.seen if line.startswith(prefix)]

    def events(self) -> list[str]:
        """Return the events that have finished since take()."""
        return [line[len("- EventEmitted ") :] for line in self.seen if line.startswith("- EventEmitted ")]

    def environment_of(self, job: str, kind: ProcessKind = MAIN, name: str = "") -> dict[str, str]:
        """Return the environment that the newest such process was started with."""
        for spawn in reversed(self.spawns):
            if spawn.key == (job, name) and spawn.kind is kind:
                return dict(entry.split("=", 1) for entry in spawn.env)
        raise AssertionError(f"{job} has not started a {kind.value} process")

    def _number(self) -> int:
        self._requests += 1
        return self._requests

    def _ask(self, message: Any) -> int:
        self.asked.append(message.request)
        self.put(message)
        return int(message.request)


def _line(announce: Announce) -> str:
    """Write an announcement as the recorded traces do."""
    what, key, arguments = announce.what, announce.key, announce.arguments
    if key is None:
        name, env = arguments
        return f"- {what} {name} [{' '.join(env)}]"
    job, instance = key
    if what in ("JobAdded", "JobRemoved"):
        return f"- {what} {job}"
    if what in ("InstanceAdded", "InstanceRemoved"):
        return f"{job} {what} {job}/{instance}"
    return f"{job}/{instance} {what} {arguments[0]}"
