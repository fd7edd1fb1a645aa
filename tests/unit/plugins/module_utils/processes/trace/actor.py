# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that does what its arguments say, one after the other, to be observed.

fork: go on in a child, and leave. tool: a child that ends. worker: a child that stays. setsid, thread, stop, ready.
exec: become the same program again. kill: a child ended by a signal that was sent to it. pause: stop a child, then let
it end. pidfile PATH, listen, exit STATUS, die, stay, forever: fork without an end.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from typing import NoReturn

kept: list[object] = []


def stay() -> NoReturn:
    while True:
        time.sleep(1000)


def child(action: object) -> int:
    pid = os.fork()
    if pid == 0:
        action()  # type: ignore[operator]
        os._exit(0)
    return pid


def kill() -> None:
    source, target = os.pipe()

    def wait() -> None:
        # A handler of Python's runs once a call has returned: a sleep that begins just after the signal would not.
        told, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGUSR1, lambda *_: os._exit(42))
        os.write(target, b"x")
        os.read(told, 1)
        stay()

    pid = child(wait)
    os.read(source, 1)
    os.kill(pid, signal.SIGUSR1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 42


def pause() -> None:
    pid = child(stay)
    os.kill(pid, signal.SIGSTOP)
    assert os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])
    os.kill(pid, signal.SIGCONT)
    assert os.WIFCONTINUED(os.waitpid(pid, os.WCONTINUED)[1])
    os.kill(pid, signal.SIGTERM)
    assert os.waitpid(pid, 0)[1] == signal.SIGTERM


def main(words: list[str]) -> None:
    while words:
        word = words.pop(0)
        if word == "fork":
            if os.fork():
                os._exit(0)
        elif word == "tool":
            os.waitpid(child(lambda: None), 0)
        elif word == "worker":
            child(stay)
        elif word == "setsid":
            os.setsid()
        elif word == "thread":
            threading.Thread(target=stay, daemon=True).start()
        elif word == "threadexec":
            threading.Thread(target=lambda: os.execv(sys.executable, [sys.executable, "-IS", __file__, *words])).start()
            stay()
        elif word == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif word == "ready":
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
                notify.connect("\0" + os.environ["NOTIFY_SOCKET"][1:])
                notify.send(b"READY=1\nSTATUS=fine")
        elif word == "exec":
            os.execv(sys.executable, [sys.executable, "-IS", __file__, *words])
        elif word == "spawn":
            os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
        elif word == "kill":
            kill()
        elif word == "pause":
            pause()
        elif word == "pidfile":
            path = words.pop(0)
            with open(f"{path}.new", "w", encoding="ascii") as file:
                file.write(f"{os.getpid()}\n")
            os.rename(f"{path}.new", path)
        elif word == "listen":
            listener = socket.socket()
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            kept.append(listener)
        elif word == "forever":
            while True:
                if os.fork():
                    os._exit(0)
        elif word == "exit":
            os.write(1, b"a last word\n")
            os._exit(int(words.pop(0)))
        elif word == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        elif word == "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        elif word == "stay":
            stay()


if __name__ == "__main__":
    main(sys.argv[1:])
