# SPDX-License-Identifier: GPL-3.0-or-later
"""How events reach the jobs that listen, and what they start and stop; what happens when an event has finished."""

from __future__ import annotations

from typing import Optional

from . import states
from .acting import Acting
from .environment import Table, add_events, add_files
from .event import HANDLING, PENDING, Event, Told
from .instance import Instance, JobClass, waiting_in_a_circle
from .messages import Announce, CloseFile, InstanceKey, Refuse, Reply, Warn
from .selection import Refused, expanded_name


class Delivery(Acting):
    """Take events as far as they can go. ``closed``: they are offered to nobody any more."""

    def go_on(self) -> None:
        """Let everything go as far as it can."""
        self._visit_events()
        if self.closed and not self._something_ends():
            self._untie()
        for request, told in self.events.take_asked():
            finished = told.event.number not in self.events.events
            self.turn.effects.append(Reply(request, told.consequences(finished)))

    def _something_ends(self) -> bool:
        """Tell whether something is under way that will let others go on when it has ended: no circle holds it all."""
        return any(
            instance.blocker is None and (instance.processes or instance.spawning or instance.ending_family)
            for job_class in self.catalogue.jobs.values()
            if job_class.instances
            for instance in job_class.instances.values()
        )

    def _untie(self) -> None:
        """While everything is being stopped, let no instances wait for each other in a circle: release one of them."""
        while True:
            tied = waiting_in_a_circle(self.catalogue.instances())
            if not tied:
                return
            self._warn("is waited for by what it waits for, no longer held", tied[0].key)
            self.lifecycle.finished(tied[0])
            self._visit_events()

    def _visit_events(self) -> None:
        for event in self.events.visit():
            if event.progress == PENDING:
                event.progress = HANDLING
                self.events.changed.add(event.number)
                if not self.closed:
                    self._offer(event)
            if event.holders == 0:
                self._finish(event)

    def _offer(self, event: Event) -> None:
        """Offer an event to all that listen: to each job's running instances first, then to its start on."""
        for job_class in self.catalogue.listening(event):
            for instance in list(job_class.instances.values()) if job_class.instances else ():
                self._offer_to_instance(instance, event)
            start_on = job_class.start_on
            if start_on is not None and start_on.handle(event):
                self.records.condition_changed(job_class.name)
                if start_on.true:
                    self._started_by_events(job_class, event.told)
                    start_on.reset()

    def _offer_to_instance(self, instance: Instance, event: Event) -> None:
        lifecycle = self.lifecycle
        if instance.ready_on is not None and instance.ready_on.handle(event, instance.env):
            self.turn.touch(instance)
            lifecycle.check_ready(instance)
        stop_on = instance.stop_on
        if stop_on is None or event is instance.blocker:
            return  # it would wait for itself
        if not stop_on.handle(event, instance.env):
            return
        self.turn.touch(instance)
        if not stop_on.true:
            return
        if instance.goal != states.STOP:
            causes = stop_on.events()
            env: Table = {}
            add_events(env, causes, "UPSTART_STOP_EVENTS")
            instance.stop_env = tuple(env.values())
            lifecycle.finished(instance)
            self._block(instance, causes)
            instance.told = event.told
            if event.told is not None:
                event.told.stopped[instance.key] = None
            lifecycle.change_goal(instance, states.STOP)
        stop_on.reset()

    def _started_by_events(self, job_class: JobClass, told: Optional[Told]) -> None:
        if job_class.start_on is None:
            return
        causes = job_class.start_on.events()
        env = self.catalogue.class_environment(job_class)
        add_events(env, causes, "UPSTART_EVENTS")
        add_files(env, causes)
        try:
            name = expanded_name(job_class, env)
        except Refused as refusal:
            self._warn(f"{job_class.name} is not started by an event: {refusal.message}", (job_class.name, ""))
            return
        instance = job_class.instances.get(name)
        if instance is None:
            instance = self.selection.new_instance(job_class, name)
        if instance.goal == states.START:
            return
        instance.start_env = tuple(env.values())
        self.lifecycle.finished(instance)
        self._block(instance, causes)
        instance.told = told
        if told is not None:
            told.started[instance.key] = None
        self.lifecycle.change_goal(instance, states.START)

    def _block(self, instance: Instance, causes: list[Event]) -> None:
        for event in causes:
            if event is not instance.blocker:  # it would wait for itself
                self.events.hold(event)
                instance.blocking += (event,)

    def _finish(self, event: Event) -> None:
        """Let those go on who waited for the event, then tell that it happened."""
        self.events.finish(event)
        if event.file is not None:
            self.turn.effects.append(CloseFile(event.file))
        for waiting in event.waiting:
            if isinstance(waiting, int):
                if event.told is not None and event.told.event is event:
                    self.events.asked.append((waiting, event.told))
                elif event.failed:
                    self.turn.effects.append(Refuse(waiting, "EventFailed", "Event failed"))
                else:
                    self.turn.effects.append(Reply(waiting))
            elif isinstance(waiting, tuple):
                instance = self.catalogue.instance(waiting)
                if instance is not None and instance.blocker is event:
                    instance.blocker = None
                    self.lifecycle.advance(instance)
        if event.failed and not event.name.endswith("/failed"):
            self.events.new(f"{event.name}/failed", event.env, event.told)
        self.turn.effects.append(Announce("EventEmitted", None, (event.name, event.env)))

    def _warn(self, text: str, key: InstanceKey) -> None:
        self.turn.effects.append(Warn(text, key))
