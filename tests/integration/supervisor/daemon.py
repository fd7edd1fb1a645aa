# SPDX-License-Identifier: GPL-3.0-or-later
"""A daemon for the tests of ``expect``: ``daemon.py WORD...`` does one thing after the other, then stays for ever.

fork (the child goes on, the parent exits 0) · wait (the child goes on, the parent waits for it) · setsid ·
sleep=SECONDS · listen=PORT · unix=PATH · udp=PORT · pidfile=PATH · foreign=PATH (a pidfile that names process 1) ·
notify=TEXT · line=FD · close=FD · exit=STATUS · child (starts one that stays) · ignore (SIGTERM) ·
clear (executes itself without environment)
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time

kept = []


def act(word: str, rest: list[str]) -> None:
    name, _equals, value = word.partition("=")
    if name in ("fork", "wait"):
        child = os.fork()
        if child:
            if name == "wait":
                os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 255)
            os._exit(0)
    elif name == "setsid":
        if os.getsid(0) != os.getpid():
            os.setsid()
    elif name == "sleep":
        time.sleep(float(value))
    elif name in ("listen", "udp", "unix"):
        kind = socket.SOCK_DGRAM if name == "udp" else socket.SOCK_STREAM
        sock = socket.socket(socket.AF_UNIX if name == "unix" else socket.AF_INET, kind)
        sock.bind(value if name == "unix" else ("127.0.0.1", int(value)))
        if name != "udp":
            sock.listen()
        kept.append(sock)
    elif name in ("pidfile", "foreign"):
        with open(value + ".new", "w", encoding="ascii") as file:
            file.write(f"{os.getpid() if name == 'pidfile' else 1}\n")
        os.rename(value + ".new", value)
    elif name == "notify":
        address = os.environ["NOTIFY_SOCKET"]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            text = value.replace("SELF", str(os.getpid())).replace(",", "\n")
            while True:
                try:
                    sock.sendto(text.encode(), "\0" + address[1:] if address[0] == "@" else address)
                    break
                except (ConnectionRefusedError, FileNotFoundError):
                    time.sleep(0.1)  # there is no supervisor just now
    elif name == "line":
        os.write(int(value), b"ready\n")
    elif name == "close":
        os.close(int(value))
    elif name == "child":
        if not os.fork():
            rest.clear()
    elif name == "ignore":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    elif name == "clear":
        os.execve(sys.executable, [sys.executable, __file__, *rest], {})
    elif name == "exit":
        os._exit(int(value))
    else:
        raise ValueError(word)


def main() -> None:
    words = sys.argv[1:]
    while words:
        act(words.pop(0), words)
    while True:
        signal.pause()


main()
