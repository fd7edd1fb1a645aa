# SPDX-License-Identifier: GPL-3.0-or-later
"""The event loop: timers in order, cancelled ones never, signals from the loop."""

from __future__ import annotations

import os
import signal

import pytest
from ansible_collections.foster.init.plugins.module_utils.supervisor.loop import READ, Loop


@pytest.fixture
def clock():
    return [100.0]


@pytest.fixture
def loop(clock):
    made = Loop(lambda: clock[0])
    yield made
    made.close()


def test_timers_fire_in_the_order_of_their_times(loop, clock):
    fired = []
    loop.call_later(2.0, lambda: fired.append("late"))
    loop.call_later(1.0, lambda: fired.append("soon"))
    clock[0] += 3
    loop.turn()
    assert fired == ["soon", "late"]


def test_a_timer_does_not_fire_before_its_time(loop, clock):
    fired = []
    loop.call_later(2.0, lambda: fired.append("late"))
    clock[0] += 1.9
    loop.turn()
    assert fired == []


def test_a_cancelled_timer_never_fires(loop, clock):
    fired = []
    handle = loop.call_later(1.0, lambda: fired.append("no"))
    handle.cancel()
    handle.cancel()
    clock[0] += 2
    loop.turn()
    assert fired == []


def test_a_timer_may_cancel_one_that_is_due_in_the_same_turn(loop, clock):
    fired = []
    handles = []
    loop.call_later(1.0, lambda: handles[0].cancel())  # noqa: PLW0108  # pylint: disable=unnecessary-lambda
    handles.append(loop.call_later(1.0, lambda: fired.append("no")))
    clock[0] += 2
    loop.turn()
    assert fired == []


def test_a_readable_descriptor_is_reported_until_it_is_unwatched(loop):
    reader, writer = os.pipe()
    seen = []
    loop.watch(reader, READ, seen.append)
    os.write(writer, b"x")
    loop.turn()
    loop.unwatch(reader)
    loop.turn()
    os.close(reader)
    os.close(writer)
    assert len(seen) == 1


def test_unwatching_a_descriptor_that_nobody_watches_is_no_error(loop):
    loop.unwatch(99)


def test_a_signal_calls_back_from_the_loop(loop):
    before = signal.getsignal(signal.SIGUSR1)
    seen = []
    loop.on_signal(signal.SIGUSR1, lambda: seen.append("usr1"))
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert seen == []
        loop.turn(5.0)
        assert seen == ["usr1"]
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_timer_in_years_lets_the_loop_wait_for_other_things(loop):
    """`kill timeout 2147483647`, which is what a unit without a stop timeout asks for, used to end the supervisor."""
    reader, writer = os.pipe()
    seen = []
    loop.call_later(2.0**31, lambda: None)
    loop.watch(reader, READ, seen.append)
    os.write(writer, b"x")
    loop.turn(None)
    loop.close()
    os.close(reader)
    os.close(writer)
    assert seen == [READ]
