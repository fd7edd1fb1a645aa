# SPDX-License-Identifier: GPL-3.0-or-later
"""The interfaces that the supervisor speaks, as tables: methods, signals, properties; object paths; introspection data.

Source: the interface descriptions that Upstart 1.13.2 publishes (dbus/com.ubuntu.Upstart*.xml, "Communication and
interaction with
Upstart through this interface is permitted without restriction"); the order and the layout of the introspection data
are those of
its answers. ``org.foster.Init1`` is ours, and is not in the introspection data: to an Upstart client nothing looks
different.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import NamedTuple

DESTINATION = "com.ubuntu.Upstart"
SYSTEM_ADDRESS = "unix:abstract=/com/ubuntu/upstart"  # Upstart's own, as PID 1

MANAGER_PATH = "/com/ubuntu/Upstart"
JOBS_PATH = "/com/ubuntu/Upstart/jobs"

MANAGER_INTERFACE = "com.ubuntu.Upstart0_6"
JOB_INTERFACE = "com.ubuntu.Upstart0_6.Job"
INSTANCE_INTERFACE = "com.ubuntu.Upstart0_6.Instance"
FOSTER_INTERFACE = "org.foster.Init1"
PROPERTIES_INTERFACE = "org.freedesktop.DBus.Properties"
INTROSPECTABLE_INTERFACE = "org.freedesktop.DBus.Introspectable"
PEER_INTERFACE = "org.freedesktop.DBus.Peer"

ERROR_PREFIX = "com.ubuntu.Upstart0_6.Error."
PERMISSION_DENIED = ERROR_PREFIX + "PermissionDenied"

Args = tuple[tuple[str, str], ...]  # (name, signature)


class Method(NamedTuple):
    name: str
    takes: Args = ()
    gives: Args = ()

    @property
    def signature(self) -> str:
        """Return the signature of what the method takes."""
        return "".join(signature for _name, signature in self.takes)

    @property
    def returns(self) -> str:
        """Return the signature of what the method gives back."""
        return "".join(signature for _name, signature in self.gives)


class SignalDefinition(NamedTuple):
    name: str
    carries: Args = ()

    @property
    def signature(self) -> str:
        return "".join(signature for _name, signature in self.carries)


class Property(NamedTuple):
    name: str
    signature: str
    writable: bool = False


class Interface(NamedTuple):
    name: str
    methods: tuple[Method, ...] = ()
    signals: tuple[SignalDefinition, ...] = ()
    properties: tuple[Property, ...] = ()


_DETAILS = ("job_details", "as")

MANAGER = Interface(
    MANAGER_INTERFACE,
    (
        Method("ReloadConfiguration"),
        Method("GetJobByName", (("name", "s"),), (("job", "o"),)),
        Method("GetAllJobs", (), (("jobs", "ao"),)),
        Method("GetState", (), (("state", "s"),)),
        Method("Restart"),
        Method("GetEnv", (_DETAILS, ("name", "s")), (("value", "s"),)),
        Method("SetEnv", (_DETAILS, ("var", "s"), ("replace", "b"))),
        Method("SetEnvList", (_DETAILS, ("vars", "as"), ("replace", "b"))),
        Method("UnsetEnv", (_DETAILS, ("name", "s"))),
        Method("UnsetEnvList", (_DETAILS, ("name", "as"))),
        Method("ListEnv", (_DETAILS,), (("env", "as"),)),
        Method("ResetEnv", (_DETAILS,)),
        Method("EmitEvent", (("name", "s"), ("env", "as"), ("wait", "b"))),
        Method("EmitEventWithFile", (("name", "s"), ("env", "as"), ("wait", "b"), ("file", "h"))),
        Method("NotifyDiskWriteable"),
        Method("NotifyDBusAddress", (("address", "s"),)),
        Method("NotifyCGroupManagerAddress", (("address", "s"),)),
        Method("EndSession"),
    ),
    (
        SignalDefinition("JobAdded", (("job", "o"),)),
        SignalDefinition("JobRemoved", (("job", "o"),)),
        SignalDefinition("EventEmitted", (("name", "s"), ("env", "as"))),
        SignalDefinition("Restarted"),
    ),
    (Property("version", "s"), Property("log_priority", "s", writable=True)),
)

JOB = Interface(
    JOB_INTERFACE,
    (
        Method("GetInstance", (("env", "as"),), (("instance", "o"),)),
        Method("GetInstanceByName", (("name", "s"),), (("instance", "o"),)),
        Method("GetAllInstances", (), (("instances", "ao"),)),
        Method("Start", (("env", "as"), ("wait", "b")), (("instance", "o"),)),
        Method("Stop", (("env", "as"), ("wait", "b"))),
        Method("Restart", (("env", "as"), ("wait", "b")), (("instance", "o"),)),
    ),
    (
        SignalDefinition("InstanceAdded", (("instance", "o"),)),
        SignalDefinition("InstanceRemoved", (("instance", "o"),)),
    ),
    (
        Property("name", "s"),
        Property("description", "s"),
        Property("author", "s"),
        Property("version", "s"),
        Property("usage", "s"),
        Property("start_on", "aas"),
        Property("stop_on", "aas"),
        Property("emits", "as"),
    ),
)

INSTANCE = Interface(
    INSTANCE_INTERFACE,
    (
        Method("Start", (("wait", "b"),)),
        Method("Stop", (("wait", "b"),)),
        Method("Restart", (("wait", "b"),)),
        Method("Reload"),
    ),
    (
        SignalDefinition("GoalChanged", (("goal", "s"),)),
        SignalDefinition("StateChanged", (("state", "s"),)),
        SignalDefinition("Failed", (("status", "i"),)),
    ),
    (Property("name", "s"), Property("goal", "s"), Property("state", "s"), Property("processes", "a(si)")),
)

FOSTER = Interface(
    FOSTER_INTERFACE,
    (
        Method("Describe", (("jobs", "as"),), (("json", "s"),)),
        Method("Capabilities", (), (("json", "s"),)),
        Method("History", (("job", "s"),), (("json", "s"),)),
        Method("Explain", (("job", "s"), ("instance", "s")), (("json", "s"),)),
        Method("Emit", (("name", "s"), ("env", "as"), ("wait", "b")), (("json", "s"),)),
        Method("Foresee", (("name", "s"), ("env", "as")), (("json", "s"),)),
        Method("Events", (), (("json", "s"),)),
        Method("ReadChanges"),
    ),
)

PROPERTIES = Interface(
    PROPERTIES_INTERFACE,
    (
        Method("Get", (("interface_name", "s"), ("property_name", "s")), (("value", "v"),)),
        Method("Set", (("interface_name", "s"), ("property_name", "s"), ("value", "v"))),
        Method("GetAll", (("interface_name", "s"),), (("props", "a{sv}"),)),
    ),
)

INTROSPECTABLE = Interface(INTROSPECTABLE_INTERFACE, (Method("Introspect", (), (("data", "s"),)),))


# ---- object paths -------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=256)  # a start sends ten signals of the same instance
def escape(element: str) -> str:
    """Return ``element`` as one element of an object path: ``_`` when empty, other bytes than letters and digits as
    ``_xx``.
    """
    if element.isalnum() and element.isascii():
        return element
    if not element:
        return "_"
    raw = element.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if chr(byte).isalnum() and byte < 128 else f"_{byte:02x}" for byte in raw)


def unescape(element: str) -> str:
    """Return what was escaped into ``element``; what is no escape is left as it is."""
    if "_" not in element:
        return element
    if element == "_":
        return ""
    raw = bytearray()
    first, *rest = element.split("_")
    raw += first.encode()
    for part in rest:
        code = part[:2]
        if len(code) == 2 and all(digit in "0123456789abcdefABCDEF" for digit in code):
            raw.append(int(code, 16))
            raw += part[2:].encode()
        else:
            raw += b"_" + part.encode()
    return raw.decode("utf-8", "surrogateescape")


def job_path(job: str) -> str:
    """Return the object path of a job."""
    return f"{JOBS_PATH}/{escape(job)}"


def instance_path(job: str, instance: str) -> str:
    """Return the object path of an instance of a job; the unnamed one is ``_``."""
    return f"{JOBS_PATH}/{escape(job)}/{escape(instance)}"


def names_in(path: str) -> tuple[str, ...]:
    """Return () for the manager's path, (job,) for a job's, (job, instance) for an instance's.

    Raise ValueError for others.
    """
    if path == MANAGER_PATH:
        return ()
    if path.startswith(JOBS_PATH + "/"):
        elements = path[len(JOBS_PATH) + 1 :].split("/")
        if len(elements) <= 2 and all(elements):
            return tuple(unescape(element) for element in elements)
    raise ValueError(f"{path} is not the path of a job or an instance")


# ---- introspection data -------------------------------------------------------------------------------------

_DOCTYPE = (
    '<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"\n'
    '"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">\n'
)


def introspection(path: str, interface: Interface, children: Iterable[str]) -> str:
    """Return the introspection data of an object with ``interface``; ``children``: escaped path elements below it."""
    lines = [f'<node name="{path}">']
    for one in (interface, PROPERTIES, INTROSPECTABLE):
        lines += _interface_lines(one)
    lines += [f'  <node name="{child}"/>' for child in sorted(children)]
    lines.append("</node>\n")
    return _DOCTYPE + "\n".join(lines)


def bare_introspection(children: Iterable[str]) -> str:
    """Return the introspection data of a path where no object is, as libdbus gives it."""
    lines = ["<node>", *(f'  <node name="{child}"/>' for child in sorted(children)), "</node>\n"]
    return _DOCTYPE + "\n".join(lines)


def _interface_lines(interface: Interface) -> list[str]:
    lines = [f'  <interface name="{interface.name}">']
    for method in interface.methods:
        lines.append(f'    <method name="{method.name}">')
        for direction, arguments in (("in", method.takes), ("out", method.gives)):
            lines += [f'      <arg name="{name}" type="{kind}" direction="{direction}"/>' for name, kind in arguments]
        lines.append("    </method>")
    for signal in interface.signals:
        lines.append(f'    <signal name="{signal.name}">')
        lines += [f'      <arg name="{name}" type="{kind}"/>' for name, kind in signal.carries]
        lines.append("    </signal>")
    for one in interface.properties:
        access = "readwrite" if one.writable else "read"
        lines.append(f'    <property name="{one.name}" type="{one.signature}" access="{access}"/>')
    lines.append("  </interface>")
    return lines
