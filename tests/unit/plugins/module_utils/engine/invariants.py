# SPDX-License-Identifier: GPL-3.0-or-later
"""What always holds between two inputs, whatever the jobs are and whatever happens to them."""

from __future__ import annotations

from ansible_collections.foster.init.plugins.module_utils.engine.event import HANDLING
from ansible_collections.foster.init.plugins.module_utils.engine.instance import Instance
from ansible_collections.foster.init.plugins.module_utils.engine.messages import InstanceKey, Spawn
from ansible_collections.foster.init.plugins.module_utils.job.model import ProcessKind
from driver import MAIN, Driver


class Watch:
    """Follows a host. Tell it of every Spawn and of every pre-start that ended well, and let it ``check`` after each
    input; it raises AssertionError."""

    def __init__(self, host: Driver) -> None:
        self._host = host
        self._pre_started: set[InstanceKey] = set()
        self._owed_post_stop: set[InstanceKey] = set()

    def spawn(self, effect: Spawn) -> None:
        """Note that a process is asked for."""
        if effect.kind is MAIN:
            assert effect.job.pre_start is None or effect.key in self._pre_started, "main without pre-start"
            assert effect.key not in self._owed_post_stop or effect.job.post_stop is None, "a start without post-stop"
            self._owed_post_stop.add(effect.key)
            self._pre_started.discard(effect.key)
        elif effect.kind is ProcessKind.PRE_START:
            self._pre_started.discard(effect.key)
        elif effect.kind is ProcessKind.POST_STOP:
            self._owed_post_stop.discard(effect.key)

    def pre_started(self, key: InstanceKey) -> None:
        """Note that the pre-start of an instance is about to end well."""
        self._pre_started.add(key)

    def check(self) -> None:
        """Check what holds now."""
        self._check_waiting()
        known = {instance.key for instance in self._host.engine.catalogue.instances()}
        for key in [key for key in self._owed_post_stop if key not in known]:
            job_class = self._host.engine.jobs.get(key[0])
            assert job_class is None or job_class.job.post_stop is None, "a start without post-stop"
            self._owed_post_stop.discard(key)
        self._pre_started &= known

    def _check_waiting(self) -> None:
        holders: dict[int, int] = {}
        waiting: set[int] = set()
        events = self._host.engine.events.events
        for job_class in self._host.engine.jobs.values():
            trees = [job_class.start_on, *(instance.stop_on for instance in job_class.instances.values())]
            for tree in trees:
                for number in tree.taken() if tree is not None else ():
                    if number is not None:
                        holders[number] = holders.get(number, 0) + 1
        for instance in self._host.engine.catalogue.instances():
            self._check_instance(instance)
            for waiter in instance.blocking:
                if hasattr(waiter, "number"):
                    holders[waiter.number] = holders.get(waiter.number, 0) + 1
                else:
                    waiting.add(waiter.request)
        for event in events.values():
            assert event.progress == HANDLING
            assert event.holders > 0, "nobody holds it, so it should have finished"
            assert event.holders == holders.pop(event.number, 0), "counted wrongly"
            waiting |= {waiter for waiter in event.waiting if isinstance(waiter, int)}
        assert not holders, "an event finished while it was held"
        asked = set(self._host.asked)
        assert asked - set(self._host.replies) <= waiting, "a request that nobody will answer"

    def _check_instance(self, instance: Instance) -> None:
        engine = self._host.engine
        assert engine.instance(instance.key) is instance, "an instance was lost"
        assert instance.state != "waiting"
        if instance.state == "running" and instance.job.exec_main is not None:
            assert MAIN in instance.processes, "running without a process"
        if instance.state in ("starting", "stopping"):
            assert instance.blocker is not None, "nothing would ever move it"
        assert instance.blocker is None or instance.blocker.number in engine.events.events
