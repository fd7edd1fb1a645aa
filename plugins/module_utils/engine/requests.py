# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody asks for: to start, stop, restart or reload a job, to emit an event, to change the environment."""

from __future__ import annotations

from typing import Optional

from ..job.model import ProcessKind
from . import states
from .acting import Acting
from .environment import add, change, table
from .event import Told
from .instance import Instance, Waiter
from .messages import Emit, Env, Reload, Reply, Restart, SetJobEnv, Signal, Start, Stop
from .selection import Refused, check_env, expanded_name


class Requests(Acting):
    """Grant requests, or raise Refused. ``closed``: no new job starts."""

    def start(self, message: Start) -> None:
        job_class = self.selection.job_class(message.job)
        check_env(message.env)
        if self.closed:
            raise Refused("ShuttingDown", f"No job starts any more, the supervisor is stopping: {message.job}")
        start_env: Optional[Env] = None
        if message.instance is not None:
            instance = self.selection.named(job_class, message.instance)
        else:
            env = self.catalogue.class_environment(job_class)
            add(env, message.env, {})
            start_env = tuple(env.values())
            name = expanded_name(job_class, env, usage=True)
            found = job_class.instances.get(name)
            instance = found if found is not None else self.selection.new_instance(job_class, name)
        if instance.goal == states.START:  # a goal of respawn becomes start, as in Upstart
            raise Refused("AlreadyStarted", f"Job is already running: {instance.title}")
        instance.start_env = start_env
        self._command(instance, "start", message.request, message.wait, (states.START,))

    def stop(self, message: Stop) -> None:
        instance = self.selection.selected(message)
        if instance.goal == states.STOP:
            raise Refused("AlreadyStopped", f"Job has already been stopped: {instance.title}")
        instance.stop_env = message.env if message.instance is None else None
        self._command(instance, "stop", message.request, message.wait, (states.STOP,))

    def restart(self, message: Restart) -> None:
        instance = self.selection.selected(message)
        if instance.goal == states.STOP:
            # Upstart names only the instance here where the instance was selected by variables.
            title = instance.title if message.instance is not None else instance.name
            raise Refused("AlreadyStopped", f"Job has already been stopped: {title}")
        start_env: Optional[Env] = None
        if message.instance is None:
            env = self.catalogue.class_environment(instance.job_class)
            add(env, message.env, {})
            start_env = tuple(env.values())
        instance.start_env = start_env
        instance.stop_env = None
        if self.turn.has_timer(instance, "respawn"):
            self._command(instance, "restart", message.request, message.wait, ())
            self.turn.cancel_timer(instance, "respawn")
            self.lifecycle.advance(instance)
        else:
            self._command(instance, "restart", message.request, message.wait, (states.STOP, states.START))

    def _command(
        self, instance: Instance, operation: str, request: Optional[int], wait: bool, goals: tuple[str, ...]
    ) -> None:
        """Release who waited for something else, and change the goal; the reply comes now or when it is reached."""
        lifecycle = self.lifecycle
        self.turn.touch(instance)
        lifecycle.finished(instance)
        waiter = Waiter(operation, request) if request is not None else None
        if waiter is not None and wait:
            instance.blocking += (waiter,)
        for goal in goals:
            lifecycle.change_goal(instance, goal)
            if goal == states.STOP and len(goals) > 1 and not instance.job.restart_in_place:
                instance.replace = instance.state in (states.PRE_STOP, states.POST_START)
        if waiter is not None and not wait:
            lifecycle.answer(instance, waiter)

    def reload(self, message: Reload) -> None:
        instance = self.selection.named(self.selection.job_class(message.job), message.instance)
        if ProcessKind.MAIN not in instance.processes:
            raise Refused("NotRunning", f"Job is not running: {instance.title}")
        self.turn.effects.append(Signal(instance.key, ProcessKind.MAIN, instance.job.reload_signal, alone=True))
        self._reply(message.request)

    def emit(self, message: Emit) -> None:
        if not message.name:
            raise Refused("InvalidArgs", "Name may not be empty string")
        check_env(message.env)
        event = self.events.new(message.name, message.env)
        event.file = message.file
        if message.tell:
            event.told = Told(event)
        if message.request is not None and message.wait:
            event.waiting.append(message.request)
        elif message.request is not None and event.told is not None:
            self.events.asked.append((message.request, event.told))
        else:
            self._reply(message.request)

    def set_job_env(self, message: SetJobEnv) -> None:
        instance: Optional[Instance] = None
        if message.key is not None:
            job, name = message.key
            instance = self.selection.job_class(job).instances.get(name)
            if instance is None:
                raise Refused("UnknownJobInstance", f"Unknown instance: {name} of job {job}")
        if not all(entry.partition("=")[0] for entry in message.env):
            raise Refused("InvalidArgs", "Variable may not be empty string")
        if message.reset:
            if instance is None:
                self.catalogue.reset_environment()
            else:
                instance.env = tuple(self.catalogue.class_environment(instance.job_class).values())
                self.turn.touch(instance)
        else:
            targets = [instance] if instance is not None else self.catalogue.instances()
            if instance is None:
                change(self.catalogue.environment, message.env, message.replace, message.unset)
            for each in targets:
                env = table(each.env)
                change(env, message.env, message.replace, message.unset)
                each.env = tuple(env.values())
                self.turn.touch(each)
        if instance is None:
            self.records.environment_changed()
        self._reply(message.request)

    def _reply(self, request: Optional[int]) -> None:
        if request is not None:
            self.turn.effects.append(Reply(request))
