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


def test_timers_that_are_set_anew_again_and_again_take_no_memory(loop):
    """Each WATCHDOG=1 of a job sets its timer anew; the old ones stayed until they would have been due."""
    kept = [loop.call_later(1000.0, lambda: None) for _unused in range(300)]
    for _unused in range(10000):
        loop.call_later(3600.0, lambda: None).cancel()
    assert len(loop._timers) <= 2 * len(kept) + 1
    assert all(handle.callback is not None for handle in kept)


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


@pytest.fixture
def usr1():
    before = signal.getsignal(signal.SIGUSR1)
    yield signal.SIGUSR1
    signal.signal(signal.SIGUSR1, before)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGUSR1, signal.SIGUSR2))


def test_a_signal_calls_back_from_the_loop_and_says_who_sent_it(loop, usr1):
    seen = []
    loop.on_signal(usr1, seen.append)
    os.kill(os.getpid(), usr1)
    assert seen == []
    loop.turn(5.0)
    assert seen == [os.getpid()]


def test_a_signal_that_was_ignored_before_arrives_too(loop, usr1):
    seen = []
    signal.signal(usr1, signal.SIG_IGN)
    loop.on_signal(usr1, seen.append)
    loop.on_signal(signal.SIGUSR2, seen.append)
    os.kill(os.getpid(), usr1)
    loop.turn(5.0)
    assert seen == [os.getpid()]


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


def test_what_was_ready_before_a_descriptor_was_closed_is_not_told_of_its_successor(loop):
    """The number of a closed descriptor comes again at once, and what it stands for may not be ready at all."""
    seen = []
    pipes = [os.pipe() for _unused in range(3)]
    (one, other), quiet = (pipes[0][0], pipes[1][0]), pipes[2][0]

    def replace(fd, number):
        """Put the quiet pipe in the place of ``number``."""
        seen.append(fd)
        os.read(fd, 1)
        loop.unwatch(number)
        os.dup2(quiet, number)
        loop.watch(number, READ, lambda _events: seen.append("successor"))

    loop.watch(one, READ, lambda _events: replace(one, other))
    loop.watch(other, READ, lambda _events: replace(other, one))
    for _reader, writer in pipes[:2]:
        os.write(writer, b"x")
    loop.turn()
    assert seen in ([one], [other])
    for number in (one, other):
        loop.unwatch(number)
    for fd in (fd for pipe in pipes for fd in pipe):
        os.close(fd)
