# SPDX-License-Identifier: GPL-3.0-or-later
"""Random process trees, and what has to hold for each of them under every ``expect``, right or wrong.

A tree is a list of words for ``tree.py``, a daemon that does as it is told. What is left of a job is told from outside:
each process of a tree holds a file open that is the tree's own, whatever else it has thrown away.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Optional

from module_utils.dbus import upstart
from module_utils.dbus.client import Connection
from module_utils.dbus.errors import BusError

LONGEST = 60.0  # seconds; a start may take its timeout and a stop, which is 2, on an idle machine
_FD = 200  # where each process of a tree holds its token
EXPECTS = (
    "none", "fork", "daemon", "stop", "fork 3", "exit 2", "auto", "notify", "listen", "dbus org.example.Nobody",
    "pidfile {token}.pid", "newline 5", "check test -e {token}.pid", "check exec sleep 1000",
)  # fmt: skip


class Tree(NamedTuple):
    """``words``: what the first process does. ``expect``: what the job says about it."""

    words: tuple[str, ...]
    expect: str
    extra: str


def trees(seed: int) -> Iterator[Tree]:
    """Yield trees for ever, the same for each seed; every ``expect`` comes equally often."""
    chance = random.Random(seed)
    while True:
        for expect in chance.sample(EXPECTS, len(EXPECTS)):
            yield Tree(tuple(_words(chance)), expect, chance.choice(("", "respawn\nrespawn limit 3 5\n")))


def _words(chance: random.Random) -> Iterator[str]:
    for _fork in range(chance.randint(0, 6)):
        yield from _between(chance)
        yield chance.choice(("fork", "fork", "fork", "wait", "stay", "bear", "die", "sibling"))
    yield from _between(chance)
    yield chance.choice(("live", "live", "live", "live", "exit=0", "exit=3", "kill", "freeze", "hop", "leap"))


def _between(chance: random.Random) -> Iterator[str]:
    for word in ("setsid", "exec", "clear", "threads", "pause", "ignore", "pidfile", "notify", "newline", "listen"):
        if chance.random() < 0.13:
            yield word
    for word in ("freeze", "leader", "reaper", "group", "drop"):
        if chance.random() < 0.05:
            yield word


def left(token: str) -> list[int]:
    """Return the living processes that hold ``token`` open: told from outside, through /proc."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and _holds(name, token):
            found.append(int(name))
    return found


def _holds(pid: str, token: str) -> bool:
    """Tell whether a thread of it does: the first one may have ended, and its descriptors with it."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return False
    for thread in threads:
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{pid}/task/{thread}/fd/{_FD}") == token:
                return True
    return False


class Stuck(AssertionError):
    """A promise was broken; the text says which, and by which tree."""


class Trial:
    """Puts trees under one supervisor. ``open_connection``: returns a new connection; each thread has one."""

    def __init__(self, folder: str, program: str, open_connection: Callable[[], Connection]) -> None:
        self.folder = folder
        self._program = program
        self._open = open_connection
        self._local = threading.local()
        self.longest = {"Start": (0.0, ""), "Stop": (0.0, "")}  # seconds until each was answered, and what it was

    def run(self, chosen: list[Tree], threads: int = 12) -> list[str]:
        """Try each tree, many at a time; return a sentence for each promise that was broken."""
        with ThreadPoolExecutor(threads) as pool:
            return [problem for problem in pool.map(self._try, range(len(chosen)), chosen) if problem]

    def _try(self, number: int, tree: Tree) -> Optional[str]:
        try:
            self.check(f"t{number}", tree)
        except Stuck as problem:
            return str(problem)
        return None

    def check(self, name: str, tree: Tree) -> None:
        """Start and stop one tree twice; raise Stuck."""
        token = f"{self.folder}/tokens/{name}"
        expect = tree.expect.format(token=token)
        text = (
            f"expect {expect}\nstart timeout 1\nkill timeout 1\n{tree.extra}\n"
            f"exec {self._program} {token} {' '.join(tree.words)}\n"
        )
        path = f"{self.folder}/jobs/{name}.conf"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        try:
            self._call(upstart.MANAGER_PATH, upstart.FOSTER_INTERFACE, "ReadChanges", "", text)
            for _round in range(2):
                self._start_and_stop(name, token, text)
        finally:
            os.unlink(path)
            for each in (token, f"{token}.pid"):
                if os.path.exists(each):
                    os.unlink(each)

    def _start_and_stop(self, name: str, token: str, text: str) -> None:
        job = upstart.job_path(name)
        self._call(job, upstart.JOB_INTERFACE, "Start", "asb", text, [], True)
        self._call(job, upstart.JOB_INTERFACE, "Stop", "asb", text, [], True)
        deadline = time.monotonic() + LONGEST
        while self._call(job, upstart.JOB_INTERFACE, "GetAllInstances", "", text)[0]:
            if time.monotonic() > deadline:
                raise Stuck(f"it is still there after its stop\n{text}")
            time.sleep(0.02)
        rest = left(token)
        if rest:
            for pid in rest:
                os.kill(pid, 9)
            raise Stuck(f"processes {rest} are left behind\n{text}")

    def _call(self, path: str, interface: str, member: str, signature: str, text: str, *values: Any) -> Any:
        """Call a method; that a start or stop fails is right for many trees, that it is not answered never is."""
        if not hasattr(self._local, "connection"):
            self._local.connection = self._open()
        began = time.monotonic()
        try:
            return self._local.connection.call(path, interface, member, signature, *values, timeout=LONGEST)
        except BusError as error:
            if error.short in ("Timeout", "NoReply", "UnknownMethod", "UnknownJob"):
                raise Stuck(f"{member} was not answered: {error}\n{text}") from None
            return ([],)
        finally:
            if member in self.longest:
                self.longest[member] = max(self.longest[member], (time.monotonic() - began, text))
