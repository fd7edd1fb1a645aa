# SPDX-License-Identifier: GPL-3.0-or-later
# pylint: disable=ansible-bad-function  # used by more than modules, so there is no run_command
"""The supervisor as an OpenRC service that supervise-daemon keeps running, in the runlevel ``default``.

OpenRC is no process that could be asked: rc-service starts supervise-daemon as its own child, which then is an orphan.
At boot PID 1 adopts it; in a session under a subreaper that one would, which is found out and refused.
``rc-service fosterd restart`` leaves the jobs alone, ``rc-service fosterd stop`` and the host's shutdown stop them.
Source: openrc-run(8), supervise-daemon(8).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import NamedTuple

from ...processes.identity import Identity
from ..errors import InitError
from . import running
from .by_pieces import ByPieces
from .interface import HostingStatus
from .layout import Layout
from .pieces import MARK, File, Link

SERVICE = "fosterd"
_PATH = "/sbin:/usr/sbin:/bin:/usr/bin:/usr/local/sbin:/usr/local/bin"
_TIMEOUT = 120.0  # seconds for one command of OpenRC, which waits for what the service needs

_SCRIPT = """#!/sbin/openrc-run
# {mark}; changes are lost with the next run.
description="foster, the supervisor of this host's jobs"
supervisor=supervise-daemon
command={command}
output_log={log}
error_log={log}
pidfile=/run/fosterd.supervise.pid
respawn_delay=1
respawn_max=0
retry=TERM/90/KILL/5
# The jobs are not the supervisor: they run on while it is away, and it picks them up again.
rc_cgroup_cleanup=no
extra_started_commands=reload

depend() {{
\tuse net
\tafter localmount bootmisc
\tkeyword -shutdown
}}

stop_pre() {{
\tif [ "$RC_CMD" = restart ]; then : >{keep}; fi
}}

reload() {{
\tebegin "Reloading the jobs of $RC_SVCNAME"
\tsupervise-daemon "$RC_SVCNAME" --signal HUP --pidfile "$pidfile"
\teend $?
}}
"""


class Folders(NamedTuple):
    """Where OpenRC keeps its scripts and runlevels."""

    scripts: str = "/etc/init.d"
    runlevel: str = "/etc/runlevels/default"


FOLDERS = Folders()


class Openrc(ByPieces):
    """Host the supervisor as the service fosterd."""

    name = "openrc"

    def __init__(self, layout: Layout, folders: Folders = FOLDERS) -> None:
        script = os.path.join(folders.scripts, SERVICE)
        text = _SCRIPT.format(
            mark=MARK, command=" ".join(layout.command), log=layout.log, keep=running.keep_file(layout)
        )
        self._script = script
        super().__init__(layout, (File(script, text, 0o755), Link(os.path.join(folders.runlevel, SERVICE), script)))

    def remove(self) -> None:
        """Stop the service, remove the script and the link."""
        if self._pieces.traces():
            self._service("stop", "--ifstarted")
        self._pieces.take()

    def start(self) -> None:
        """Start the service, unless a subreaper would adopt it."""
        by = running.adopter()
        if by != 1:
            raise InitError(running.adopted(by))
        if self._crashed():
            self._service("zap")
        self._service("start")
        try:
            running.wait_until_up(self.layout, "OpenRC")
        except InitError:
            self._service("stop")
            raise

    def stop(self, keep_jobs: bool) -> None:
        """Stop the service; it comes up with the next boot."""

        def tell(identity: Identity) -> None:
            self._service("stop", "--ifstarted")
            running.terminate(identity)  # one that OpenRC does not know of

        running.end(self.layout, keep_jobs, tell)

    def status(self) -> HostingStatus:
        """Return whether the script and its link are there, and who answers."""
        pid = running.pid_of(self.layout)
        there = {change.path for change in self._pieces.traces()}
        return HostingStatus(self._script in there, len(there) == 2, pid is not None, pid)

    def _crashed(self) -> bool:
        """Return whether OpenRC takes the service for started though nobody answers."""
        return running.pid_of(self.layout) is None and self._run("status").returncode not in (0, 3)

    def _service(self, command: str, *options: str) -> None:
        done = self._run(*options, command)
        if done.returncode:
            lines = [line.strip(" *") for line in done.stdout.decode("utf-8", "replace").splitlines() if line.strip()]
            said = [line for line in lines if "ERROR" in line] or lines or ["it does not say why"]
            raise InitError(f"OpenRC could not {command} the service {SERVICE}: {'; '.join(said[-3:])}")

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        program = shutil.which("rc-service", path=_PATH)
        if program is None:
            raise InitError(f"rc-service is not to be found in {_PATH}, so OpenRC cannot be asked")
        options = [word for word in arguments if word.startswith("--")]
        rest = [word for word in arguments if not word.startswith("--")]
        try:
            # What OpenRC starts may not hold the task's pipes open: its output goes to a file.
            return _captured([program, "--nocolor", *options, SERVICE, *rest])
        except subprocess.TimeoutExpired as error:
            raise InitError(f"OpenRC did not {' '.join(rest)} {SERVICE} within {_TIMEOUT:g} s") from error


def _captured(command: list[str]) -> subprocess.CompletedProcess[bytes]:
    import tempfile

    with tempfile.TemporaryFile() as output:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT,
            check=False,
            cwd="/",
            env={"PATH": _PATH, "LC_ALL": "C"},
        )
        output.seek(0)
        return subprocess.CompletedProcess(command, done.returncode, output.read(), b"")
