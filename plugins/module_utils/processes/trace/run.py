# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program under observation and wait for the report."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import time
from typing import Any

from .ending import UNKILLABLE, kill_all
from .events import Event, Observation
from .look import children_of_ours
from .observer import Observer
from .report import Report, report
from .request import Request, TraceError

_PR_SET_CHILD_SUBREAPER, _PR_GET_CHILD_SUBREAPER = 36, 37
_libc = ctypes.CDLL(None, use_errno=True)


def trace(request: Request) -> Report:
    """Run what ``request`` says and return what it did; everything that it started has ended by then.

    Raises TraceError, and lets KeyboardInterrupt through once all has ended. Call it from the main thread of a process
    that waits for no other child meanwhile.
    """
    was = _subreaper()
    before = set(children_of_ours())
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # should the observer be killed, its orphans come to us
    try:
        return report(_observation(request))
    finally:
        _end_orphans(before)
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, int(was), 0, 0, 0)


def _observation(request: Request) -> Observation:
    caller = os.getpid()
    source, target = os.pipe()
    observer = os.fork()
    if observer == 0:
        _observe(request, caller, target)
    os.close(target)
    try:
        with os.fdopen(source, "rb") as answer:
            data = answer.read()
    except BaseException:
        os.kill(observer, signal.SIGTERM)
        raise
    finally:
        os.waitpid(observer, 0)
    if not data:
        raise TraceError("the observing process was killed")
    told = json.loads(data)
    if "error" in told:
        raise TraceError(told["error"])
    return _decoded(told)


def _observe(request: Request, caller: int, target: int) -> None:
    """The observing process: it never returns."""
    answer: dict[str, Any] = {"error": "the observing process failed"}
    try:
        try:
            answer = Observer(request, caller).run()._asdict()
        except TraceError as error:
            answer = {"error": str(error)}
        except Exception as error:
            answer = {"error": f"the observing process failed: {error!r}"}
        data = json.dumps(answer).encode("utf-8", "replace")
        while data:
            data = data[os.write(target, data) :]
    finally:
        os._exit(0)


def _decoded(told: dict[str, Any]) -> Observation:
    told["events"] = tuple(Event(*event) for event in told["events"])
    for field in ("pidfiles", "listening"):
        told[field] = tuple(tuple(each) for each in told[field])
    told["notes"] = tuple(told["notes"])
    return Observation(**told)


def _subreaper() -> bool:
    value = ctypes.c_int(0)
    _libc.prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(value), 0, 0, 0)
    return bool(value.value)


def _end_orphans(before: set[int]) -> None:
    """End what the observer has left, which is nothing unless it was killed; repeated until nobody comes any more."""
    last = time.monotonic() + UNKILLABLE
    while time.monotonic() < last:
        left = [pid for pid in children_of_ours() if pid not in before]
        if not left:
            return
        kill_all(left)
        for pid in left:
            os.waitpid(pid, 0)
