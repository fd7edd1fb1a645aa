# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a unit and of its drop-ins: sections of ``Directive=value`` (systemd.syntax(7))."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Optional

from ..errors import JobError, shown


def names(text: str) -> list[str]:
    """Return the words of a table that is written as a text."""
    return text.split()


class Line(NamedTuple):
    """One assignment and where it is written."""

    section: str
    directive: str
    value: str
    path: str
    line: int

    @property
    def where(self) -> str:
        """Return path:line."""
        return f"{self.path}:{self.line}"


# A later assignment of these adds to the earlier ones, and an empty one forgets them; of the others the last counts.
LISTS = frozenset(
    names("""
    After Alias Also AmbientCapabilities BPFProgram Before BindPaths BindReadOnlyPaths BindsTo CacheDirectory
    CapabilityBoundingSet ConfigurationDirectory Conflicts CPUAffinity DeviceAllow Documentation Environment
    EnvironmentFile ExecCondition ExecPaths ExecReload ExecReloadPost ExecStart ExecStartPost ExecStartPre ExecStop
    ExecStopPost IODeviceLatencyTargetSec IOReadBandwidthMax IOWriteBandwidthMax IPAddressAllow IPAddressDeny
    ImportCredential InaccessibleDirectories InaccessiblePaths JoinsNamespaceOf LoadCredential LoadCredentialEncrypted
    LogExtraFields LogFilterPatterns LogsDirectory NoExecPaths OnFailure OnSuccess OpenFile PartOf PassEnvironment
    PropagatesReloadTo PropagatesStopTo ReadOnlyDirectories ReadOnlyPaths ReadWriteDirectories ReadWritePaths
    ReloadPropagatedFrom RequiredBy Requires RequiresMountsFor Requisite RestartForceExitStatus
    RestartPreventExitStatus RestrictAddressFamilies RestrictFileSystems RestrictNetworkInterfaces RuntimeDirectory
    SetCredential SocketBindAllow SocketBindDeny Sockets StateDirectory StopPropagatedFrom SuccessExitStatus
    SupplementaryGroups SystemCallFilter SystemCallLog TemporaryFileSystem UnsetEnvironment Upholds UpheldBy WantedBy
    Wants WantsMountsFor
    """)
)

_MEMORY = ("Condition", "Assert")  # all of a kind are one list: an empty one forgets all conditions


class Unit:
    """The assignments that are in force, in the order in which they are written."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._lines: list[Line] = []
        for line in lines:
            self._add(line)

    def _add(self, new: Line) -> None:
        word = next((word for word in _MEMORY if new.section == "Unit" and new.directive.startswith(word)), "")
        if new.value == "":
            self._lines = [
                old
                for old in self._lines
                if old.section != new.section
                or not (old.directive == new.directive or (word and old.directive.startswith(word)))
            ]
            return
        if new.directive not in LISTS and not word:
            self._lines = [old for old in self._lines if (old.section, old.directive) != (new.section, new.directive)]
        self._lines.append(new)

    def __iter__(self) -> Iterator[Line]:
        return iter(self._lines)

    def lines(self, *directives: str, section: str = "Service") -> list[Line]:
        """Return the assignments of ``directives``, in order."""
        return [each for each in self._lines if each.section == section and each.directive in directives]

    def line(self, *directives: str, section: str = "Service") -> Optional[Line]:
        """Return the last assignment of any of ``directives``."""
        found = self.lines(*directives, section=section)
        return found[-1] if found else None

    def value(self, *directives: str, default: str = "", section: str = "Service") -> str:
        """Return the value of the last assignment of any of ``directives``."""
        found = self.line(*directives, section=section)
        return found.value if found else default

    def words(self, *directives: str, section: str = "Service") -> list[str]:
        """Return the words of all assignments of ``directives``."""
        return [word for each in self.lines(*directives, section=section) for word in each.value.split()]


def read_unit(texts: Iterable[tuple[str, str]]) -> Unit:
    """Return the unit that the (path, text) pairs make: its file first, then the drop-ins as they count.

    Raises JobError for a line that is none of a unit file.
    """
    return Unit([line for path, text in texts for line in _read(path, text)])


def _read(path: str, text: str) -> Iterable[Line]:
    section = ""
    pending, begin = "", 0
    for number, raw in enumerate(text.split("\n"), 1):
        stripped = raw.strip()
        if stripped.startswith(("#", ";")):  # also between the lines of a continued one
            continue
        if not pending:
            begin = number
        pending += raw.strip() if not pending else " " + stripped
        if pending.endswith("\\"):
            pending = pending[:-1].rstrip()
            if pending:
                continue
        whole, pending = pending.strip(), ""
        if not whole:
            continue
        if whole.startswith("[") and whole.endswith("]"):
            section = whole[1:-1]
            continue
        directive, equals, value = whole.partition("=")
        if not equals or not section:
            raise JobError(f"{shown(whole)} is neither a section nor a Directive=value in one", path, begin)
        yield Line(section, directive.strip(), value.strip(), path, begin)
    if pending:
        directive, equals, value = pending.partition("=")
        if equals and section:
            yield Line(section, directive.strip(), value.strip(), path, begin)
