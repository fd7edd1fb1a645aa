# SPDX-License-Identifier: GPL-3.0-or-later
"""What tells one PID 1 from another: sockets and fifos that it serves right now, and what it is itself.

A file that an init left behind, or that a package brought, proves nothing. A socket accepts, and the kernel says who
listens, SO_PEERCRED in unix(7); a fifo that nobody reads cannot be opened for writing, ENXIO in fifo(7). ``PROBES`` is
the table, from the surest to the least sure; each probe gives a sentence when it recognises its init, else None.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
from collections.abc import Iterable
from typing import Callable, NamedTuple, Optional

from ..dbus.sockets import SYSTEM_SOCKET
from ..processes.identity import read_stat

SYSTEMD_SOCKET = "/run/systemd/private"
UPSTART_SOCKET = "\0/com/ubuntu/upstart"
# Opened by PID 1 for others, and open to every user, whom the private socket is closed to.
SYSTEMD_OPEN_SOCKETS = ("/run/systemd/io.systemd.Manager", "/run/systemd/journal/stdout")
DINIT_SOCKETS = ("/run/dinitctl", "/dev/dinitctl")
SYSVINIT_FIFOS = ("/run/initctl", "/dev/initctl")
OPENRC_LEVEL = "/run/openrc/softlevel"
OPENRC_FIFO = "/run/openrc/init.ctl"
# What a container engine puts in front of a program to reap zombies; names as in /proc/PID/comm.
MINDERS = frozenset(("tini", "tini-static", "docker-init", "podman-init", "dumb-init", "catatonit", "pause"))
_TIMEOUT = 2.0  # seconds; a connection to a living listener takes microseconds


class Place(NamedTuple):
    """Where to look: ``root`` stands before every path, ``init`` is the pid that counts as PID 1."""

    root: str = ""
    init: int = 1
    upstart: str = UPSTART_SOCKET

    @property
    def proc(self) -> str:
        """Return the folder of processes."""
        return f"{self.root}/proc"


class PidOne(NamedTuple):
    """PID 1 as it can be seen from here. ``name`` is "" for hidden; ``program`` "" where the link may not be read."""

    name: str
    words: tuple[str, ...]
    program: str

    def __str__(self) -> str:
        said = " ".join(word for word in self.words if word)[:80]
        return f"{self.name} ({said})" if said and said != self.name else self.name


def listener(path: str) -> Optional[int]:
    """Return the pid of who listens at a Unix socket (0 if it is outside of our PID namespace), None for nobody.

    ``path``: an abstract one begins with a zero character.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(_TIMEOUT)
        try:
            client.connect(path)
            return peer_of(client)
        except OSError:
            return None


def peer_of(client: socket.socket) -> int:
    """Return the pid of who listened for this connection."""
    return credentials_of(client)[0]


def credentials_of(client: socket.socket) -> tuple[int, int]:
    """Return pid and user of who listened for this connection."""
    credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, _gid = struct.unpack("3i", credentials)
    return int(pid), int(uid)


def is_read(path: str) -> Optional[bool]:
    """Return whether somebody holds the fifo ``path`` open for reading; None when we may not try.

    Nothing is written. What is no fifo is not read.
    """
    try:
        if not stat.S_ISFIFO(os.stat(path).st_mode):
            return False
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        return None if error.errno in (errno.EACCES, errno.EPERM) else False
    return True


def holds(pid: int, path: str, proc: str = "/proc") -> Optional[bool]:
    """Return whether the process has the file ``path`` open; None when its descriptors may not be seen."""
    try:
        wanted = os.stat(path)
        for name in os.listdir(f"{proc}/{pid}/fd"):
            try:
                found = os.stat(f"{proc}/{pid}/fd/{name}")
            except OSError:
                continue
            if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                return True
    except OSError as error:
        return None if error.errno in (errno.EACCES, errno.EPERM) else False
    return False


def look(place: Place) -> PidOne:
    """Return PID 1 as it can be seen."""
    own = read_stat(place.init, place.proc)
    try:
        with open(f"{place.proc}/{place.init}/cmdline", "rb") as file:
            raw = file.read(4096).rstrip(b"\0")
    except OSError:
        raw = b""
    try:
        program = os.readlink(f"{place.proc}/{place.init}/exe")
    except OSError:
        program = ""
    words = tuple(word.decode("utf-8", "replace") for word in raw.split(b"\0")) if raw else ()
    return PidOne(own.name if own else "", words, program)


# ---- one probe for each init: (where to look, PID 1) -> a sentence, or None ----


def _foster(place: Place, one: PidOne) -> Optional[str]:
    if listener(place.root + SYSTEM_SOCKET) == place.init:
        return f"PID 1 is our supervisor: it listens at {SYSTEM_SOCKET}"
    return None


def _systemd(place: Place, one: PidOne) -> Optional[str]:
    for path in (SYSTEMD_SOCKET, *SYSTEMD_OPEN_SOCKETS):
        if listener(place.root + path) == place.init:
            return f"PID 1 is systemd: it listens at {path}"
    # What sd_booted(3) asks; the folder alone may be the host's, or be left in an image.
    if one.name == "systemd" and os.path.isdir(f"{place.root}/run/systemd/system"):
        return "PID 1 is called systemd and has made /run/systemd/system, but none of its sockets is open to this user"
    return None


def _upstart(place: Place, one: PidOne) -> Optional[str]:
    if listener(place.upstart) == place.init:
        return "PID 1 is Upstart: it listens at the abstract socket /com/ubuntu/upstart"
    return None


def _dinit(place: Place, one: PidOne) -> Optional[str]:
    for path in DINIT_SOCKETS:
        if listener(place.root + path) == place.init:
            return f"PID 1 is dinit: it listens at {path}"
    return "PID 1 is dinit, whose control socket does not answer here" if one.name == "dinit" else None


def _s6(place: Place, one: PidOne) -> Optional[str]:
    if one.name != "s6-svscan":
        return None
    folder = folder_of(one.words)
    fifo = f"{folder}/.s6-svscan/control"
    read = is_read(place.root + fifo if folder.startswith("/") else f"{place.proc}/{place.init}/cwd/{fifo}")
    if read is None:
        return f"PID 1 is s6-svscan; whether it reads {fifo} cannot be seen by this user"
    return f"PID 1 is s6-svscan: it reads {fifo}" if read else f"PID 1 is s6-svscan, which does not read {fifo}"


def _runit(place: Place, one: PidOne) -> Optional[str]:
    if one.name not in ("runit", "runsvdir"):
        return None
    watching = runsvdir(place)
    if watching is None:
        return "PID 1 is runit, but no runsvdir runs below it: it is on its way up or down"
    pid, folder = watching
    return f"PID 1 is {one.name}, and runsvdir (pid {pid}) watches {folder}"


def _openrc(place: Place, one: PidOne) -> Optional[str]:
    """Recognise OpenRC, which is no process: a level that it entered, on top of an init that it can stand on.

    A container in which somebody made the file, to please OpenRC's scripts, has another PID 1.
    """
    if one.name == "openrc-init":
        return f"PID 1 is openrc-init{f': it reads {OPENRC_FIFO}' if is_read(place.root + OPENRC_FIFO) else ''}"
    if one.name != "init":
        return None
    try:
        with open(place.root + OPENRC_LEVEL, encoding="utf-8", errors="replace") as file:
            level = file.read(256).strip()
    except OSError:
        return None
    below = "BusyBox init" if _is_busybox(place, one) else "init"
    return f"PID 1 is {below}, and OpenRC is in the runlevel {level or '(none)'} on top of it ({OPENRC_LEVEL})"


def _busybox(place: Place, one: PidOne) -> Optional[str]:
    if one.name in ("init", "busybox", "linuxrc") and _is_busybox(place, one):
        return "PID 1 is BusyBox init, which listens nowhere: it only reads /etc/inittab again on SIGHUP"
    return None


def _is_busybox(place: Place, one: PidOne) -> bool:
    """Return whether PID 1 is BusyBox; for who may not see its program, what the name that it runs by leads to."""
    if one.program:
        return os.path.basename(one.program).startswith("busybox")
    if not one.words:
        return False
    name = one.words[0] if one.words[0].startswith("/") else "/sbin/init"
    return os.path.basename(os.path.realpath(place.root + name)).startswith("busybox")


def _sysvinit(place: Place, one: PidOne) -> Optional[str]:
    if one.name != "init":
        return None
    for path in SYSVINIT_FIFOS:
        read = is_read(place.root + path)
        if read and holds(place.init, place.root + path, place.proc):
            return f"PID 1 is sysvinit: it reads {path}"
        # sysvinit writes its runlevel into its own command line, "init [2]".
        if read is None and one.words[:1] and one.words[0].startswith("init ["):
            return f"PID 1 is sysvinit: it calls itself {one.words[0].strip()}, and {path} is there"
    return None


def _minder(place: Place, one: PidOne) -> Optional[str]:
    names = {one.name, os.path.basename(one.program), os.path.basename(one.words[0]) if one.words else ""}
    for name in sorted(names & MINDERS):
        return f"PID 1 is {name}, which a container engine puts there to reap zombies; it starts nothing on request"
    return None


def _application(place: Place, one: PidOne) -> Optional[str]:
    if not one.name:
        return None
    return f"PID 1 is {one}, which is not an init that is known here: a container's own program, most likely"


Probe = Callable[[Place, PidOne], Optional[str]]
PROBES: tuple[tuple[str, Probe], ...] = (
    ("foster", _foster),
    ("systemd", _systemd),
    ("upstart", _upstart),
    ("dinit", _dinit),
    ("s6", _s6),
    ("runit", _runit),
    ("openrc", _openrc),
    ("busybox", _busybox),
    ("sysvinit", _sysvinit),
    ("minder", _minder),
    ("application", _application),
)
KINDS = (*(kind for kind, _probe in PROBES), "hidden")


def recognise(place: Place, one: PidOne, probes: Iterable[tuple[str, Probe]] = PROBES) -> tuple[str, str]:
    """Return (kind, the reason as a sentence) of PID 1."""
    for kind, probe in probes:
        reason = probe(place, one)
        if reason is not None:
            return kind, reason
    return "hidden", "PID 1 cannot be seen: /proc is not mounted, or hides the processes of others"


def folder_of(words: Iterable[str]) -> str:
    """Return the folder in the command line of s6-svscan or runsvdir: its first word that is no option; "" for none.

    Options with a value of their own are given with it as the next word by s6-svscan: -t, -d, -c, -C, -X, -x, -L.
    """
    rest = iter(list(words)[1:])
    for word in rest:
        if word in ("-t", "-d", "-c", "-C", "-X", "-x", "-L"):
            next(rest, None)
        elif not word.startswith("-"):
            return word.rstrip("/") or "/"
    return "."


def runsvdir(place: Place) -> Optional[tuple[int, str]]:
    """Return (pid, folder) of the runsvdir that is PID 1 or a child of it, None when there is none."""
    try:
        pids = sorted(int(name) for name in os.listdir(place.proc) if name.isdigit())
    except OSError:
        return None
    for pid in pids:
        own = read_stat(pid, place.proc)
        if own is None or own.name != "runsvdir" or place.init not in (own.pid, own.ppid) or own.state == "Z":
            continue
        return pid, folder_of(look(place._replace(init=pid)).words)
    return None
