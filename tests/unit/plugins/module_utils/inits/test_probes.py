# SPDX-License-Identifier: GPL-3.0-or-later
"""Who PID 1 is: real sockets and fifos below a folder that stands for the root of a host.

The test's own process serves them, so its pid is the one that counts as PID 1.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.foster.init.plugins.module_utils.inits import detect, probes
from ansible_collections.foster.init.plugins.module_utils.inits.probes import Place


class FakeHost:
    """A root folder with a PID 1 that is this process, and others that do not exist."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.init = os.getpid()
        self.place = Place(str(root), self.init, f"\0foster-test-upstart-{self.init}")
        self._open: list[socket.socket] = []
        self._fifos: list[int] = []
        (root / "proc").mkdir()

    def process(self, name: str, command: str = "", program: str = "", pid: int = 0, ppid: int = 0) -> None:
        own = self.root / "proc" / str(pid or self.init)
        own.mkdir()
        (own / "stat").write_text(f"{pid or self.init} ({name}) S {ppid} 1 1 0 " + " ".join(["0"] * 14) + " 5 0")
        (own / "cmdline").write_bytes((command or name).encode().replace(b" ", b"\0") + b"\0")
        if program:
            (own / "exe").symlink_to(program)

    def listens(self, path: str) -> None:
        server = socket.socket(socket.AF_UNIX)
        self._open.append(server)
        if path.startswith("\0"):
            server.bind(path)
        else:
            (self.root / path[1:]).parent.mkdir(parents=True, exist_ok=True)
            server.bind(str(self.root / path[1:]))
        server.listen()

    def fifo(self, path: str, read: bool) -> None:
        where = self.root / path[1:]
        where.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(where)
        if read:
            descriptor = os.open(where, os.O_RDONLY | os.O_NONBLOCK)
            self._fifos.append(descriptor)
            folder = self.root / "proc" / str(self.init) / "fd"
            folder.mkdir(exist_ok=True)
            (folder / str(descriptor)).symlink_to(where)

    def file(self, path: str, text: str = "") -> None:
        where = self.root / path[1:]
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_text(text)

    def close(self) -> None:
        for server in self._open:
            server.close()
        for descriptor in self._fifos:
            os.close(descriptor)

    def recognise(self) -> tuple[str, str]:
        return probes.recognise(self.place, probes.look(self.place))


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHost]:
    monkeypatch.setattr(detect, "_TIMEOUT", 0.1)  # nobody here greets back
    made = FakeHost(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("path", ["/run/systemd/private", "/run/systemd/journal/stdout"])
def test_systemd_answers(host: FakeHost, path: str) -> None:
    host.process("systemd", "/sbin/init")
    host.listens(path)
    assert host.recognise() == ("systemd", f"PID 1 is systemd: it listens at {path}")


def test_systemd_by_name_where_every_socket_is_closed_to_the_user(host: FakeHost) -> None:
    host.process("systemd", "/sbin/init")
    (host.root / "run/systemd/system").mkdir(parents=True)
    assert host.recognise()[0] == "systemd"


def test_systemd_that_is_only_installed(host: FakeHost) -> None:
    """The files of a package, and a folder that an image or the host brought, make no systemd."""
    host.process("sleep", "sleep infinity")
    (host.root / "run/systemd/system").mkdir(parents=True)
    host.file("/usr/lib/systemd/systemd")
    assert host.recognise()[0] == "application"


def test_a_systemd_socket_that_another_process_serves(host: FakeHost) -> None:
    """Bind-mounted from the host, or left behind by somebody: not PID 1 here."""
    host.place = host.place._replace(init=host.init + 1)
    host.process("tini", "tini -- app", pid=host.init + 1)
    host.listens("/run/systemd/private")
    assert host.recognise()[0] == "minder"


def test_a_dead_socket_of_systemd(host: FakeHost) -> None:
    host.process("init", "init [2]")
    host.listens("/run/systemd/private")
    host.close()
    assert host.recognise()[0] == "application"


def test_the_supervisor_as_pid_one(host: FakeHost) -> None:
    host.process("fosterd", "python3 fosterd")
    host.listens("/run/foster/control")
    assert host.recognise() == ("foster", "PID 1 is our supervisor: it listens at /run/foster/control")


def test_upstart(host: FakeHost) -> None:
    host.process("init", "/sbin/init")
    host.listens(host.place.upstart)
    assert host.recognise()[0] == "upstart"


def test_upstart_that_is_somebody_else(host: FakeHost) -> None:
    """An abstract name has no owner: a plain user can take it first."""
    host.listens(host.place.upstart)
    host.place = host.place._replace(init=host.init + 1)
    host.process("init", "init [2]", pid=host.init + 1)
    assert host.recognise()[0] == "application"


@pytest.mark.parametrize("path", ["/run/dinitctl", "/dev/dinitctl"])
def test_dinit(host: FakeHost, path: str) -> None:
    host.process("dinit")
    host.listens(path)
    assert host.recognise() == ("dinit", f"PID 1 is dinit: it listens at {path}")


def test_dinit_with_a_socket_elsewhere(host: FakeHost) -> None:
    host.process("dinit")
    assert host.recognise() == ("dinit", "PID 1 is dinit, whose control socket does not answer here")


@pytest.mark.parametrize(
    "command", ["s6-svscan /run/service", "s6-svscan -d4 -- /run/service", "s6-svscan -t 0 /run/service/"]
)
def test_s6_reads_its_fifo(host: FakeHost, command: str) -> None:
    host.process("s6-svscan", command)
    host.fifo("/run/service/.s6-svscan/control", read=True)
    assert host.recognise() == ("s6", "PID 1 is s6-svscan: it reads /run/service/.s6-svscan/control")


def test_s6_whose_fifo_nobody_reads(host: FakeHost) -> None:
    host.process("s6-svscan", "s6-svscan /run/service")
    host.fifo("/run/service/.s6-svscan/control", read=False)
    assert host.recognise() == ("s6", "PID 1 is s6-svscan, which does not read /run/service/.s6-svscan/control")


def test_runit(host: FakeHost) -> None:
    host.process("runit", "runit")
    host.process("runsvdir", "runsvdir -P /etc/service log:_....", pid=host.init + 7, ppid=host.init)
    assert host.recognise() == ("runit", f"PID 1 is runit, and runsvdir (pid {host.init + 7}) watches /etc/service")


def test_runit_on_its_way_up(host: FakeHost) -> None:
    host.process("runit")
    assert host.recognise()[0] == "runit"
    assert "on its way" in host.recognise()[1]


def test_runsvdir_as_pid_one_and_a_foreign_one(host: FakeHost) -> None:
    """A runsvdir that a user runs below something else is not the host's init."""
    host.process("sh", "sh")
    host.process("runsvdir", "runsvdir /home/me/service", pid=host.init + 7, ppid=host.init + 3)
    assert host.recognise()[0] == "application"


def test_sysvinit_reads_its_fifo(host: FakeHost) -> None:
    host.process("init", "init [2]", program="/usr/lib/sysvinit/init")
    host.fifo("/run/initctl", read=True)
    assert host.recognise() == ("sysvinit", "PID 1 is sysvinit: it reads /run/initctl")


def test_a_fifo_that_another_process_reads(host: FakeHost) -> None:
    """systemd keeps /run/initctl for old clients; in a container it may be the host's."""
    host.process("init", "/sbin/init", program="/usr/bin/mystery")
    host.fifo("/run/initctl", read=False)
    assert host.recognise()[0] == "application"


def test_sysvinit_before_systemd_is_found_by_the_socket(host: FakeHost) -> None:
    host.process("init", "/sbin/init")
    host.listens("/run/systemd/private")
    host.fifo("/run/initctl", read=True)
    assert host.recognise()[0] == "systemd"


def test_openrc_on_sysvinit(host: FakeHost) -> None:
    host.process("init", "init [default]", program="/usr/lib/sysvinit/init")
    host.fifo("/run/initctl", read=True)
    host.file("/run/openrc/softlevel", "default\n")
    kind, reason = host.recognise()
    assert kind == "openrc"
    assert "PID 1 is init, and OpenRC is in the runlevel default" in reason


def test_openrc_on_busybox(host: FakeHost) -> None:
    host.process("init", "/sbin/init", program="/bin/busybox")
    host.file("/run/openrc/softlevel", "default")
    kind, reason = host.recognise()
    assert kind == "openrc"
    assert "BusyBox init" in reason


def test_openrc_init(host: FakeHost) -> None:
    host.process("openrc-init")
    host.fifo("/run/openrc/init.ctl", read=True)
    assert host.recognise() == ("openrc", "PID 1 is openrc-init: it reads /run/openrc/init.ctl")


def test_a_container_that_only_pretends_to_have_openrc(host: FakeHost) -> None:
    """`touch /run/openrc/softlevel` is what people do to make its scripts run in a container."""
    host.process("sleep", "sleep infinity")
    host.file("/run/openrc/softlevel")
    assert host.recognise()[0] == "application"


def test_busybox_init_for_root_and_for_who_may_not_see_its_program(host: FakeHost) -> None:
    (host.root / "sbin").mkdir()
    (host.root / "bin").mkdir()
    (host.root / "bin/busybox").touch()
    (host.root / "sbin/init").symlink_to("../bin/busybox")
    host.process("init", "/sbin/init")
    assert host.recognise()[0] == "busybox"


@pytest.mark.parametrize(
    ("name", "command", "program"),
    [
        ("tini", "/usr/bin/tini -- app", ""),
        ("docker-init", "/sbin/docker-init -- app", "/sbin/docker-init"),
        ("catatonit", "/run/podman-init -- app", ""),
        ("podman-init", "/run/podman-init -- app", "/run/podman-init"),
        ("dumb-init", "dumb-init app", ""),
        ("pause", "/pause", "/pause"),
    ],
)
def test_what_a_container_engine_puts_first(host: FakeHost, name: str, command: str, program: str) -> None:
    host.process(name, command, program)
    assert host.recognise()[0] == "minder"


@pytest.mark.parametrize("command", ["sleep infinity", "nginx: master process", "python3 app.py", "bash"])
def test_an_application_as_pid_one_is_named(host: FakeHost, command: str) -> None:
    host.process(command.split(maxsplit=1)[0], command)
    kind, reason = host.recognise()
    assert kind == "application"
    assert command.split(maxsplit=1)[0] in reason


def test_a_hidden_pid_one(host: FakeHost) -> None:
    assert host.recognise()[0] == "hidden"


def test_a_fifo_is_only_read_where_there_is_one(host: FakeHost) -> None:
    host.file("/plain", "text")
    assert probes.is_read(str(host.root / "plain")) is False
    assert probes.is_read(str(host.root / "missing")) is False
    assert (host.root / "plain").read_text() == "text"


def test_who_answers_is_greeted(host: FakeHost) -> None:
    """A listener that never greets back, as a frozen PID 1 does not, is named with its problem."""
    host.process("systemd", "/sbin/init")
    host.listens("/run/systemd/private")
    found = detect.describe({"XDG_RUNTIME_DIR": str(host.root)}, host.place)
    assert found.kind == "systemd"
    silent = [answer for answer in found.answers if answer.name == "systemd" and answer.scope == "system"]
    assert [answer.pid for answer in silent] == [host.init]
    assert "no answer within" in silent[0].problem


def test_the_users_own_supervisor_answers_beside_any_pid_one(host: FakeHost) -> None:
    host.process("sleep", "sleep infinity")
    (host.root / "own").mkdir()
    host.listens("/own/foster/control")
    found = detect.describe({"XDG_RUNTIME_DIR": str(host.root / "own")}, host.place)
    assert found.kind == "application"
    assert [(answer.name, answer.scope, answer.pid) for answer in found.answers] == [("foster", "user", host.init)]


def test_nobody_answers(host: FakeHost) -> None:
    host.process("sleep", "sleep infinity")
    assert detect.describe({"XDG_RUNTIME_DIR": str(host.root)}, host.place).answers == ()
