# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom a daemon runs as, and with which rights: as stanzas where they suffice, else through util-linux's setpriv(1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from .commandline import quoted
from .conditions import CAPABILITIES
from .imported import BEHAVIOUR, PROTECTION, Around, Lost
from .quantities import boolean
from .unitfile import Line, Unit

_SETPCAP, _SYS_NICE, _SYS_ADMIN = 8, 23, 21
_IO_CLASSES = {"none": "0", "realtime": "1", "best-effort": "2", "idle": "3"}
_POLICIES = {"other": "-o", "batch": "-b", "idle": "-i", "fifo": "-f", "rr": "-r"}
_SECURE_BITS = {
    "keep-caps": "", "keep-caps-locked": "+keep_caps_locked", "no-setuid-fixup": "+no_setuid_fixup",
    "no-setuid-fixup-locked": "+no_setuid_fixup_locked", "noroot": "+noroot", "noroot-locked": "+noroot_locked",
}  # fmt: skip


@dataclass(frozen=True)
class Privileges:
    """``user`` and ``group`` "" for root's. ``rights``: options of setpriv; ``nicety``: commands before it."""

    user: str = ""
    group: str = ""
    groups: tuple[str, ...] = ()
    rights: tuple[str, ...] = ()
    nicety: tuple[str, ...] = ()

    def plain(self, root_hooks: bool) -> bool:
        """Say whether the stanzas setuid and setgid suffice."""
        return not self.groups and not self.rights and not (root_hooks and (self.user or self.group))

    def wrapper(self, identity: bool = True) -> str:
        """Return the words to put before a command that is to run like this."""
        options: list[str] = []
        if identity and (self.user or self.group or self.groups):
            user = quoted(self.user or "root")
            group = quoted(self.group) if self.group else f"$(id -g {user})"
            options += [f"--reuid {user}", f"--regid {group}"]
            extra = "".join(f",{quoted(name)}" for name in self.groups)
            options.append(f'--groups "$(id -G {user} | tr " " ,)"{extra}' if extra else _groups(self.user))
        options += self.rights
        return " ".join([*self.nicety, *(["setpriv", *options, "--"] if options else [])])


def _groups(user: str) -> str:
    return "--init-groups" if user else "--clear-groups"


def privileges(unit: Unit, around: Around) -> tuple[Privileges, list[Lost]]:
    """Return what a unit says about users and rights, and what of it this host does not allow. Raises ValueError."""
    lost: list[Lost] = []
    user = unit.value("User")
    found = Privileges(
        user="" if user in ("root", "0") else user,
        group="" if unit.value("Group") in ("root", "0") and not user else unit.value("Group"),
        groups=tuple(unit.words("SupplementaryGroups")),
        rights=tuple(_rights(unit, around, lost)),
        nicety=tuple(_nicety(unit, around, lost)),
    )
    return found, lost


def _rights(unit: Unit, around: Around, lost: list[Lost]) -> list[str]:
    rights: list[str] = []
    bounding = unit.lines("CapabilityBoundingSet")
    if bounding:
        kept = _kept(bounding)
        if around.may(_SETPCAP):
            rights.append("--bounding-set " + ",".join(["-all", *(f"+{name}" for name in kept)]))
        else:
            lost += [_not_allowed(line, PROTECTION, "CAP_SETPCAP") for line in bounding]
    ambient = [_capability(word) for word in unit.words("AmbientCapabilities")]
    held = [name for name in ambient if name in CAPABILITIES and around.may(CAPABILITIES.index(name))]
    if len(held) < len(ambient):
        lost += [_not_allowed(line, BEHAVIOUR, "what it asks for") for line in unit.lines("AmbientCapabilities")]
    if held:
        names = ",".join(f"+{name}" for name in held)
        rights += [f"--inh-caps {names}", f"--ambient-caps {names}"]
    bits = [_SECURE_BITS.get(word, "") for word in unit.words("SecureBits")]
    if any(bits):
        rights.append("--securebits " + ",".join(bit for bit in bits if bit))
    line = unit.line("NoNewPrivileges")
    if line is not None and boolean(line.value):
        rights.append("--no-new-privs")
    return rights


def _capability(word: str) -> str:
    name = word.lower()
    return name[4:] if name.startswith("cap_") else name


def _kept(lines: list[Line]) -> list[str]:
    """Return the capabilities that stay: lists add up, one with ~ takes away."""
    kept: Optional[set[str]] = None
    for line in lines:
        inverted = line.value.startswith("~")
        names = {_capability(word) for word in line.value.lstrip("~").split()}
        if inverted:
            kept = (set(CAPABILITIES) if kept is None else kept) - names
        else:
            kept = (kept or set()) | names
    return [name for name in CAPABILITIES if name in (kept or ())]


def _nicety(unit: Unit, around: Around, lost: list[Lost]) -> list[str]:
    words: list[str] = []
    kind, priority = unit.line("IOSchedulingClass"), unit.line("IOSchedulingPriority")
    number = _IO_CLASSES.get(kind.value, kind.value) if kind else "2"
    if kind or priority:
        if number == "1" and not around.may(_SYS_ADMIN):
            lost.append(_not_allowed(kind or priority, BEHAVIOUR, "CAP_SYS_ADMIN"))  # type: ignore[arg-type]
        elif number in ("1", "2", "3"):
            level = f" -n {int(priority.value)}" if priority and number != "3" else ""
            words.append(f"ionice -c {number}{level}")
    policy = unit.line("CPUSchedulingPolicy")
    if policy is not None and policy.value in _POLICIES and policy.value != "other":
        real_time = policy.value in ("fifo", "rr")
        if real_time and not around.may(_SYS_NICE):
            lost.append(_not_allowed(policy, BEHAVIOUR, "CAP_SYS_NICE"))
        else:
            rank = int(unit.value("CPUSchedulingPriority", default="1")) if real_time else 0
            words.append(f"chrt {_POLICIES[policy.value]} {rank}")
    affinity = unit.words("CPUAffinity")
    if affinity and all(set(word) <= set("0123456789,-") for word in affinity):
        words.append(f"taskset -c {','.join(word.strip(',') for word in affinity)}")
    return words


def _not_allowed(line: Line, kind: str, what: str) -> Lost:
    sentence = f"Is not in force: the supervisor lacks {what} on this host."
    return Lost(line.directive, line.value, kind, True, sentence, line.where)
