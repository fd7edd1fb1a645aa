# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task is told of an event that it emits, or would emit, with a real supervisor."""

from __future__ import annotations

import array
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from jeepney import DBusAddress, MessageType, Parser, new_method_call
from module_utils.ansible.emission import Emission, emit
from module_utils.ansible.errors import TaskError
from module_utils.ansible.supervisor import Supervisor as Client
from program import system_python

JOBS = {
    "web": "start on deploy\nstop on undeploy\nexec sleep 1000\n",
    "warm": "start on started web\ntask\nexec true\n",
    "worker": "start on deploy N=*\nstop on undeploy\ninstance $N\nexec sleep 1000\n",
    "check": "start on check\ntask\nscript\n  echo not ready\n  exit 3\nend script\n",
    "half": "start on left and right\nexec sleep 1000\n",
}


@pytest.fixture
def client(supervisor: Any) -> Iterator[Client]:
    for name, text in JOBS.items():
        supervisor.define(name, text)
    made = Client.open(f"unix:path={supervisor.folder}/run/control")
    yield made
    made.close()


def names(instances: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(each["job"], each["instance"]) for each in instances]


def test_check_mode_foresees_what_the_run_then_does(client: Client) -> None:
    deploy = Emission("deploy", {"N": "7"})
    foreseen, values = emit(deploy, client, check=True)
    assert client.describe("web")["web"]["instances"] == []
    done, told = emit(deploy, client, check=False)
    assert foreseen.result(True) == done.result(True)
    assert names(values["started"]) == names(told["started"]) == [("web", ""), ("worker", "7"), ("warm", "")]
    again, _values = emit(deploy, client, check=False)
    assert not again.changed
    undone, told = emit(Emission("undeploy"), client, check=False)
    assert undone.actions == ["stop web", "stop worker (7)"]
    assert client.describe("web")["web"]["instances"] == []


def test_an_event_that_fails_names_the_job_how_it_failed_and_what_it_wrote(client: Client) -> None:
    with pytest.raises(TaskError) as caught:
        emit(Emission("check"), client, check=False)
    assert str(caught.value) == (
        "check: the event has failed. check failed: its main process ended with exit status 3. It last wrote: not ready"
    )
    assert names(caught.value.details["failures"]) == [("check", "")]


def test_an_event_that_is_held_says_by_whom(client: Client) -> None:
    _difference, values = emit(Emission("left"), client, check=True)
    assert values["finished"] is False
    with pytest.raises(TaskError) as caught:
        emit(Emission("left", timeout=0.2), client, check=False)
    assert "it is held by the start on of half, which waits for more" in str(caught.value)
    done, _told = emit(Emission("right", wait=False), client, check=False)
    assert done.actions == ["start half"]


def test_an_event_that_nobody_listens_to_changes_nothing(client: Client) -> None:
    done, values = emit(Emission("nothing", {"A": "1"}), client, check=False)
    assert (done.changed, values["started"], values["finished"]) == (False, [], True)


def test_a_name_that_is_empty_is_refused(client: Client) -> None:
    with pytest.raises(Exception, match="Name may not be empty string"):
        emit(Emission(""), client, check=True)


def test_events_that_are_under_way_are_listed(client: Client) -> None:
    def listed() -> list[dict[str, Any]]:
        return client.events()

    emit(Emission("left", {"A": "1"}, wait=False), client, check=False)
    assert listed() == [
        {"name": "left", "env": ["A=1"], "held_by": [{"job": "half", "instance": "", "by": "start on"}]}
    ]
    emit(Emission("right"), client, check=False)
    assert listed() == []


# As Upstart's socket bridge starts it: it finds its socket, listening, at the number in UPSTART_FDS.
SERVER = """
import os, socket
server = socket.socket(fileno=int(os.environ["UPSTART_FDS"]))
while True:
    connection = server.accept()[0]
    connection.sendall(os.environ["PROTO"].encode())
    connection.close()
"""


# Whatever niceness the tests run with, 19 is none that an ordinary user may not have.
@pytest.mark.parametrize("stanza", ["", "nice 19\n"], ids=["spawned", "prepared in the child"])
def test_a_job_serves_on_the_socket_that_came_with_its_event(supervisor: Any, stanza: str) -> None:
    (supervisor.folder / "server.py").write_text(SERVER)
    supervisor.define(
        "server", f"start on socket PROTO=unix\n{stanza}exec {system_python()} {supervisor.folder}/server.py\n"
    )
    supervisor.define("bystander", "start on socket-bystander\nexec sleep 1000\n")
    path = str(supervisor.folder / "served")
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as bridge:
        listening.bind(path)
        listening.listen()
        inode = os.fstat(listening.fileno()).st_ino
        bridge.connect(str(supervisor.folder / "run" / "control"))
        # What libdbus says and waits for before it passes a descriptor on.
        bridge.sendall(b"\0AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\n")
        heard = b""
        while b"AGREE_UNIX_FD\r\n" not in heard:
            heard += bridge.recv(1000)
        bridge.sendall(b"BEGIN\r\n")
        address = DBusAddress("/com/ubuntu/Upstart", bus_name="a.b", interface="com.ubuntu.Upstart0_6")
        call = new_method_call(address, "EmitEventWithFile", "sasbh", ("socket", ["PROTO=unix"], True, listening))
        files = array.array("i")
        data = call.serialise(1, fds=files)
        socket.send_fds(bridge, [data], list(files))
        parser, heard_of = Parser(), set()
        while not heard_of & {MessageType.method_return, MessageType.error}:
            parser.add_data(bridge.recv(1000))
            heard_of |= {message.header.message_type for message in iter(parser.get_next_message, None)}
        assert MessageType.error not in heard_of  # the job runs
        main = supervisor.process("server")["pid"]
        assert f"socket:[{inode}]" in links(main)
    # The bridge's own copies are closed: the job alone keeps the socket.
    for _unused in range(2):
        with socket.socket(socket.AF_UNIX) as visitor:
            visitor.connect(path)
            assert visitor.recv(100) == b"unix"
    assert f"socket:[{inode}]" not in links(supervisor.daemon.pid)
    supervisor.emit("socket-bystander")
    assert f"socket:[{inode}]" not in links(supervisor.process("bystander")["pid"])


def links(pid: int) -> set[str]:
    """Return what the descriptors of a process lead to."""
    folder = f"/proc/{pid}/fd"
    return {os.readlink(f"{folder}/{number}") for number in os.listdir(folder)}
