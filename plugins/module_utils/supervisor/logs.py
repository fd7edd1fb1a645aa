# SPDX-License-Identifier: GPL-3.0-or-later
"""The output of jobs, written to one file for each instance with nothing lost.

A job writes to a channel: a named pipe under the run folder, so that a new supervisor can go on reading where a killed
one stopped (the job holds it open for reading too, so it gets no SIGPIPE meanwhile), or in session mode a terminal for
each process, as Upstart has it. The file is made at the first output, opened anew for each write (so it may be removed
or rotated by others at any time), and renamed to ``.1``, ``.2``, ... by size. What cannot be written (disk full) stays
in the channel until it can.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Callable
from typing import Optional

from ..engine.messages import InstanceKey
from ..job.model import Job
from . import linux, logfile
from .loop import HANGUP, READ, Loop

_CHUNK = 65536
_RETRY = 1.0  # seconds between attempts to write to a full disk
_KEEP = 5  # rotated files, unless the job says otherwise
_TAIL = 4096


class _Channel:
    """The reading end for one instance, and what was read and is not yet written. ``name``: of log and pipe."""

    __slots__ = ("keep", "key", "logs", "name", "pending", "reader", "size", "start")

    def __init__(self, key: InstanceKey, name: str, logs: Logs) -> None:
        self.key = key
        self.name = name
        self.logs = logs
        self.reader = -1
        self.pending = b""
        self.size: Optional[int] = None
        self.keep = _KEEP
        self.start = 0

    @property
    def path(self) -> str:
        """The log file."""
        return f"{self.logs.folder}/{self.name}.log"

    @property
    def pipe(self) -> str:
        """The named pipe, "" where there are terminals."""
        return f"{self.logs.pipes}/{self.name}" if self.logs.pipes is not None else ""

    def ready(self, events: int) -> None:
        """Write down what there is to be read."""
        self.logs.receive(self, bool(events & HANGUP))


class Logs:
    """All channels of a supervisor. ``folder``: of the log files. ``pipes``: of the named pipes, None for terminals."""

    def __init__(self, loop: Loop, folder: str, pipes: Optional[str], warn: Callable[[str], None]) -> None:
        self._loop = loop
        self.folder = folder
        self.pipes = pipes
        self._warn = warn
        self._channels: dict[InstanceKey, _Channel] = {}
        self._older: list[_Channel] = []  # terminals of processes that another of their instance was started after
        self._complained = False

    def path(self, key: InstanceKey) -> str:
        """Return where the output of ``key`` is written."""
        return os.path.join(self.folder, file_name(key) + ".log")

    def open(self, key: InstanceKey, job: Job) -> int:
        """Return a descriptor for the output of a new process of ``key``; close it after the start; raise OSError."""
        if self.pipes is None:
            self._set_aside(key)
        channel = self._channel(key)
        channel.size = job.log_size
        channel.keep = _KEEP if job.log_keep is None else job.log_keep
        channel.start = self._length(channel)
        if self.pipes is None:
            master, slave = os.openpty()
            os.set_blocking(master, False)
            self._read_from(channel, master)
            return slave
        if channel.reader < 0:
            self._open_pipe(channel)
        return os.open(channel.pipe, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)

    def adopt(self, keys: list[InstanceKey]) -> None:
        """Go on reading the pipes that a former supervisor left, of ``keys``; drop the others once they are read."""
        if self.pipes is None:
            return
        known = {file_name(key) for key in keys}
        for key in keys:
            channel = self._channel(key)
            if os.path.exists(channel.pipe):
                channel.start = self._length(channel)
                self._open_pipe(channel)
        for name in os.listdir(self.pipes):
            if name not in known:
                channel = _Channel((name, ""), name, self)
                self._open_pipe(channel)
                self.receive(channel)

    def hand_over(self) -> list[tuple[InstanceKey, int]]:
        """Return the terminals, for the program that follows this one in the same process."""
        return [(each.key, each.reader) for each in (*self._older, *self._channels.values()) if each.reader >= 0]

    def take_over(self, terminals: list[tuple[InstanceKey, int]]) -> None:
        """Go on reading the terminals that ``hand_over`` returned."""
        for key, fd in terminals:
            os.set_inheritable(fd, False)
            self._set_aside((key[0], key[1]))
            self._read_from(self._channel((key[0], key[1])), fd)

    def drain(self, key: InstanceKey) -> None:
        """Write down what ``key`` has put out so far."""
        for channel in [each for each in self._older if each.key == key]:
            self.receive(channel)
        current = self._channels.get(key)
        if current is not None and current.reader >= 0:
            self.receive(current)

    def tail(self, key: InstanceKey, lines: int = 10) -> list[str]:
        """Return the last lines that ``key`` wrote since its process was started."""
        self.drain(key)
        channel = self._channels.get(key)
        try:
            fd = os.open(self.path(key), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return []
        try:
            length = os.fstat(fd).st_size
            start = channel.start if channel is not None and channel.start <= length else 0
            data = os.pread(fd, _TAIL, max(start, length - _TAIL))
        finally:
            os.close(fd)
        return data.decode(errors="replace").replace("\r\n", "\n").splitlines()[-lines:]

    def forget(self, key: InstanceKey) -> None:
        """The instance is gone: close its channel as soon as nobody writes to it any more."""
        channel = self._channels.pop(key, None)
        if channel is None:
            return
        if channel.reader >= 0:
            self.receive(channel)  # a pipe that children keep open stays watched until they are gone
        else:
            self._unlink(channel)

    def close(self, keep: bool) -> None:
        """Stop reading; ``keep``: a next supervisor goes on with the pipes."""
        for channel in (*self._older, *self._channels.values()):
            if channel.reader >= 0:
                self.receive(channel)
            if keep and channel.reader >= 0:
                self._loop.unwatch(channel.reader)
                os.close(channel.reader)
                channel.reader = -1
            elif not keep:
                self._close(channel)

    def _set_aside(self, key: InstanceKey) -> None:
        """Go on reading the terminal of an earlier process, which may well live on beside the one to come."""
        channel = self._channels.get(key)
        if channel is None or channel.reader < 0:
            return
        self.receive(channel)
        if channel.reader >= 0:
            del self._channels[key]
            self._older.append(channel)

    def _channel(self, key: InstanceKey) -> _Channel:
        channel = self._channels.get(key)
        if channel is None:
            channel = self._channels[key] = _Channel(key, file_name(key), self)
        return channel

    def _open_pipe(self, channel: _Channel) -> None:
        with contextlib.suppress(FileExistsError):
            os.mkfifo(channel.pipe, 0o600)
        self._read_from(channel, os.open(channel.pipe, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW))

    def _read_from(self, channel: _Channel, fd: int) -> None:
        channel.reader = fd
        self._loop.watch(fd, READ, channel.ready)

    def receive(self, channel: _Channel, hung_up: bool = False) -> None:
        """Read until there is nothing more; close at the end of the channel."""
        reader = channel.reader
        while channel.reader == reader and reader >= 0:
            if channel.pending and not self._write(channel):
                return
            if channel.pipe and linux.waiting_bytes(reader):
                try:
                    if self._move(channel):
                        continue
                except OSError as error:
                    self._wait_for_room(channel, error)
                    return
            try:
                data = os.read(reader, _CHUNK)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.EIO:  # EIO: the last holder of the terminal is gone
                    raise
                data = b""
            if not data:
                self._close(channel)
                return
            channel.pending = data
            if not self._write(channel):
                return

    def _move(self, channel: _Channel) -> bool:
        """Let the kernel move what the pipe holds to the end of the file: what has been read by a supervisor that is
        killed before it writes would be lost. Return False where the file cannot take it so; raise OSError."""
        fd = logfile.open_to_write(channel.path)
        try:
            length = os.fstat(fd).st_size
            try:
                length += linux.splice(channel.reader, fd, length, _CHUNK)
            except OSError as error:
                if error.errno == errno.EINVAL:
                    return False
                raise
        finally:
            os.close(fd)
        if channel.size is not None and length >= channel.size:
            self._rotate(channel)
        return True

    def _write(self, channel: _Channel) -> bool:
        """Write what is pending; return False where it has to wait."""
        try:
            fd = logfile.open_to_write(channel.path, os.O_APPEND)
            try:
                while channel.pending:
                    channel.pending = channel.pending[os.write(fd, channel.pending) :]
                full = channel.size is not None and os.fstat(fd).st_size >= channel.size
            finally:
                os.close(fd)
        except OSError as error:
            self._wait_for_room(channel, error)
            return False
        if full:
            self._rotate(channel)
        return True

    def _wait_for_room(self, channel: _Channel, error: OSError) -> None:
        if not self._complained:
            self._complained = True
            self._warn(f"{channel.path}: cannot write the output: {error.strerror}; it is kept and tried again")
        if channel.reader >= 0:
            self._loop.unwatch(channel.reader)
        self._loop.call_later(_RETRY, lambda: self._retry(channel))

    def _retry(self, channel: _Channel) -> None:
        if channel.reader < 0:
            if channel.pending:
                self._write(channel)
            return
        if not channel.pending or self._write(channel):
            self._complained = False
            self._read_from(channel, channel.reader)

    def _rotate(self, channel: _Channel) -> None:
        try:
            logfile.rotate(channel.path, channel.keep)
            channel.start = 0
        except OSError as error:
            self._warn(f"{channel.path}: cannot rotate: {error.strerror}")

    def _close(self, channel: _Channel) -> None:
        reader, channel.reader = channel.reader, -1
        if reader < 0:
            return
        while True:
            try:
                data = os.read(reader, _CHUNK)
            except OSError:
                break
            if not data:
                break
            channel.pending += data
        self._loop.unwatch(reader)
        os.close(reader)
        if channel in self._older:
            self._older.remove(channel)
        if channel.pending:
            self._write(channel)
        if self._channels.get(channel.key) is not channel:
            self._unlink(channel)

    def _unlink(self, channel: _Channel) -> None:
        # JOB-INSTANCE may be the name of another job's log as well, and so of its pipe.
        if channel.pipe and not any(each.name == channel.name for each in self._channels.values()):
            with contextlib.suppress(OSError):
                os.unlink(channel.pipe)

    def _length(self, channel: _Channel) -> int:
        try:
            return os.stat(channel.path, follow_symlinks=False).st_size
        except OSError:
            return 0


def file_name(key: InstanceKey) -> str:
    """Return the name of an instance's log without ``.log``: JOB-INSTANCE, with ``_`` for ``/``, as Upstart has it."""
    job, instance = key
    name = f"{job}-{instance}" if instance else job
    return re.sub(r"[/\0]", "_", name)[:240]
