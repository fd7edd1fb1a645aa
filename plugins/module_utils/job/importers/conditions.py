# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditions and assertions of a unit as tests for a shell (systemd.unit(5), CONDITIONS AND ASSERTS)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Callable, Optional

from .commandline import quoted
from .imported import BEHAVIOUR, Check, Lost
from .quantities import boolean
from .unitfile import Line

# capabilities(7), include/uapi/linux/capability.h
CAPABILITIES = (
    "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
    "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
    "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
    "sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
    "mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
    "checkpoint_restore",
)  # fmt: skip

_CONTAINER = (
    "{ [ -e /run/.containerenv ] || [ -e /.dockerenv ] || [ -e /run/systemd/container ] || "
    "tr '\\000' '\\n' </proc/1/environ 2>/dev/null | grep -q '^container='; }"
)
_MACHINE = "grep -q '^flags.* hypervisor' /proc/cpuinfo"


def _path(option: str) -> Callable[[str], str]:
    return lambda value: f"[ {option} {quoted(value)} ]"


def _glob(value: str) -> str:
    pattern = "".join(character if character in "*?[]" else quoted(character) for character in value)
    return f'[ -n "$(for each in {pattern}; do if [ -e "$each" ]; then echo 1; fi; done)" ]'


def _virtualization(value: str) -> Optional[str]:
    kinds = {"container": _CONTAINER, "vm": _MACHINE}
    if value in kinds:
        return kinds[value]
    try:
        return f"{{ {_CONTAINER} || {_MACHINE}; }}" if boolean(value) else f"! {{ {_CONTAINER} || {_MACHINE}; }}"
    except ValueError:
        return None


def _capability(value: str) -> Optional[str]:
    name = value.lower()
    name = name[4:] if name.startswith("cap_") else name
    if name not in CAPABILITIES:
        return None
    mask = "0x$(sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status)"
    return f"[ $(( {mask} >> {CAPABILITIES.index(name)} & 1 )) = 1 ]"


_TESTS: dict[str, Callable[[str], Optional[str]]] = {
    "PathExists": _path("-e"),
    "PathExistsGlob": _glob,
    "PathIsDirectory": _path("-d"),
    "PathIsSymbolicLink": _path("-L"),
    "PathIsSocket": _path("-S"),
    "PathIsReadWrite": _path("-w"),
    "FileIsExecutable": _path("-x"),
    "FileNotEmpty": _path("-s"),
    "DirectoryNotEmpty": lambda value: f'[ -n "$(ls -A {quoted(value)} 2>/dev/null)" ]',
    "PathIsMountPoint": lambda value: f"grep -q {quoted(f' {value} ')} /proc/self/mountinfo",
    "KernelCommandLine": lambda value: f"grep -qE {quoted(f'(^| ){_regular(value)}([ =]|$)')} /proc/cmdline",
    "Virtualization": _virtualization,
    "Capability": _capability,
    "Group": lambda value: f"id -Gn | grep -qw {quoted(value)}",
    "Environment": lambda value: f"env | grep -qE {quoted(f'^{_regular(value)}(=|$)')}",
}
# with those that say what to be run on: the host is what it is, and starts the job
_TAKEN_FOR_TRUE = {
    "ACPower": "whether the host runs on mains is not looked at",
    "Architecture": "a package that is installed fits the architecture",
    "FirstBoot": "there is no first boot here",
    "NeedsUpdate": "there is no offline update here",
    "Host": "the host's name is not looked at",
    "KernelVersion": "the kernel's version is not looked at",
    "CPUs": "processors are not counted",
    "Memory": "memory is not counted",
    "Security": "security modules are not looked for",
    "User": "jobs run as root until they change their user",
    "ControlGroupController": "controllers are not looked for",
    "CPUFeature": "features of the processor are not looked for",
    "OSRelease": "the distribution's name is not looked at",
    "Firmware": "the firmware is not looked at",
    "Credential": "there are no credentials here",
    "MemoryPressure": "pressure is not looked at",
    "CPUPressure": "pressure is not looked at",
    "IOPressure": "pressure is not looked at",
    "PathIsEncrypted": "whether a disk is encrypted is not looked at",
    "Version": "there is no version of systemd here",
}


def _regular(value: str) -> str:
    return "".join(
        character if character.isalnum() or character in "_-=/,:" else "\\" + character for character in value
    )


def is_condition(directive: str) -> bool:
    """Say whether the directive of a [Unit] is a condition or an assertion."""
    return directive.startswith(("Condition", "Assert"))


def checks(lines: Iterable[Line]) -> tuple[list[Check], list[Lost]]:
    """Return the checks that the conditions of a unit are, and those that are taken for true."""
    found: list[Check] = []
    lost: list[Lost] = []
    either: dict[bool, list[tuple[str, str]]] = {False: [], True: []}
    for line in lines:
        fails = line.directive.startswith("Assert")
        kind = line.directive[len("Assert" if fails else "Condition") :]
        value = line.value
        triggers = value.startswith("|")
        value = value[1:].lstrip() if triggers else value
        negated = value.startswith("!")
        value = value[1:].lstrip() if negated else value
        make = _TESTS.get(kind)
        test = make(value) if make else None
        if test is None:
            why = _TAKEN_FOR_TRUE.get(kind, f"there is no such condition as {value} here")
            lost.append(Lost(line.directive, line.value, BEHAVIOUR, False, f"Is taken for true: {why}.", line.where))
            test, negated = "true", False
        shown = f"{line.directive}={line.value}"
        test = f"! {test}" if negated else test
        if triggers:
            either[fails].append((shown, test))
        elif test != "true":
            found.append(Check(shown, test, fails))
    for fails, several in either.items():
        if several and not any(test == "true" for _shown, test in several):
            shown = " or ".join(shown for shown, _test in several)
            found.append(Check(shown, "{ " + " || ".join(f"{{ {test}; }}" for _shown, test in several) + "; }", fails))
    return found, lost
