# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor around the engine: puts inputs through it, keeps the ledger, and carries out the effects.

For every input: the engine decides, what has changed goes on the ledger, and then the effects are acted on in order.
What they lead
to (a process that was started) is queued as the next input, never handled inside.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Optional, Union

from ..engine.engine import Engine
from ..engine.messages import (
    Announce,
    CancelTimer,
    Define,
    EndFamily,
    FamilyEnded,
    Forget,
    Input,
    InstanceKey,
    ProcessExited,
    Ready,
    Refuse,
    Reply,
    SetTimer,
    Signal,
    Spawn,
    Spawned,
    SpawnFailed,
    TimerFired,
    Undefine,
    Warn,
)  # fmt: skip
from ..job.model import Job, ProcessKind
from . import report
from .history import History
from .jobfolder import JobFolder
from .kernel import Exit, Kernel, signal_number
from .ledger import Ledger
from .logs import Logs
from .loop import READ, Loop, TimerHandle
from .readiness import watchers
from .spawn import Plan, SpawnError, parse_status, plan
from .tracking import proc
from .tracking.cgroup import folder_name
from .tracking.family import Families

OnReply = Callable[[Union[Reply, Refuse]], None]
_LOOK_AGAIN = 0.05  # seconds; for families whose deaths nobody reports to us
_FATAL = signal_number("KILL")
_ACTS = frozenset((Spawn, Signal, EndFamily, Reply, Refuse))  # what somebody else gets to see
_BURST = 200  # inputs in one go, after which memory is given back
_CONTINUE = signal_number("CONT")


class Tracked:
    """A process of an instance that we started or adopted."""

    __slots__ = ("adopted_fd", "go", "key", "kind", "pid", "status", "watcher")

    def __init__(self, key: InstanceKey, kind: ProcessKind, pid: int) -> None:
        self.key = key
        self.kind = kind
        self.pid = pid
        self.status = -1  # descriptor of a child that is still preparing itself
        self.adopted_fd = -1  # pidfd of a process that is not our child
        self.watcher: Optional[watchers.Watcher] = None


class Host:
    """Owns the engine and everything that acts. ``warn(text)`` writes to the supervisor's own log."""

    def __init__(  # noqa: PLR0917
        self, engine: Engine, loop: Loop, kernel: Kernel, ledger: Ledger, logs: Logs, families: Families,
        warn: Callable[[str], None], null_fd: int, run_folder: Optional[str] = None,
    ) -> None:  # fmt: skip
        self.engine = engine
        self.loop = loop
        self.kernel = kernel
        self.ledger = ledger
        self.logs = logs
        self.families = families
        self.warn = warn
        self.null_fd = null_fd
        self.run_folder = run_folder
        self.log_priority = "message"
        self.version = "init (upstart 1.13.2)"
        self.folder: Optional[JobFolder] = None
        self.past = History(logs.tail, ledger.put)
        self.announce: list[Callable[[Announce], None]] = []
        self.processes: dict[int, Tracked] = {}
        self.marker: tuple[str, str] = ("", "")
        self.addresses: list[str] = []
        self.on_reexec: Callable[[], None] = lambda: None
        self.on_shutdown: Callable[[], None] = lambda: None
        self.start_wanted: Optional[Callable[[Spawn], bool]] = None  # recovery: is the process there already?
        self._queue: deque[tuple[Any, Optional[OnReply]]] = deque()
        self._pumping = False
        self._replies: dict[int, OnReply] = {}
        self._last_request = 1 << 32  # numbers of our own, apart from those of callers
        self._timers: dict[tuple[InstanceKey, str], TimerHandle] = {}
        self._ends: dict[InstanceKey, Optional[TimerHandle]] = {}
        self._empty_cgroups: set[InstanceKey] = set()
        self._cause: Optional[dict[str, Any]] = None
        self._looking = False
        self._effects: dict[type, Callable[[Any], None]] = {
            Spawn: self._spawn, Signal: self._signal, EndFamily: self._end_family, SetTimer: self._set_timer,
            CancelTimer: self._cancel_timer, Reply: self._reply, Refuse: self._reply, Announce: self._announce,
            Forget: self._forget, Warn: self._warn,
        }  # fmt: skip

    # ---- inputs -----------------------------------------------------------------------------------------------

    def submit(self, message: Input, on_reply: Optional[OnReply] = None) -> None:
        """Put ``message`` through the engine and carry out what follows; ``on_reply`` gets its Reply or Refuse."""
        self._queue.append((message, on_reply))
        if not self._pumping:
            self.pump()

    def pump(self) -> None:
        """Deal with everything that is queued."""
        self._pumping = True
        inputs = 0
        try:
            while self._queue:
                inputs += 1
                message, on_reply = self._queue.popleft()
                if on_reply is not None:
                    self._last_request += 1
                    message = replace(message, request=self._last_request)
                    self._replies[self._last_request] = on_reply
                elif isinstance(message, ProcessExited):
                    self.past.ended(message)
                self._cause = self.past.cause(message)
                self.carry_out(self.engine.handle(message, self.loop.now()))
            self.ledger.flush()
        finally:
            self._pumping = False
            self.kernel.settle()
            if inputs > _BURST:
                self.loop.call_later(1.0, self.kernel.give_back_memory)

    def carry_out(self, effects: Sequence[Any]) -> None:
        """Write down what has changed, then act."""
        changes = self.engine.changes()
        if changes:
            self.ledger.put_all((f"engine/{key}", record) for key, record in changes)
        if any(type(effect) in _ACTS for effect in effects):
            self.ledger.flush()
        for effect in effects:
            self._effects[type(effect)](effect)

    # ---- effects ----------------------------------------------------------------------------------------------

    def _spawn(self, effect: Spawn) -> None:
        if self.start_wanted is not None and not self.start_wanted(effect):
            return
        key, kind, job = effect.key, effect.kind, effect.job
        try:
            if kind is ProcessKind.SECURITY and not os.path.isdir("/sys/kernel/security/apparmor"):
                raise SpawnError("apparmor", 0)
            self._start(effect, plan(job, kind, effect.env))
        except SpawnError as error:
            if error.errno:
                what = f"{job.name}{f' ({key[1]})' if key[1] else ''} {kind.value} process"
                self.warn(f"{what}: unable to start, step {error.step}: {os.strerror(error.errno)}")
            self._queue.append((SpawnFailed(key, kind, error.step, error.errno), None))

    def _start(self, effect: Spawn, what: Plan) -> None:
        key, kind, job = effect.key, effect.kind, effect.job
        signalled, what = self._readiness_channel(what)
        output, close = self._output(key, job)
        try:
            started = self.kernel.start(what, output, folder_name(*key))
        except SpawnError:
            if signalled >= 0:
                os.close(signalled)
            raise
        finally:
            if close:
                os.close(output)
            for fd, _number in what.extra:
                os.close(fd)
        tracked = self.track(key, kind, started.pid)
        if kind is ProcessKind.MAIN:
            tracked.watcher = watchers.watcher(_Around(self, tracked), job.expect, started.pid)
            if isinstance(tracked.watcher, watchers.Signalled):
                tracked.watcher.fd = signalled
        if started.status < 0:
            self._started(tracked)
            return
        self.ledger.flush()
        os.write(started.go, b"!")
        os.close(started.go)
        tracked.status = started.status
        self.loop.watch(started.status, READ, lambda _events: self._prepared(tracked))

    def _readiness_channel(self, what: Plan) -> tuple[int, Plan]:
        """Return the descriptor that the process will say `ready` on, and the plan with its other end."""
        expect = what.job.expect
        if what.kind is not ProcessKind.MAIN:
            return -1, what
        if expect.kind == "newline":
            reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            os.set_blocking(writer, True)
            number = int(expect.argument) if expect.argument.isdigit() else 3
            return reader, what._replace(extra=((writer, number),))
        if expect.kind == "notify":
            import socket

            address = f"\0foster/notify/{os.getpid()}/{os.urandom(8).hex()}"
            server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            server.bind(address)
            return server.detach(), what._replace(env={**what.env, "NOTIFY_SOCKET": "@" + address[1:]})
        return -1, what

    def _output(self, key: InstanceKey, job: Job) -> tuple[int, bool]:
        """Return the descriptor for a process's output, and whether it is to be closed after the start."""
        if job.console == "output":
            try:
                return os.open("/dev/console", os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC), True
            except OSError:
                return self.null_fd, False
        if job.console != "log":
            return self.null_fd, False
        try:
            return self.logs.open(key, job), True
        except OSError as error:
            raise SpawnError("log", error.errno or errno.EIO) from None

    def track(self, key: InstanceKey, kind: ProcessKind, pid: int) -> Tracked:
        """Note a process of ``key`` in the ledger (which has to be flushed) and in memory."""
        tracked = self.processes[pid] = Tracked(key, kind, pid)
        self.ledger.put(f"process/{pid}", [key[0], key[1], kind.value, self.kernel.start_time(pid)])
        self.families.started(key, pid)
        return tracked

    def _prepared(self, tracked: Tracked) -> None:
        """The child has executed its program, or has failed to."""
        data = os.read(tracked.status, 256)
        self.loop.unwatch(tracked.status)
        os.close(tracked.status)
        tracked.status = -1
        error = parse_status(data)
        if error is None:
            self._started(tracked)
            if not self._pumping:
                self.pump()
            return
        self.warn(f"{tracked.key[0]} {tracked.kind.value} process: unable to start, step {error}")
        self._drop(tracked)
        self.submit(SpawnFailed(tracked.key, tracked.kind, error.step, error.errno))

    def answer(self, message: Input) -> None:
        """Queue what an effect has led to."""
        self._queue.append((message, None))

    def watch_readiness(self, tracked: Tracked, job: Job) -> None:
        """Wait for what ``expect`` says with a process that is there already."""
        tracked.watcher = watchers.watcher(_Around(self, tracked), job.expect, tracked.pid)
        if tracked.watcher is not None:
            tracked.watcher.begin()

    def _started(self, tracked: Tracked) -> None:
        self._queue.append((Spawned(tracked.key, tracked.kind, tracked.pid), None))
        if tracked.watcher is not None:
            tracked.watcher.begin()

    def _drop(self, tracked: Tracked) -> None:
        self.processes.pop(tracked.pid, None)
        self.ledger.put(f"process/{tracked.pid}", None)
        if tracked.watcher is not None:
            tracked.watcher.cancel()

    def _signal(self, effect: Signal) -> None:
        number = signal_number(effect.signal)
        if effect.family:
            self._kill_family(effect.key, number)
        pid = self._pid(effect.key, effect.kind)
        if pid is None:
            return
        if effect.alone:
            self.kernel.signal_process(pid, number)
        else:
            self.kernel.signal_group(pid, number)

    def _pid(self, key: InstanceKey, kind: ProcessKind) -> Optional[int]:
        instance = self.engine.instance(key)
        pid = instance.processes.get(kind) if instance is not None else None
        return pid if pid in self.processes else None

    def _kill_family(self, key: InstanceKey, number: int) -> None:
        for member in self.families.members(key):
            self.kernel.signal_process(member.pid, number)

    def _leftovers(self, key: InstanceKey) -> list[int]:
        """Return who is left of the family, without the instance's own processes that still have something to do."""
        if self.families.cgroups is None:
            pids = [member.pid for member in self.families.members(key)]
        else:
            pids = self.families.cgroups.members(folder_name(*key))
            if pids:
                pids = [member.pid for member in self.families.members(key)]
        return [pid for pid in pids if pid not in self.processes or self.processes[pid].kind is ProcessKind.MAIN]

    def _end_family(self, effect: EndFamily) -> None:
        key = effect.key
        left = self._leftovers(key)
        if not left:
            self._queue.append((FamilyEnded(key), None))
            return
        number = signal_number(effect.signal)
        if number == _FATAL or effect.grace <= 0:
            self._ends[key] = None
            self._finish_family(key)
            return
        for pid in left:
            self.kernel.signal_process(pid, number)
            self.kernel.signal_process(pid, _CONTINUE)  # a stopped one would not hear it
        self._ends[key] = self.loop.call_later(effect.grace, lambda: self._finish_family(key))
        self._look_again()

    def _finish_family(self, key: InstanceKey) -> None:
        if key not in self._ends:
            return
        self._ends[key] = None
        for pid in self._leftovers(key):
            self.kernel.signal_process(pid, _FATAL)
        self._look_again()

    def _look_again(self) -> None:
        """Look at families that are being ended even if no death is reported: adopted ones have other parents."""
        if not self._looking and (self._ends or self._empty_cgroups):
            self._looking = True
            self.loop.call_later(_LOOK_AGAIN, self._looked)

    def _looked(self) -> None:
        self._looking = False
        for key, timer in self._ends.items():
            if timer is None:  # what has forked meanwhile
                for pid in self._leftovers(key):
                    self.kernel.signal_process(pid, _FATAL)
        self.check_families()
        self._look_again()

    def check_families(self) -> None:
        """Report the families of which nothing is left, and remove the cgroups that are empty."""
        for key, timer in list(self._ends.items()):
            if not self._leftovers(key):
                del self._ends[key]
                if timer is not None:
                    timer.cancel()
                self.submit(FamilyEnded(key))
        if self._empty_cgroups and self.families.cgroups is not None:
            for key in list(self._empty_cgroups):
                if self.engine.instance(key) is not None or self.families.cgroups.remove(folder_name(*key)):
                    self._empty_cgroups.discard(key)

    def _set_timer(self, effect: SetTimer) -> None:
        self._cancel_timer(effect)
        slot = (effect.key, effect.name)

        def fired() -> None:
            self._timers.pop(slot, None)
            self.submit(TimerFired(*slot))

        self._timers[slot] = self.loop.call_later(effect.seconds, fired)

    def _cancel_timer(self, effect: Union[SetTimer, CancelTimer]) -> None:
        timer = self._timers.pop((effect.key, effect.name), None)
        if timer is not None:
            timer.cancel()

    def _reply(self, effect: Union[Reply, Refuse]) -> None:
        on_reply = self._replies.pop(effect.request, None)
        if on_reply is not None:
            on_reply(effect)

    def _announce(self, effect: Announce) -> None:
        if effect.what == "Failed" and effect.key is not None:
            self.past.failed(effect.key, self._cause)
        elif effect.what == "JobRemoved" and effect.key is not None and effect.key[0] not in self.engine.jobs:
            self.past.forget(effect.key[0])
        for listener in self.announce:
            listener(effect)

    def _forget(self, effect: Forget) -> None:
        key = effect.key
        if self.engine.instance(key) is not None:
            return  # started again meanwhile
        self.logs.forget(key)
        self.families.forget(key)
        if self.families.cgroups is not None and not self.families.cgroups.remove(folder_name(*key)):
            self._empty_cgroups.add(key)
            self._look_again()

    def _warn(self, effect: Warn) -> None:
        name = f"{effect.key[0]}{f' ({effect.key[1]})' if effect.key[1] else ''}: " if effect.key else ""
        self.warn(name + effect.text)

    # ---- what happens to processes ----------------------------------------------------------------------------

    def reap(self) -> None:
        """Deal with every child that has ended or stopped."""
        for tracked in list(self.processes.values()) if self._some_expect_stop() else ():
            if tracked.watcher is not None:
                tracked.watcher.child_changed()
        while True:
            ended = self.kernel.next_exit()
            if ended is None:
                break
            self._child_ended(ended)
            self.kernel.reap(ended.pid)
        if self._ends or self._empty_cgroups:
            self.check_families()

    def _some_expect_stop(self) -> bool:
        return any(isinstance(tracked.watcher, watchers.Stop) for tracked in self.processes.values())

    def _child_ended(self, ended: Exit) -> None:
        tracked = self.processes.get(ended.pid)
        if tracked is not None:
            self.process_ended(tracked, ended.code, ended.signal)
            return
        for other in self.processes.values():
            if isinstance(other.watcher, watchers.Check) and other.watcher.check_ended(ended.pid, ended.code):
                return

    def process_ended(self, tracked: Tracked, code: Optional[int], number: Optional[int]) -> None:
        """Tell the engine of a process that ended: both None where nobody can tell how."""
        if tracked.status >= 0:
            self._prepared(tracked)  # it may have failed, or executed and ended at once
            if tracked.pid not in self.processes:
                return
        self.logs.drain(tracked.key)
        watcher = tracked.watcher
        if watcher is not None and self._wants_to_run(tracked.key):
            successor = watcher.exited(code)
            if successor is not None:
                return
        self._drop(tracked)
        self.submit(ProcessExited(tracked.key, tracked.kind, tracked.pid, code, number))

    def _wants_to_run(self, key: InstanceKey) -> bool:
        instance = self.engine.instance(key)
        return (
            instance is not None and instance.goal == "start" and instance.state in ("spawned", "post-start", "running")
        )

    def moved(self, tracked: Tracked, pid: int) -> None:
        """The main process is another one from now on."""
        if pid == tracked.pid:
            return
        watcher, tracked.watcher = tracked.watcher, None
        self._drop(tracked)
        successor = self.track(tracked.key, tracked.kind, pid)
        successor.watcher = watcher
        if watcher is not None:
            watcher.follow(_Around(self, successor))
        if proc.stat(pid) is not None and not self.is_child(pid):
            self.adopt(successor)

    def is_child(self, pid: int) -> bool:
        stat = proc.stat(pid)
        return stat is not None and stat.parent == os.getpid()

    def adopt(self, tracked: Tracked) -> None:
        """Watch a process that is not our child through a pidfd."""
        try:
            tracked.adopted_fd = os.pidfd_open(tracked.pid)
        except (OSError, AttributeError):
            self.loop.call_later(1.0, lambda: self._look_at(tracked))  # Linux before 5.3
            return
        self.loop.watch(tracked.adopted_fd, READ, lambda _events: self._adopted_ended(tracked))

    def _look_at(self, tracked: Tracked) -> None:
        if self.processes.get(tracked.pid) is not tracked:
            return
        if proc.stat(tracked.pid) is None:
            self.process_ended(tracked, None, None)
        else:
            self.loop.call_later(1.0, lambda: self._look_at(tracked))

    def _adopted_ended(self, tracked: Tracked) -> None:
        from .recovery import exit_status

        code, number = exit_status(tracked.adopted_fd)
        self.loop.unwatch(tracked.adopted_fd)
        os.close(tracked.adopted_fd)
        tracked.adopted_fd = -1
        if self.processes.get(tracked.pid) is tracked and not self.is_child(tracked.pid):
            self.process_ended(tracked, code, number)

    # ---- what the control socket asks -------------------------------------------------------------------------

    def defined(self, job: Job) -> None:
        self.submit(Define(job))

    def gone(self, name: str) -> None:
        self.submit(Undefine(name))

    def vanishing(self, name: str) -> None:
        self.submit(Undefine(name, lazily=True))

    def reload(self) -> None:
        """Read the job folders again, now."""
        if self.folder is not None:
            self.folder.reload()

    def reexec(self) -> None:
        self.on_reexec()

    def shutdown(self) -> None:
        self.on_shutdown()

    def state_json(self) -> str:
        return report.state(self)

    def describe(self, names: Sequence[str]) -> str:
        return report.describe(self, names)

    def capabilities(self) -> str:
        return report.capabilities(self)

    def history(self, job: str) -> str:
        return report.history(self, job)

    def explain(self, job: str, instance: str) -> str:
        return report.explain(self, job, instance)


class _Around:
    """What a watcher sees of the host."""

    def __init__(self, host: Host, tracked: Tracked) -> None:
        self._host = host
        self._tracked = tracked
        self.loop = host.loop

    def members(self) -> list[proc.Stat]:
        return self._host.families.members(self._tracked.key)

    def moved(self, pid: int) -> None:
        host, tracked = self._host, self._tracked
        instance = host.engine.instance(tracked.key)
        host.moved(tracked, pid)
        if instance is not None and instance.ready:
            host.submit(Ready(tracked.key, pid))
        else:
            host.submit(Spawned(tracked.key, ProcessKind.MAIN, pid))

    def ready(self, pid: int) -> None:
        host, tracked = self._host, self._tracked
        host.moved(tracked, pid)
        host.submit(Ready(tracked.key, pid))

    def stopped(self, pid: int) -> bool:
        return self._host.kernel.has_stopped(pid)

    def warn(self, text: str) -> None:
        self._host.warn(f"{self._tracked.key[0]}: {text}")
