# SPDX-License-Identifier: GPL-3.0-or-later
"""A systemd service, its drop-ins included, as a job (systemd.service(5), systemd.exec(5), systemd.kill(5))."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Optional

from ..errors import JobError
from ..model import Condition, Job, Match, Or, Process
from ..names import check_name
from . import conditions, folders, lifecycle, resources, scripts, specifiers, unlike
from .commandline import Command, commands, quoted
from .commandline import split as split_words
from .imported import BEHAVIOUR, Around, Imported, Lost
from .privileges import Privileges, privileges
from .quantities import boolean, octal
from .unitfile import Line, Unit, names, read_unit

_COMMANDS = names("ExecCondition ExecStartPre ExecStart ExecStartPost ExecReload ExecStop ExecStopPost")

# what becomes part of the job; of the rest `unlike` says why it does not
CARRIED = frozenset(
    {"Service." + word for word in _COMMANDS}
    | {
        "Service." + word
        for word in names("""
        Type PIDFile BusName RemainAfterExit Environment EnvironmentFile PassEnvironment UnsetEnvironment
        WorkingDirectory RootDirectory UMask StandardInput StandardOutput StandardError AppArmorProfile
        User Group SupplementaryGroups CapabilityBoundingSet AmbientCapabilities SecureBits NoNewPrivileges
        IOSchedulingClass IOSchedulingPriority CPUSchedulingPolicy CPUSchedulingPriority CPUAffinity DynamicUser
        """)
    }
    | {"Service." + word for word in folders.MANAGED}
    | {"Service." + word for word in lifecycle.CARRIED}
    | {"Service." + word for word in resources.CARRIED}
    | {"Unit." + word for word in names("StartLimitInterval StartLimitIntervalSec StartLimitBurst PartOf BindsTo")}
    | {"Unit.Conflicts"}
)


def import_unit(
    name: str, texts: Sequence[tuple[str, str]], around: Around, tmpfiles: Sequence[tuple[str, str]] = ()
) -> Imported:
    """Return the job that the service ``name`` (without ``.service``) is.

    ``texts``: path and text of its file, then of its drop-ins in their order; ``tmpfiles``: of the tmpfiles.d files
    that belong to it. Raises JobError, with path and line, for a unit that no job can stand for.
    """
    check_name(name)
    path = texts[0][0] if texts else ""
    if name.endswith("@"):
        raise JobError(f"{name}.service is a template: name one of its instances, such as {name}main", path)
    table = specifiers.table(name, path, around)
    words = specifiers.for_words(table)
    unit = Unit(
        line._replace(value=specifiers.replace(line.value, words if line.directive.startswith("Exec") else table))
        for line in read_unit(texts)
    )
    return _Service(name, path, unit, around, folders.from_tmpfiles(tmpfiles, table)).imported()


class _Service:
    """One unit on its way to a job; ``lost`` collects what is left behind."""

    def __init__(self, name: str, path: str, unit: Unit, around: Around, files: tuple[list[str], list[Lost]]) -> None:
        self.name, self.path, self.unit, self.around = name, path, unit, around
        self.prepare, self.lost = list(files[0]), list(files[1])
        self.commands = {kind: self._commands(kind) for kind in _COMMANDS}
        self.kind = self._type()

    def imported(self) -> Imported:
        """Return all of it."""
        unit = self.unit
        checks, taken = conditions.checks(line for line in unit if conditions.is_condition(line.directive))
        self.lost += taken
        rights = self._checked("User", self._privileges)
        owner, group = rights.user, rights.group
        make, variables, remove = folders.managed(unit, owner, group)
        self.prepare += make
        root_hooks = bool(self.prepare or remove or checks or any(c.full for cs in self.commands.values() for c in cs))
        root_hooks = root_hooks or self._flag("PermissionsStartOnly")
        plain = rights.plain(root_hooks)
        writer = scripts.Writer(
            self.name, unit.value("PIDFile"), "" if plain else rights.wrapper(), self._flag("PermissionsStartOnly")
        )
        job = Job(
            name=self.name,
            description=unit.value("Description", section="Unit") or None,
            start_on=self._start_on(),
            stop_on=self._stop_on(),
            env=(*self._environment(rights), *variables),
            env_files=tuple(line.value for line in unit.lines("EnvironmentFile")),
            setuid=(rights.user or None) if plain else None,
            setgid=(rights.group or None) if plain else None,
            umask=self._checked("UMask", lambda: octal(unit.value("UMask")) & 0o777) if unit.line("UMask") else None,
            chroot=unit.value("RootDirectory") or None,
            apparmor_switch=unit.value("AppArmorProfile").lstrip("-") or None,
            console="none" if self._silent() else "log",
            **self._lifecycle(),
            **self._resources(),
        )
        job = self._with_commands(job, writer, checks, remove)
        self._collect()
        return Imported(
            job=job,
            reload=self._reload(job, writer),
            reloads=bool(self.commands["ExecReload"]) or self.kind == "notify-reload",
            lost=tuple(self.lost),
            checks=tuple(checks),
            wanted=bool(unit.words("WantedBy", "RequiredBy", "UpheldBy", section="Install")),
            aliases=tuple(_services(unit.words("Alias", section="Install"))),
            needs=tuple(_services(unit.words("Requires", "BindsTo", section="Unit"))),
        )

    # ---- what runs ----

    def _commands(self, kind: str) -> list[Command]:
        found = []
        for line in self.unit.lines(kind):
            try:
                found += commands(line.value)
            except ValueError as error:
                raise self._error(line, str(error)) from None
        for command in found:
            if command.renamed:
                sentence = "The program is given its own name as argv[0], not the other one."
                self._lose(self.unit.lines(kind)[0], BEHAVIOUR, False, sentence)
        return found

    def _type(self) -> str:
        unit = self.unit
        default = "dbus" if unit.value("BusName") else "simple" if self.commands["ExecStart"] else "oneshot"
        kind = unit.value("Type", default=default)
        main, source = self.commands["ExecStart"], unit.line("StandardInput")
        if source is not None and source.value == "socket":
            raise self._error(source, "it is started by a socket, once for each connection, which nothing does here")
        if kind not in lifecycle.TYPES:
            raise self._error(unit.line("Type"), f"{kind} is no type of a service")
        if not main and kind != "oneshot":
            raise JobError("the service has no ExecStart", self.path)
        if len(main) > 1 and kind != "oneshot":
            raise self._error(unit.lines("ExecStart")[1], "only Type=oneshot may have more than one command")
        if not any(self.commands.values()):
            raise JobError("the service has no command at all", self.path)
        return kind

    def _with_commands(self, job: Job, writer: scripts.Writer, checks: list[Any], remove: list[str]) -> Job:
        found = self.commands
        remains = self.kind == "oneshot" and self._flag("RemainAfterExit")
        before = [*writer.checks(checks), *self.prepare, *writer.guards(found["ExecCondition"])]
        before += writer.lines(found["ExecStartPre"])
        stop, after = writer.lines(found["ExecStop"]), [*writer.lines(found["ExecStopPost"]), *remove]
        main: Optional[Process] = None
        if remains:  # Upstart runs a pre-stop only where there is a main process
            before += writer.lines(found["ExecStart"], main=True)
            stop, after = [], [*stop, *after]
        elif self.kind == "oneshot":
            main = scripts.script([*writer.lines(found["ExecStart"], main=True)] or ["true"])
            stop, after = [], [*stop, *after]
        else:
            main = writer.main(found["ExecStart"][0], *self._surroundings(job))
        if lifecycle.stop_signal(found["ExecStop"]):
            stop = []
        directory = self.unit.value("WorkingDirectory")
        return replace(
            job,
            exec_main=main,
            chdir=directory if self._plain_directory(directory) else None,
            pre_start=scripts.script(before),
            post_start=scripts.script(writer.lines(found["ExecStartPost"])),
            pre_stop=scripts.script(stop),
            post_stop=scripts.script(after),
        )

    def _reload(self, job: Job, writer: scripts.Writer) -> Optional[Job]:
        found = self.commands["ExecReload"]
        if not found or (len(found) == 1 and found[0].signal()):
            return None
        return Job(
            name=f"{self.name}/reload",
            description=f"Lets {self.name} read its configuration again",
            task=True,
            exec_main=scripts.script(writer.lines(found)),
            env=job.env,
            env_files=job.env_files,
            setuid=job.setuid,
            setgid=job.setgid,
            chdir=job.chdir,
        )

    # ---- the surroundings of its processes ----

    def _privileges(self) -> Privileges:
        found, lost = privileges(self.unit, self.around)
        self.lost += lost
        line = self.unit.line("DynamicUser")
        if line is not None and boolean(line.value) and not (found.user and self.around.home(found.user) is not None):
            self._lose(line, BEHAVIOUR, True, "No user is made up for it: it runs as nobody.")
            return replace(found, user="nobody", group="")
        return found

    def _environment(self, rights: Privileges) -> Iterable[str]:
        home = self.around.home(rights.user) if rights.user else None
        if rights.user:
            yield f"USER={rights.user}"
            yield f"LOGNAME={rights.user}"
        if home:
            yield f"HOME={home}"
        for line in self.unit.lines("Environment"):
            try:
                pairs = [word for word, _quotes in split_words(line.value)]
            except ValueError as error:
                raise self._error(line, str(error)) from None
            for pair in pairs:
                if "=" not in pair[1:]:
                    raise self._error(line, f"{pair} is not KEY=VALUE")
                yield pair
        yield from self.unit.words("PassEnvironment")

    def _plain_directory(self, directory: str) -> bool:
        """Say whether the stanza chdir does it: it is in force for what runs before the main process, too."""
        made = [f"{parent}/" for directive, (parent, _v, _u) in folders.MANAGED.items() if self.unit.value(directive)]
        return directory.startswith("/") and not any(f"{directory}/".startswith(parent) for parent in made)

    def _surroundings(self, job: Job) -> tuple[list[str], str]:
        """Return the lines before the main process, and what follows its command line: redirections."""
        directory = self.unit.value("WorkingDirectory")
        before = []
        if directory and not self._plain_directory(directory):
            optional = directory.startswith("-")
            path = directory.lstrip("-")
            user = self.unit.value("User") or "root"
            where = self.around.home(user) or "/" if path == "~" else path
            before.append(f"cd {quoted(where)}{' || :' if optional else ''}")
        before += [f"unset {word.partition('=')[0]}" for word in self.unit.words("UnsetEnvironment")]
        redirections = []
        for directive, number in (("StandardOutput", "1"), ("StandardError", "2")):
            line = self.unit.line(directive)
            if line is None:
                continue
            operator = scripts.redirection(line.value, number)
            if operator is None:
                self._lose(line, BEHAVIOUR, False, "The output goes to the job's log.")
            elif operator and job.console == "log":
                redirections.append(operator)
        if self.unit.line("StandardOutput") and not self.unit.line("StandardError") and redirections:
            redirections.append("2>&1")
        source = self.unit.value("StandardInput", default="null")
        if source.startswith("file:"):
            redirections.append(f"<{quoted(source[5:])}")
        elif source != "null":
            self._lose(self.unit.line("StandardInput"), BEHAVIOUR, True, "The daemon reads /dev/null.")
        return before, " ".join(redirections)

    def _silent(self) -> bool:
        output = self.unit.value("StandardOutput")
        return output == "null" and self.unit.value("StandardError", default="inherit") in ("null", "inherit")

    def _lifecycle(self) -> dict[str, Any]:
        fields, lost = self._tabled(lifecycle.fields, self.kind, self.commands)
        self.lost += lost
        return fields

    def _resources(self) -> dict[str, Any]:
        fields, lost = self._tabled(resources.fields, self.around)
        self.lost += lost
        return fields

    def _tabled(self, function: Any, *arguments: Any) -> tuple[dict[str, Any], list[Lost]]:
        try:
            fields, lost = function(self.unit, *arguments)
            return fields, lost
        except lifecycle.Wrong as error:
            raise self._error(error.line, str(error)) from None

    # ---- when ----

    def _start_on(self) -> Optional[Condition]:
        wanted = self.unit.words("WantedBy", "RequiredBy", "UpheldBy", section="Install")
        others = [word for word in wanted if word.endswith(".service")]
        if len(others) < len(wanted):
            return Match("startup")
        return _any("started", _services(others))

    def _stop_on(self) -> Optional[Condition]:
        parts = _any("stopping", _services(self.unit.words("PartOf", "BindsTo", section="Unit")))
        rivals = _any("starting", _services(self.unit.words("Conflicts", section="Unit")))
        return Or(parts, rivals) if parts and rivals else parts or rivals

    # ---- what is left behind ----

    def _collect(self) -> None:
        for line in self.unit:
            carried = f"{line.section}.{line.directive}" in CARRIED or conditions.is_condition(line.directive)
            if line.directive == "BindsTo" or not carried:
                lost = unlike.lost(line)
                if lost is not None:
                    self.lost.append(lost)
        remain = self.unit.line("RemainAfterExit")
        if remain is not None and self.kind != "oneshot" and self._flag("RemainAfterExit"):
            self._lose(remain, BEHAVIOUR, False, "The job ends with its main process.")

    def _lose(self, line: Optional[Line], kind: str, matters: bool, sentence: str) -> None:
        if line is not None:
            self.lost.append(Lost(line.directive, line.value, kind, matters, sentence, line.where))

    def _flag(self, directive: str) -> bool:
        return bool(self._checked(directive, lambda: boolean(self.unit.value(directive, default="no"))))

    def _checked(self, directive: str, value: Any) -> Any:
        try:
            return value()
        except ValueError as error:
            raise self._error(self.unit.line(directive), str(error)) from None

    def _error(self, line: Optional[Line], message: str) -> JobError:
        if line is None:
            return JobError(message, self.path)
        return JobError(message, line.path, line.line, line.directive)


def _services(names: Iterable[str]) -> list[str]:
    return [name[: -len(".service")] for name in names if name.endswith(".service")]


def _any(event: str, names: Iterable[str]) -> Optional[Condition]:
    found: Optional[Condition] = None
    for name in names:
        match = Match(event, (name,))
        found = match if found is None else Or(found, match)
    return found
