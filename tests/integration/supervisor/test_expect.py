# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of ``expect`` with a real daemon: when it is ready, which process is main, and what is not believed."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from module_utils.dbus.errors import BusError
from module_utils.supervisor.tracking import mark, proc

SOURCE = Path(__file__).with_name("daemon.py")


@pytest.fixture(scope="module")
def daemon() -> Iterator[str]:
    """The command line of a daemon that anybody may execute."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        shutil.copy(SOURCE, folder)
        python = os.environ.get("FOSTER_TEST_PYTHON") or shutil.which("python3", path="/usr/bin:/bin") or sys.executable
        yield f"{python} -S {folder}/daemon.py"


@pytest.fixture
def supervisor(lasting):
    """The supervisor of this file, with no job in it at the beginning."""
    yield lasting
    lasting.clean()


def start(supervisor, text: str) -> None:
    supervisor.define("a", f"start timeout 20\nkill timeout 2\n{text}\n")
    supervisor.call("a", "Start")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def last(supervisor) -> int:
    """Return the youngest process of the job."""
    return max(supervisor.family("a"), key=lambda pid: (proc.start_time(pid), pid))


def test_notify_is_ready_when_it_says_so_and_names_its_main_process(supervisor, daemon):
    start(supervisor, f"expect notify\nexec {daemon} fork setsid fork notify=MAINPID=SELF,READY=1,STATUS=serving")
    assert supervisor.main("a") == last(supervisor)
    assert supervisor.process("a")["certainty"] == "certain"
    assert supervisor.describe("a")["instances"][0]["says"]["status"] == "serving"


def test_notify_is_not_believed_from_a_stranger(supervisor, daemon):
    supervisor.define("a", f"expect notify\nstart timeout 20\nexec {daemon} sleep=60\n")
    supervisor.call("a", "Start", wait=False)
    supervisor.wait_for(lambda: supervisor.family("a"), "the process")
    address = proc.environment(supervisor.family("a")[0])["NOTIFY_SOCKET"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"READY=1", "\0" + address[1:] if address[0] == "@" else address)
    supervisor.wait_for(lambda: "none of its own" in supervisor.output(), "the warning")
    assert supervisor.describe("a")["instances"][0]["state"] == "spawned"


def test_notify_goes_on_being_heard_by_the_next_supervisor(supervisor, daemon):
    start(supervisor, f"expect notify\nexec {daemon} notify=READY=1 sleep=1 notify=STATUS=later")
    supervisor.kill()
    supervisor.start()

    def status():
        return supervisor.describe("a")["instances"][0].get("says", {}).get("status")

    supervisor.wait_for(lambda: status() == "later", "what it says later")


def test_the_watchdog_ends_what_has_gone_silent(supervisor, daemon):
    start(supervisor, f"expect notify\nwatchdog 1\nrespawn\nexec {daemon} notify=READY=1")
    first = supervisor.main("a")
    supervisor.wait_for(lambda: first not in supervisor.family("a") and supervisor.family("a"), "the respawn")
    assert "watchdog" in supervisor.output()


@pytest.mark.parametrize("kind", ["listen", "udp", "unix"])
def test_listen_waits_for_the_socket(supervisor, daemon, kind):
    where = f"{supervisor.folder}/sock" if kind == "unix" else str(free_port())
    address = f"udp:{where}" if kind == "udp" else where
    start(supervisor, f"expect listen {address}\nexec {daemon} fork setsid fork sleep=0.3 {kind}={where}")
    assert supervisor.main("a") == last(supervisor)


def test_listen_does_not_take_a_strangers_socket(supervisor, daemon):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        supervisor.define(
            "a", f"expect listen {sock.getsockname()[1]}\nstart timeout 1\nkill timeout 1\nexec {daemon} sleep=60\n"
        )
        with pytest.raises(BusError, match="failed to start"):
            supervisor.call("a", "Start")


def test_pidfile_is_waited_for_in_a_folder_that_does_not_exist_yet(supervisor, daemon):
    folder = f"{supervisor.folder}/run/of/daemon"
    start(
        supervisor,
        f"expect pidfile {folder}/pid\nscript\n  {daemon} fork setsid fork sleep=0.5 pidfile={folder}.tmp &\n"
        f"  sleep 0.3; mkdir -p {folder}; while [ ! -e {folder}.tmp ]; do sleep 0.05; done\n"
        f"  mv {folder}.tmp {folder}/pid\nend script",
    )
    assert supervisor.main("a") == int(Path(folder, "pid").read_text())


def test_pidfile_that_names_a_stranger_or_is_a_link_is_not_believed(supervisor, daemon):
    path = f"{supervisor.folder}/pid"
    supervisor.define("a", f"expect pidfile {path}\nstart timeout 20\nexec {daemon} foreign={path} sleep=60\n")
    supervisor.call("a", "Start", wait=False)
    supervisor.wait_for(lambda: os.path.exists(path), "the pidfile")
    assert "names 1" in supervisor.explain("a")["reason"]
    os.unlink(path)
    Path(f"{path}.real").write_text(f"{supervisor.main('a')}\n")
    os.symlink(f"{path}.real", path)
    supervisor.wait_for(lambda: "is a link" in supervisor.explain("a")["reason"], "the link")
    os.unlink(path)
    os.rename(f"{path}.real", path)
    supervisor.wait_for(lambda: supervisor.describe("a")["instances"][0]["state"] == "running", "readiness")


def test_newline_on_its_descriptor(supervisor, daemon):
    start(supervisor, f"expect newline 4\nexec {daemon} sleep=0.2 line=4")
    assert supervisor.family("a") == [supervisor.main("a")]


def test_newline_that_cannot_come_any_more_fails_at_once(supervisor, daemon):
    supervisor.define("a", f"expect newline 4\nstart timeout 60\nkill timeout 1\nexec {daemon} close=4\n")
    with pytest.raises(BusError, match="failed to start"):
        supervisor.call("a", "Start")
    assert "closed without a newline" in supervisor.output()


def test_check_runs_until_it_succeeds_with_the_jobs_environment(supervisor, daemon):
    flag = f"{supervisor.folder}/flag"
    start(
        supervisor,
        f"env FLAG={flag}\nexpect check test -e $FLAG\nexec {daemon} fork setsid sleep=0.5 pidfile={flag}",
    )
    assert os.path.exists(flag)
    assert supervisor.family("a") == [supervisor.main("a")]


def test_a_check_that_hangs_is_ended_with_the_job(supervisor, daemon):
    supervisor.define("a", f"expect check sleep 1000\nstart timeout 1\nkill timeout 1\nexec {daemon}\n")
    with pytest.raises(BusError, match="failed to start"):
        supervisor.call("a", "Start")
    supervisor.wait_for(lambda: supervisor.family("a") == [], "nothing left")


def test_auto_waits_for_a_starter_that_waits_for_its_daemon(supervisor, daemon):
    ready = f"{supervisor.folder}/ready"
    text = f"{daemon} fork setsid child sleep=1 pidfile={ready}"
    start(
        supervisor,
        f"expect auto\nscript\n  setsid {text} &\n  while [ ! -e {ready} ]; do sleep 0.05; done\n  exit 0\nend script",
    )
    assert os.path.exists(ready)
    supervisor.wait_for(lambda: supervisor.main("a") == int(Path(ready).read_text()), "the main process")


def test_a_daemon_without_environment_and_session_is_still_of_its_job(supervisor, daemon):
    start(supervisor, f"expect auto\nexec {daemon} fork setsid fork clear setsid fork sleep=0")
    supervisor.define("b", f"expect auto\nexec {daemon} fork setsid fork clear setsid fork sleep=0\n")
    supervisor.call("b", "Start")
    for name in ("a", "b"):
        supervisor.wait_for(
            lambda name=name: supervisor.family(name) == [supervisor.main(name)], "the last of its forks"
        )
    mains = {name: supervisor.main(name) for name in ("a", "b")}
    supervisor.call("a", "Stop")
    assert proc.stat(mains["a"]) is None
    assert proc.stat(mains["b"]) is not None
    assert mark.of(mains["b"]) is not None


def test_a_link_whose_parent_waits_for_it_is_counted(supervisor, daemon):
    """As start-stop-daemon --background does it; the link is gone before its parent ends, and never our child."""
    start(supervisor, f"expect daemon\nstart timeout 60\nexec {daemon} wait setsid fork sleep=0")
    supervisor.wait_for(lambda: supervisor.family("a") == [supervisor.main("a")], "its last fork")


def test_too_few_forks_expected_moves_on_and_names_the_stanza(supervisor, daemon):
    start(supervisor, f"expect fork\nexec {daemon} fork setsid fork sleep=0.3 fork")
    supervisor.wait_for(lambda: "write `expect" in supervisor.output(), "the warning")
    supervisor.wait_for(lambda: supervisor.family("a") == [supervisor.main("a")], "the survivor")
