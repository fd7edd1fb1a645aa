# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to an instance: its goal changes, it enters states, its processes start and end.

``states`` says which state follows; here is what entering one does. Entering a state may decide the next one at
once (there is no such process to run), so a change runs on in a loop until something has to be waited for: an
event of the instance that others hold, an answer to a Spawn, the end of a process, a timer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Optional

from ..job.model import ProcessKind
from . import environment, states
from .condition import Tree
from .ending import end_family, kill_main
from .event import Event, EventQueue
from .instance import Instance, Waiter
from .job_events import UNKNOWN, job_event
from .messages import Announce, Env, Forget, Refuse, Reply, Signal, Spawn, Warn
from .respawn import RespawnHistory, next_delay, too_fast
from .signals import statuses
from .turn import Turn

_SCRIPTS = {
    states.PRE_START: ProcessKind.PRE_START,
    states.POST_START: ProcessKind.POST_START,
    states.PRE_STOP: ProcessKind.PRE_STOP,
}


class Lifecycle:
    """Acts on instances; what it decides goes to ``turn``."""

    def __init__(
        self, events: EventQueue, extra_environment: Env, gone: Callable[[Instance], list[Announce]], turn: Turn
    ) -> None:
        self.events = events
        self.respawning = True  # False while everything is being stopped
        self.patience: Optional[float] = None  # seconds that a script may take, while everything is being stopped
        self._turn = turn
        self._extra = extra_environment
        self._gone = gone  # told of an instance that has ended; returns what is to be announced
        self._enter: dict[str, Callable[[Instance, str], bool]] = {
            states.STARTING: self._enter_starting,
            states.SECURITY: self._enter_security,
            states.PRE_START: self._enter_script,
            states.SPAWNED: self._enter_spawned,
            states.POST_START: self._enter_script,
            states.RUNNING: self._enter_running,
            states.PRE_STOP: self._enter_script,
            states.STOPPING: self._enter_stopping,
            states.KILLED: self._enter_killed,
            states.POST_STOP: self._enter_post_stop,
            states.WAITING: self._enter_waiting,
        }

    # ---- goal and state -----------------------------------------------------------------------------------

    def change_goal(self, instance: Instance, goal: str) -> None:
        """Change the goal; what is under way ends first, but an instance at rest moves at once."""
        if instance.goal == goal:
            return
        instance.goal = goal
        self._turn.touch(instance)
        self._turn.announce("GoalChanged", instance, goal)
        state = instance.state
        if goal == states.START:
            if state == states.WAITING:
                self.advance(instance)
        elif goal == states.STOP:
            instance.replace = False
            self._turn.cancel_timer(instance, "start")
            if state == states.RUNNING or (state == states.SPAWNED and ProcessKind.MAIN in instance.processes):
                self.advance(instance)
            elif state == states.POST_STOP and self._turn.has_timer(instance, "respawn"):
                self._turn.cancel_timer(instance, "respawn")
                self.advance(instance)

    def advance(self, instance: Instance) -> None:
        """Go to the next state, and on from there as far as nothing has to be waited for."""
        self.change_state(instance, self._next(instance))

    def _next(self, instance: Instance) -> str:
        job = instance.job
        lives = ProcessKind.MAIN in instance.processes
        # Upstart goes on to running without a process where a start comes after main died beside a script.
        replace = instance.replace or (not lives and job.exec_main is not None)
        facts = states.Facts(lives, job.apparmor_load is not None, replace)
        state = states.next_state(instance.state, instance.goal, facts)
        if instance.goal == states.RESPAWN:
            self.change_goal(instance, states.START)
        return state

    def change_state(self, instance: Instance, state: str) -> None:
        """Enter ``state``, and the following ones until something has to be waited for."""
        while instance.blocker is None and instance.state != state:
            old = instance.state
            instance.state = state
            self._turn.touch(instance)
            self._turn.announce("StateChanged", instance, state)
            if old == states.SPAWNED and not (state == states.STOPPING and instance.goal == states.START):
                self._turn.cancel_timer(instance, "start")  # a respawn has what is left of it
            if not self._enter[state](instance, old):
                return
            state = self._next(instance)

    # ---- entering states: each returns whether to go on to the next one at once -----------------------------

    def _enter_starting(self, instance: Instance, old: str) -> bool:
        if instance.start_env is not None:
            instance.env = instance.start_env
            instance.start_env = None
        instance.stop_env = None
        instance.failed = False
        instance.failed_process = ""
        instance.exit_status = 0
        instance.ready = instance.replace = False
        instance.wait = instance.running_since = 0.0
        ready_on = instance.job.ready_on
        instance.ready_on = Tree(ready_on, self.events, holds=False) if ready_on is not None else None
        self._emit_and_wait(instance)
        return False

    def _enter_security(self, instance: Instance, old: str) -> bool:
        self._spawn(instance, ProcessKind.SECURITY)
        return False

    def _enter_script(self, instance: Instance, old: str) -> bool:
        kind = _SCRIPTS[instance.state]
        if instance.job.process(kind) is None:
            return True
        self._spawn(instance, kind)
        return False

    def _enter_spawned(self, instance: Instance, old: str) -> bool:
        if instance.job.exec_main is not None:
            self._spawn(instance, ProcessKind.MAIN)
            return False
        if instance.waits_for_nothing:
            return True
        self._set_start_timer(instance)
        return False

    def _enter_running(self, instance: Instance, old: str) -> bool:
        instance.ready_on = None
        if old == states.PRE_STOP:
            instance.stop_env = None
            self.finished(instance)
        else:
            instance.running_since = self._turn.now
            self._emit(instance)
            if not instance.job.task:
                self.finished(instance)
        return False

    def _enter_stopping(self, instance: Instance, old: str) -> bool:
        instance.ready_on = None
        self._emit_and_wait(instance)
        return False

    def _enter_killed(self, instance: Instance, old: str) -> bool:
        if ProcessKind.MAIN in instance.processes:
            instance.kill_step = 0
            kill_main(self._turn, instance)
            return False
        if instance.job.exec_main is None:
            return True  # its post-stop is to end what its pre-start left running
        return not end_family(self._turn, instance)

    def _enter_post_stop(self, instance: Instance, old: str) -> bool:
        if instance.job.post_stop is not None:
            self._spawn(instance, ProcessKind.POST_STOP)
            return False
        return self._after_post_stop(instance)

    def _enter_waiting(self, instance: Instance, old: str) -> bool:
        self._emit(instance)
        self.finished(instance)
        for name in tuple(instance.timers or ()):
            self._turn.cancel_timer(instance, name)
        if instance.stop_on is not None:
            instance.stop_on.reset()
        self._turn.effects += self._gone(instance)
        self._turn.effects.append(Forget(instance.key))
        self._turn.changed[instance.key] = None
        return False

    # ---- the answers ----------------------------------------------------------------------------------------

    def spawned(self, instance: Instance, kind: ProcessKind, pid: int) -> None:
        """A process that was asked for is there."""
        self._answered(instance, kind)
        instance.alone = False
        if not (kind is ProcessKind.MAIN and instance.ready):
            instance.processes[kind] = pid
        if kind is ProcessKind.MAIN and instance.state == states.SPAWNED:
            if instance.goal == states.STOP or instance.waits_for_nothing:
                self.advance(instance)
            else:
                self._set_start_timer(instance)

    def spawn_failed(self, instance: Instance, kind: ProcessKind) -> None:
        """A process that was asked for could not be started: never respawned, ignored for post-start and pre-stop."""
        self._answered(instance, kind)
        instance.processes.pop(kind, None)
        if kind in (ProcessKind.POST_START, ProcessKind.PRE_STOP):
            if _SCRIPTS.get(instance.state) is kind:
                self.advance(instance)
            return
        self.failed(instance, kind.value, UNKNOWN)
        self.change_goal(instance, states.STOP)
        if kind is ProcessKind.POST_STOP:
            self._post_stop_ended(instance)
        else:
            self.advance(instance)

    def skipped(self, instance: Instance, kind: ProcessKind) -> None:
        """There is nothing to do for that process (no AppArmor here)."""
        self._answered(instance, kind)
        self.advance(instance)

    def became_ready(self, instance: Instance, pid: int) -> None:
        """What ``expect`` waits for has happened, ``pid`` is the main process."""
        self._turn.touch(instance)
        instance.ready = True
        instance.processes[ProcessKind.MAIN] = pid
        self.check_ready(instance)

    def check_ready(self, instance: Instance) -> None:
        """Go on from spawned where nothing is waited for any more."""
        if instance.state == states.SPAWNED and not instance.spawning and instance.waits_for_nothing:
            self.advance(instance)

    def exited(self, instance: Instance, kind: ProcessKind, status: int, alone: bool = False) -> None:
        """A process of the instance has ended; ``status``: exit status, signal << 8, or UNKNOWN."""
        self._turn.touch(instance)
        instance.alone = alone
        instance.processes.pop(kind, None)
        if kind is ProcessKind.MAIN:
            self._main_exited(instance, status)
            return
        self._turn.cancel_timer(instance, "script")
        if kind is ProcessKind.POST_STOP:
            if status:
                self.failed(instance, kind.value, status)
                self.change_goal(instance, states.STOP)
            self._post_stop_ended(instance)
        elif kind is ProcessKind.SECURITY:
            if instance.state == states.SECURITY:
                self.advance(instance)
        elif _SCRIPTS.get(instance.state) is kind:
            if status and kind is ProcessKind.PRE_START:
                self.failed(instance, kind.value, status)
                self.change_goal(instance, states.STOP)
            self.advance(instance)

    def _main_exited(self, instance: Instance, status: int) -> None:
        state = instance.state
        if state == states.KILLED:
            # Dying when we kill it is no failure, and the goal stays: it may be a restart.
            killed_hard = instance.kill_step > 0
            grace = self._turn.time_left(instance, "kill")  # what main leaves behind has what is left of its time
            self._turn.cancel_timer(instance, "kill")
            left = (
                end_family(self._turn, instance, "KILL")
                if killed_hard
                else end_family(self._turn, instance, None, grace)
            )
            if not left:
                self.advance(instance)
            return
        if state == states.STOPPING:
            return  # the event has to finish first; and stopping and stopped are to tell the same
        script = _SCRIPTS.get(state)
        waits = script is not None and instance.busy(script)
        if self._respawns(instance, status):
            if waits:
                self.change_goal(instance, states.RESPAWN)
            elif state == states.SPAWNED:
                self.change_state(instance, states.STOPPING)  # there too Upstart goes on without a process
            else:
                self.advance(instance)
            return
        self.change_goal(instance, states.STOP)
        if state != states.RUNNING and not waits and instance.state == state:
            self.advance(instance)

    def _respawns(self, instance: Instance, status: int) -> bool:
        """Judge the end of a main process: mark it failed, or tell that it is to be started again."""
        job = instance.job
        if instance.goal != states.START or not (status or (job.respawn and not job.task)):
            return False
        if status in statuses(job.normal_exit):
            return False
        if not job.respawn or not self.respawning or status in statuses(job.permanent_failure):
            self.failed(instance, ProcessKind.MAIN.value, status)
            return False
        history = instance.respawn
        if history is None:
            history = instance.respawn = RespawnHistory()
        if too_fast(job, history, self._turn.now):
            self._turn.effects.append(Warn("respawning too fast, stopped", instance.key))
            self.failed(instance, "respawn", 0)
            return False
        ran = self._turn.now - instance.running_since if instance.running_since else 0.0  # 0: it was never ready
        instance.wait = next_delay(job, history, ran)
        return True

    def _post_stop_ended(self, instance: Instance) -> None:
        if instance.state == states.POST_STOP and self._after_post_stop(instance):
            self.advance(instance)

    def _after_post_stop(self, instance: Instance) -> bool:
        """End what post-stop left, and wait for the respawn delay; tell whether to go on at once."""
        left = instance.job.post_stop is not None or instance.job.exec_main is None
        if left and end_family(self._turn, instance, "KILL"):
            return False
        return self._may_start_again(instance)

    def _may_start_again(self, instance: Instance) -> bool:
        if instance.goal == states.START and instance.wait > 0:
            seconds, instance.wait = instance.wait, 0.0
            self._turn.set_timer(instance, "respawn", seconds)
            return False
        return True

    def family_ended(self, instance: Instance) -> None:
        """Nothing is left of what an EndFamily was for."""
        if not instance.ending_family:
            return
        instance.ending_family = False
        instance.alone = True
        self._turn.touch(instance)
        if instance.state == states.KILLED or (instance.state == states.POST_STOP and self._may_start_again(instance)):
            self.advance(instance)

    # ---- time has passed -------------------------------------------------------------------------------------

    def timer_fired(self, instance: Instance, name: str) -> None:
        """Do what the timer was set for, if it is still wanted."""
        if not self._turn.fired(instance, name):
            return
        if name == "kill":
            instance.kill_step += 1
            if not kill_main(self._turn, instance):
                self._give_up(instance)
        elif name == "script":
            scripts = [kind for kind in instance.processes if kind is not ProcessKind.MAIN]
            self._turn.effects += [Signal(instance.key, kind, "KILL") for kind in scripts]
        elif name == "respawn":
            if instance.state == states.POST_STOP:
                self.advance(instance)
        elif name == "start" and instance.goal == states.START:
            limit = instance.job.start_timeout
            self._turn.effects.append(Warn(f"not ready after {limit:g} seconds, stopped", instance.key))
            self._start_failed(instance)

    def not_ready(self, instance: Instance) -> None:
        """The start has failed: what is waited for cannot happen any more."""
        if instance.state == states.SPAWNED and not instance.ready:
            self._start_failed(instance)

    def _start_failed(self, instance: Instance) -> None:
        self.failed(instance, ProcessKind.MAIN.value, UNKNOWN)
        self.change_goal(instance, states.STOP)
        if instance.state == states.SPAWNED and not instance.spawning:
            self.advance(instance)

    def extend(self, instance: Instance, seconds: float) -> None:
        """Give the process ``seconds`` from now on for what it is doing, if less is left."""
        for name in ("start", "kill"):
            if self._turn.has_timer(instance, name) and self._turn.time_left(instance, name) < seconds:
                self._turn.set_timer(instance, name, seconds)

    def limit_script(self, instance: Instance) -> None:
        """Give the scripts of the instance an end, while everything is being stopped."""
        if self.patience is not None and {*instance.processes, *instance.spawning} - {ProcessKind.MAIN}:
            self._turn.set_timer(instance, "script", self.patience)

    # ---- failing and finishing ------------------------------------------------------------------------------

    def failed(self, instance: Instance, process: str, status: int) -> None:
        """Mark the instance as failed, for its events and for who waits; the first failure counts."""
        if instance.failed:
            return
        instance.failed = True
        instance.failed_process = process
        instance.exit_status = status
        self._turn.touch(instance)
        if instance.told is not None:
            instance.told.failures[instance.key] = None
        self._turn.effects.append(Announce("Failed", instance.key, (status,), process))
        self.finished(instance, failed=True)

    def finished(self, instance: Instance, failed: bool = False) -> None:
        """Release the events and answer the requests that wait for the instance."""
        if not instance.blocking:
            return
        blocking, instance.blocking = instance.blocking, ()
        self._turn.touch(instance)
        for waiter in blocking:
            if isinstance(waiter, Event):
                if failed:
                    waiter.failed = True
                    self.events.changed.add(waiter.number)
                self.events.release(waiter)
            elif failed:
                self._turn.effects.append(Refuse(waiter.request, "JobFailed", waiter.failure))
            else:
                self.answer(instance, waiter)

    def answer(self, instance: Instance, waiter: Waiter) -> None:
        """Reply to a request that has come to its end."""
        self._turn.effects.append(Reply(waiter.request, None if waiter.operation == "stop" else instance.key))

    # ---- small things ---------------------------------------------------------------------------------------

    def _set_start_timer(self, instance: Instance) -> None:
        if instance.job.start_timeout and not self._turn.has_timer(instance, "start"):
            self._turn.set_timer(instance, "start", instance.job.start_timeout)

    def _answered(self, instance: Instance, kind: ProcessKind) -> None:
        self._turn.touch(instance)
        instance.spawning = tuple(other for other in instance.spawning if other is not kind)

    def _spawn(self, instance: Instance, kind: ProcessKind) -> None:
        instance.spawning += (kind,)
        if kind is not ProcessKind.MAIN:
            self.limit_script(instance)
        self._turn.effects.append(self.spawn_effect(instance, kind))

    def spawn_effect(self, instance: Instance, kind: ProcessKind) -> Spawn:
        """Return what to start, with its whole environment."""
        stops = kind in (ProcessKind.PRE_STOP, ProcessKind.POST_STOP)
        stop_env = (instance.stop_env or ()) if stops else ()
        env = environment.of_process(instance.env, stop_env, instance.key, self._extra)
        return Spawn(instance.key, kind, instance.job, env, () if stops else _files(instance))

    def _give_up(self, instance: Instance) -> None:
        """Not even SIGKILL has ended main (it hangs in the kernel, or is not ours to kill): a stop still has an end."""
        pid = instance.processes.pop(ProcessKind.MAIN, 0)
        self._turn.effects.append(Warn(f"process {pid} cannot be ended and is left behind", instance.key))
        self.failed(instance, ProcessKind.MAIN.value, UNKNOWN)
        if not end_family(self._turn, instance, "KILL"):
            self.advance(instance)

    def _emit_and_wait(self, instance: Instance) -> None:
        event = self._emit(instance)
        event.waiting.append(instance.key)
        instance.blocker = event

    def _emit(self, instance: Instance) -> Event:
        """Queue the event that goes with the state just entered."""
        return self.events.new(*job_event(instance), told=instance.told)


def _files(instance: Instance) -> tuple[int, ...]:
    """Return the descriptors of the events that wait for the instance to be up."""
    return tuple(each.file for each in instance.blocking if isinstance(each, Event) and each.file is not None)
