# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client of the D-Bus service gets, compared with the recorded answers of Upstart 1.13.2."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.foster.init.plugins.module_utils.dbus.message import ERROR, METHOD_RETURN, SIGNAL
from ansible_collections.foster.init.plugins.module_utils.job.model import Job
from ansible_collections.foster.init.plugins.module_utils.supervisor.control.peer import Peer

MANAGER = ("/com/ubuntu/Upstart", "com.ubuntu.Upstart0_6")
JOB_A = ("/com/ubuntu/Upstart/jobs/a", "com.ubuntu.Upstart0_6.Job")
INSTANCE_Q = ("/com/ubuntu/Upstart/jobs/a/q", "com.ubuntu.Upstart0_6.Instance")
PROPERTIES = "org.freedesktop.DBus.Properties"
UPSTART_ERROR = "com.ubuntu.Upstart0_6.Error."
INVALID_ARGS = "org.freedesktop.DBus.Error.InvalidArgs"
TRACE = Path(__file__).parents[5] / "conformance" / "cases" / "dbus-api" / "trace"


def error_of(message: Any) -> tuple[str, str]:
    assert message.kind == ERROR
    return message.error_name, message.arguments()[0]


def value_of(message: Any) -> Any:
    assert message.kind == METHOD_RETURN, error_of(message)
    values = message.arguments()
    return values[0] if values else None


def test_jobs_are_found_by_name(world: Any) -> None:
    client = world.connect()
    assert value_of(client.call(*MANAGER, "GetJobByName", "s", "a")) == "/com/ubuntu/Upstart/jobs/a"
    assert value_of(client.call(*MANAGER, "GetAllJobs")) == [
        "/com/ubuntu/Upstart/jobs/a",
        "/com/ubuntu/Upstart/jobs/web_2dserver_2fx",
        "/com/ubuntu/Upstart/jobs/needs",
    ]
    unknown = client.call(*MANAGER, "GetJobByName", "s", "zz")
    assert error_of(unknown) == (UPSTART_ERROR + "UnknownJob", "Unknown job: zz")
    assert error_of(client.call(*MANAGER, "GetJobByName", "s", ""))[0] == INVALID_ARGS


def test_start_answers_with_the_instance_and_every_client_sees_the_signals(world: Any) -> None:
    starter, listener = world.connect(), world.connect()
    assert value_of(starter.call(*JOB_A, "Start", "asb", ["N=q"], True)) == INSTANCE_Q[0]
    messages = listener.messages()
    assert all(one.kind == SIGNAL for one in messages)
    seen = [(one.path, one.member, *one.arguments()) for one in messages]
    assert [one[1:] for one in seen if one[0] == JOB_A[0]] == [("InstanceAdded", INSTANCE_Q[0])]
    assert [one[1:] for one in seen if one[0] == INSTANCE_Q[0]] == [
        ("GoalChanged", "start"),
        ("StateChanged", "starting"),
        ("StateChanged", "pre-start"),
        ("StateChanged", "spawned"),
        ("StateChanged", "post-start"),
        ("StateChanged", "running"),
    ]
    assert [one[1:] for one in seen if one[0] == MANAGER[0]] == [
        ("EventEmitted", "starting", ["JOB=a", "INSTANCE=q"]),
        ("EventEmitted", "started", ["JOB=a", "INSTANCE=q"]),
    ]


def test_a_running_instance_shows_its_properties(world: Any) -> None:
    client = world.connect()
    client.call(*JOB_A, "Start", "asb", ["N=q"], True)
    found = value_of(client.call(INSTANCE_Q[0], PROPERTIES, "GetAll", "s", INSTANCE_Q[1]))
    assert list(found.items()) == [
        ("name", ("s", "q")),
        ("goal", ("s", "start")),
        ("state", ("s", "running")),
        ("processes", ("a(si)", [("main", 1001)])),
    ]


def test_a_job_shows_its_definition_with_conditions_in_postfix(world: Any) -> None:
    found = value_of(world.connect().call(JOB_A[0], PROPERTIES, "GetAll", "s", JOB_A[1]))
    assert list(found.items()) == [
        ("name", ("s", "a")),
        ("description", ("s", "desc here")),
        ("author", ("s", "auth")),
        ("version", ("s", "9")),
        ("usage", ("s", "use it")),
        ("start_on", ("aas", [["foo", "A=1"], ["bar"], ["baz"], ["/AND"], ["/OR"]])),
        ("stop_on", ("aas", [["qux"]])),
        ("emits", ("as", ["e1"])),
    ]


def test_recorded_errors(world: Any) -> None:
    client = world.connect()
    client.call(*JOB_A, "Start", "asb", ["N=q"], True)
    unknown = UPSTART_ERROR + "UnknownInstance"
    for call, expected in [
        ((*JOB_A, "GetInstance", "as", ["N=zz"]), (unknown, "Unknown instance: zz")),
        ((*JOB_A, "Start", "asb", ["N=q"], True), (UPSTART_ERROR + "AlreadyStarted", "Job is already running: a (q)")),
        ((*JOB_A, "Stop", "asb", ["N=none"], True), (unknown, "Unknown instance: none")),
        (
            (*MANAGER, "Nope"),
            (
                "org.freedesktop.DBus.Error.UnknownMethod",
                'Method "Nope" with signature "" on interface "com.ubuntu.Upstart0_6" doesn\'t exist\n',
            ),
        ),
        ((*MANAGER, "EmitEvent", "sasb", "ev", ["bad"], True), (INVALID_ARGS, "Env must be KEY=VALUE pairs")),
        ((*MANAGER, "EmitEvent", "sasb", "", [], True), (INVALID_ARGS, "Name may not be empty string")),
        ((*MANAGER, "GetJobByName", "as", ["a"]), (INVALID_ARGS, "Invalid arguments to GetJobByName method")),
    ]:
        assert error_of(client.call(*call)) == expected
    assert value_of(client.call(*JOB_A, "GetInstanceByName", "s", "q")) == INSTANCE_Q[0]
    assert value_of(client.call(*JOB_A, "GetInstance", "as", ["N=q"])) == INSTANCE_Q[0]
    assert value_of(client.call(*JOB_A, "GetAllInstances")) == [INSTANCE_Q[0]]


def test_a_missing_instance_variable_is_an_error_with_the_usage(world: Any) -> None:
    job = ("/com/ubuntu/Upstart/jobs/needs", JOB_A[1])
    for call in ("GetInstance", "as", []), ("Start", "asb", [], True):
        assert error_of(world.connect().call(*job, *call)) == (INVALID_ARGS, "Unknown parameter: Q\nUsage: needs Q=")


def test_introspection_data_are_the_recorded_ones(world: Any) -> None:
    """Upstart's own answers, layout and order included.

    The other jobs of this world have no instance: one child at the job.
    """
    client = world.connect()
    client.call(*JOB_A, "Start", "asb", ["N=q"], True)
    lines = [line[4:] for line in TRACE.read_text().splitlines() if line.startswith("  O")]
    recorded = re.findall(
        r"<!DOCTYPE node PUBLIC [^\n]*\n[^\n]*\n<node name=.*?\n</node>\n", "\n".join(lines) + "\n", re.DOTALL
    )
    assert len(recorded) == 3
    for path, expected in zip((MANAGER[0], JOB_A[0], INSTANCE_Q[0]), recorded):
        found = value_of(client.call(path, "org.freedesktop.DBus.Introspectable", "Introspect"))
        assert found == expected
    nowhere = value_of(client.call("/com/ubuntu/Upstart/nope", "org.freedesktop.DBus.Introspectable", "Introspect"))
    assert nowhere.endswith('introspect.dtd">\n<node>\n</node>\n')
    above = value_of(client.call("/com", "org.freedesktop.DBus.Introspectable", "Introspect"))
    assert above.endswith('<node>\n  <node name="ubuntu"/>\n</node>\n')


def test_log_priority_can_be_set_and_version_cannot(world: Any) -> None:
    client = world.connect()
    assert value_of(client.call(MANAGER[0], PROPERTIES, "Get", "ss", MANAGER[1], "version")) == (
        "s",
        "init (upstart 1.13.2)",
    )
    client.call(MANAGER[0], PROPERTIES, "Set", "ssv", MANAGER[1], "log_priority", ("s", "debug"))
    assert world.host.log_priority == "debug"
    wrong = client.call(MANAGER[0], PROPERTIES, "Set", "ssv", MANAGER[1], "log_priority", ("s", "loud"))
    assert error_of(wrong) == (INVALID_ARGS, "The log priority given was not recognised")
    wrong = client.call(MANAGER[0], PROPERTIES, "Set", "ssv", MANAGER[1], "log_priority", ("u", 3))
    assert error_of(wrong) == (INVALID_ARGS, "Invalid arguments to log_priority property")
    denied = client.call(MANAGER[0], PROPERTIES, "Set", "ssv", MANAGER[1], "version", ("s", "x"))
    assert error_of(denied) == ("org.freedesktop.DBus.Error.AccessDenied", "The version property is read-only")
    unknown = client.call(MANAGER[0], PROPERTIES, "Get", "ss", MANAGER[1], "nope")
    assert error_of(unknown)[0] == "org.freedesktop.DBus.Error.UnknownMethod"


def test_each_connection_counts_its_messages_from_one(world: Any) -> None:
    """dbus-send prints the number, and Upstart's answers on a fresh connection have 1."""
    first, second = world.connect(), world.connect()
    assert first.call(*MANAGER, "GetAllJobs").serial == 1
    second.call(*JOB_A, "Start", "asb", ["N=q"], True)
    assert world.connect().call(*MANAGER, "GetAllJobs").serial == 1
    numbers = [one.serial for one in first.messages()]
    assert numbers == list(range(2, 2 + len(numbers))) and len(numbers) > 5


def test_jobs_hear_the_news_first(new_world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world = new_world()
    world.connect()
    world.host.asked_by_a_job = True
    world.connect()
    outside, bridge = world.control.peers.values()
    told = []
    flush = Peer.flush
    monkeypatch.setattr(Peer, "flush", lambda peer: (told.append(peer), flush(peer)))
    world.host.define(Job(name="new"))
    world.loop.run_timers()
    assert told == [bridge, outside]


def test_a_signal_that_cannot_be_written_is_a_warning(world: Any) -> None:
    from ansible_collections.foster.init.plugins.module_utils.engine.messages import Announce

    client = world.connect()
    for effect in (
        Announce("EventEmitted", None, ("a\0b", ())),
        Announce("Unheard", None),
        Announce("Failed", ("a", "")),
    ):
        world.control.announce(effect)
    world.loop.settle()
    assert client.messages() == []
    assert len(world.host.calls) == 3


def test_an_unfinished_start_is_answered_when_it_ends_and_not_before(world: Any) -> None:
    world.host.hold_spawns = True
    client = world.connect()
    serial = client.request(*JOB_A, "Start", "asb", ["N=q"], True)
    assert [one for one in client.messages() if one.kind != SIGNAL] == []
    world.host.release()
    world.loop.settle()
    assert value_of(client.reply(serial)) == INSTANCE_Q[0]


def test_the_answer_for_a_client_that_has_gone_is_dropped(world: Any) -> None:
    world.host.hold_spawns = True
    client = world.connect()
    client.request(*JOB_A, "Start", "asb", ["N=q"], True)
    client.sock.close()
    world.loop.settle()
    assert not world.control.peers
    world.host.release()
    assert world.host.engine.jobs["a"].instances["q"].state == "running"


def test_a_call_without_interface_is_found_by_its_member(world: Any) -> None:
    assert value_of(world.connect().call(MANAGER[0], "", "GetJobByName", "s", "a")) == JOB_A[0]


def test_the_environment_table_of_all_jobs(world: Any) -> None:
    client = world.connect()
    client.call(*MANAGER, "SetEnv", "assb", [], "X=1", True)
    client.call(*MANAGER, "SetEnvList", "asasb", [], ["Y=2", "EMPTY"], True)
    assert value_of(client.call(*MANAGER, "GetEnv", "ass", [], "X")) == "1"
    assert value_of(client.call(*MANAGER, "GetEnv", "ass", [], "EMPTY")) == ""
    assert set(value_of(client.call(*MANAGER, "ListEnv", "as", []))) >= {"X=1", "Y=2", "EMPTY=", "PATH=/bin"}
    client.call(*MANAGER, "UnsetEnv", "ass", [], "X")
    assert error_of(client.call(*MANAGER, "GetEnv", "ass", [], "X")) == (INVALID_ARGS, "No such variable: X")
    client.call(*MANAGER, "UnsetEnvList", "asas", [], ["X", "Y"])  # what is not there is no error
    assert error_of(client.call(*MANAGER, "GetEnv", "ass", [], "Y")) == (INVALID_ARGS, "No such variable: Y")
    client.call(*MANAGER, "ResetEnv", "as", [])
    assert set(value_of(client.call(*MANAGER, "ListEnv", "as", []))) == {"PATH=/bin", "TERM=linux"}


def test_the_environment_table_of_one_instance(world: Any) -> None:
    client = world.connect()
    client.call(*JOB_A, "Start", "asb", ["N=q"], True)
    client.call(*MANAGER, "SetEnv", "assb", ["a", "q"], "X=1", True)
    assert value_of(client.call(*MANAGER, "GetEnv", "ass", ["a", "q"], "X")) == "1"
    assert error_of(client.call(*MANAGER, "GetEnv", "ass", [], "X"))[0] == INVALID_ARGS
    for details, expected in [
        (["zz", ""], (UPSTART_ERROR + "UnknownJob", "Unknown job: zz")),
        (["a", "zz"], (UPSTART_ERROR + "UnknownJobInstance", "Unknown instance: zz of job a")),
        (["a"], (UPSTART_ERROR + "UnknownJobInstance", "Unknown instance: (null) of job a")),
        ([""], (INVALID_ARGS, "Job may not be empty string")),
    ]:
        assert error_of(client.call(*MANAGER, "GetEnv", "ass", details, "X")) == expected


def test_requests_to_the_supervisor_itself(world: Any) -> None:
    client = world.connect()
    assert value_of(client.call(MANAGER[0], "org.foster.Init1", "ReadChanges")) is None
    for member in ("ReloadConfiguration", "EndSession", "NotifyDiskWriteable"):
        assert value_of(client.call(*MANAGER, member)) is None
    serial = client.request(*MANAGER, "Restart")
    assert [one for one in client.messages() if one.reply_serial == serial] == []
    assert world.host.calls == ["changes", "reload", "shutdown", "reexec"]


def test_an_instance_is_stopped_through_its_own_object(world: Any) -> None:
    client = world.connect()
    client.call(*JOB_A, "Start", "asb", ["N=q"], True)
    assert value_of(client.call(*INSTANCE_Q, "Stop", "b", True)) is None
    gone = client.call(*INSTANCE_Q, "Stop", "b", True)
    assert error_of(gone)[0] == "org.freedesktop.DBus.Error.UnknownMethod"


FOSTER = "org.foster.Init1"
_CHANGES = [
    (*MANAGER, "ReloadConfiguration"),
    (MANAGER[0], "org.foster.Init1", "ReadChanges"),
    (*MANAGER, "GetState"),
    (*MANAGER, "Restart"),
    (*MANAGER, "EndSession"),
    (*MANAGER, "NotifyDiskWriteable"),
    (*MANAGER, "NotifyDBusAddress", "s", "x"),
    (*MANAGER, "NotifyCGroupManagerAddress", "s", "x"),
    (*MANAGER, "GetEnv", "ass", [], "PATH"),
    (*MANAGER, "ListEnv", "as", []),
    (*MANAGER, "SetEnv", "assb", [], "X=1", True),
    (*MANAGER, "SetEnvList", "asasb", [], ["X=1"], True),
    (*MANAGER, "UnsetEnv", "ass", [], "PATH"),
    (*MANAGER, "UnsetEnvList", "asas", [], ["PATH"]),
    (*MANAGER, "ResetEnv", "as", []),
    (*MANAGER, "EmitEvent", "sasb", "e", [], False),
    (*MANAGER, "EmitEventWithFile", "sasbh", "e", [], False, 0),
    (MANAGER[0], FOSTER, "Emit", "sasb", "e", [], False),
    (MANAGER[0], FOSTER, "Foresee", "sas", "e", []),
    (MANAGER[0], PROPERTIES, "Set", "ssv", MANAGER[1], "log_priority", ("s", "debug")),
    (*JOB_A, "Start", "asb", [], False),
    (*JOB_A, "Stop", "asb", ["N=q"], False),
    (*JOB_A, "Restart", "asb", ["N=q"], False),
    (*INSTANCE_Q, "Start", "b", False),
    (*INSTANCE_Q, "Stop", "b", False),
    (*INSTANCE_Q, "Restart", "b", False),
    (*INSTANCE_Q, "Reload"),
]


@pytest.mark.parametrize("call", _CHANGES, ids=lambda call: ".".join((call[1].rpartition(".")[2], call[2])))
def test_somebody_who_may_only_read_changes_nothing(world: Any, call: Any) -> None:
    admin = world.connect()
    admin.call(*JOB_A, "Start", "asb", ["N=q"], True)
    stranger = world.connect(privileged=False)
    before = world.host.engine.environment, world.host.engine.jobs["a"].instances["q"].processes
    name, text = error_of(stranger.call(*call))
    assert name == UPSTART_ERROR + "PermissionDenied"
    assert text.startswith("You do not have permission to ")
    assert world.host.calls == []
    assert (world.host.engine.environment, world.host.engine.jobs["a"].instances["q"].processes) == before
    assert set(world.host.engine.jobs["a"].instances) == {"q"}


def test_every_changing_method_is_in_the_permission_test() -> None:
    """A method that is added to the tables must be sorted into reading or changing."""
    from ansible_collections.foster.init.plugins.module_utils.dbus import upstart

    reading = {
        "GetJobByName", "GetAllJobs", "GetInstance", "GetInstanceByName", "GetAllInstances", "Describe", "Capabilities",
        "History", "Explain", "Events",
    }  # fmt: skip
    tested = {(call[1], call[2]) for call in _CHANGES}
    for interface in (upstart.MANAGER, upstart.JOB, upstart.INSTANCE, upstart.FOSTER):
        for method in interface.methods:
            assert method.name in reading or (interface.name, method.name) in tested


@pytest.mark.parametrize(
    "question", [("Describe", "as", ["a"]), ("History", "s", "a"), ("Explain", "ss", "a", "")], ids=lambda each: each[0]
)
def test_log_lines_are_not_for_strangers(world: Any, question: tuple[Any, ...]) -> None:
    """History and Explain have told them to every local user where `readers` is `everyone`."""
    foster = (MANAGER[0], FOSTER)
    assert "secret" in value_of(world.connect().call(*foster, *question))
    found = value_of(world.connect(privileged=False).call(*foster, *question))
    assert "secret" not in found and '"exit_status": 1' in found


def test_a_mistake_inside_the_supervisor_costs_one_request(world: Any) -> None:
    def broken() -> str:
        raise KeyError("oops")

    world.host.state_json = broken
    client = world.connect()
    name, text = error_of(client.call(*MANAGER, "GetState"))
    assert name == "org.freedesktop.DBus.Error.Failed" and "oops" in text
    assert value_of(client.call(*MANAGER, "GetJobByName", "s", "a")) == JOB_A[0]


def test_ping_and_no_reply(world: Any) -> None:
    client = world.connect()
    assert value_of(client.call("/", "org.freedesktop.DBus.Peer", "Ping")) is None
    from ansible_collections.foster.init.plugins.module_utils.dbus.message import assemble_call, call_fields

    data = bytearray(assemble_call(call_fields(*MANAGER, "ReloadConfiguration", ""), 99, b""))
    data[2] = 1  # no reply expected
    client.send(bytes(data))
    assert client.messages() == []
    assert world.host.calls == ["reload"]
