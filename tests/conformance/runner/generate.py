# SPDX-License-Identifier: GPL-3.0-or-later
"""Make random cases: job files and steps in the format of the recorded ones.

Nothing in them is a matter of time: a process goes on when a file is there (a *gate*), and a command that may block
runs in the background and is asked for after the signals have ended. So the same case gives the same trace twice.
What docs/differences.md lists is left out: a mistake in a job file that has an override, an event that lacks a
variable of an instance's name, a respawn without end.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

_EVENTS = ("e1", "e2", "e3")
_JOBS = ("ant", "egg", "elk", "pig")  # Upstart visits them in this order too, which is that of a hash table
_SCRIPTS = ("pre-start", "post-start", "pre-stop", "post-stop")
_TOLD = (
    "X=$X", "V=$V", "E=$UPSTART_EVENTS", "S=$UPSTART_STOP_EVENTS", "J=$JOB", "R=$RESULT", "P=$PROCESS",
    "I=$UPSTART_INSTANCE",
)  # fmt: skip
_TELL = f'echo "{{name}} {" ".join(_TOLD)}" >> $OUT/{{job}}'
_GATE = "while [ ! -e $OUT/{gate} ]; do sleep 0.02; done"


@dataclass
class _Job:
    name: str
    lines: list[str] = field(default_factory=list)
    gates: list[str] = field(default_factory=list)
    processes: list[str] = field(default_factory=list)
    instanced: bool = False
    task: bool = False
    named: bool = True  # whatever an event lacks
    overridden: bool = False  # docs/differences.md: a mistake in a job file that has an override
    broken: bool = False

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


class Generator:
    """All choices of one case come from `seed`."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._jobs: list[_Job] = []
        self._commands = 0
        self._waiting: list[str] = []

    def write(self, folder: Path) -> None:
        """Write `conf/` and `steps` below `folder`."""
        chosen = self._random
        names = _JOBS[: chosen.choice((1, 2, 2, 3, 3, 4))]
        self._jobs = [self._job(name, names) for name in names]
        conf = folder / "conf"
        conf.mkdir(parents=True)
        for job in self._jobs:
            (conf / f"{job.name}.conf").write_text(job.text)
            if chosen.random() < 0.06:
                job.overridden = True
                (conf / f"{job.name}.override").write_text(chosen.choice(("manual\n", "env X=over\n", "start on e3\n")))
        steps: list[str] = []
        for _unused in range(chosen.randint(8, 16)):
            steps += self._step()
        steps += self._end()
        (folder / "steps").write_text("\n".join(steps) + "\n")

    # ---- job files ------------------------------------------------------------------------------------------

    def _job(self, name: str, names: tuple[str, ...]) -> _Job:
        chosen = self._random
        job = _Job(name)
        job.task = chosen.random() < 0.25
        if job.task:
            job.lines.append("task")
        if chosen.random() < 0.2:
            job.instanced = True
            job.lines.append(chosen.choice(("instance $X", "instance $X", "instance $X-$V")))
            job.named = chosen.random() < 0.5
            job.lines += ["env X=dflt"] if job.named else []
        elif chosen.random() < 0.3:
            job.lines.append("env X=own")
        job.lines.append("env V=own") if chosen.random() < 0.3 or "-$V" in job.text else None
        if chosen.random() < 0.3:
            job.lines.append(chosen.choice(("export X", "export X V", "export NOPE V")))
        others = tuple(other for other in names if other != name)
        if job.named and chosen.random() < 0.65:
            job.lines.append(f"start on {self._condition(others, 2)}")
        if chosen.random() < 0.5:
            job.lines.append(f"stop on {self._condition(others, 2, stop=True)}")
        if chosen.random() < 0.05:
            job.lines.append("manual")
        if chosen.random() < 0.3:
            job.lines.append("respawn")
            job.lines.append(chosen.choice(("respawn limit 2 300", "respawn limit 1 300", "respawn limit 4 300")))
        if chosen.random() < 0.2:
            job.lines.append(chosen.choice(("normal exit 3", "normal exit 0 3 TERM", "normal exit KILL")))
        if chosen.random() < 0.1:
            job.lines.append(chosen.choice(("kill signal INT", "kill signal USR1", "reload signal USR1")))
        for kind in _SCRIPTS:
            if chosen.random() < 0.35:
                self._script(job, kind)
        if chosen.random() < 0.9:
            self._main(job)
        return job

    def _condition(self, others: tuple[str, ...], depth: int, stop: bool = False) -> str:
        chosen = self._random
        if depth and chosen.random() < 0.45:
            left, right = self._condition(others, depth - 1, stop), self._condition(others, depth - 1, stop)
            return f"({left} {chosen.choice(('and', 'or'))} {right})"
        if others and chosen.random() < 0.55:
            event = chosen.choice(("starting", "started", "stopping", "stopped"))
            other = chosen.choice(others)
            result = chosen.choice(("", "", " RESULT=ok", " RESULT=failed")) if event.startswith("stop") else ""
            return f"{event} {other}{result}"
        match = chosen.choice(("", "", " X=1", " X!=1", " 1", " X=[12]", " X=$X" if stop else " X=2", "", " V=* X=*"))
        return chosen.choice(_EVENTS) + match

    def _script(self, job: _Job, kind: str) -> None:
        chosen = self._random
        tell = _TELL.format(name=kind, job=job.name)
        how = chosen.choice(("quick", "quick", "gate", "gate", "fail", "gatefail", "self", "emit", "missing"))
        body = [tell]
        if how.startswith("gate"):
            gate = f"{job.name}.{kind}"
            job.gates.append(gate)
            body.append(_GATE.format(gate=gate))
            job.processes.append(kind)
        if how in ("fail", "gatefail"):
            body.append("exit 3")
        elif how == "self" and kind in ("pre-start", "pre-stop"):
            body.append("stop" if kind == "pre-start" else "start")
        elif how == "emit":
            body.append(f"emit --no-wait {chosen.choice(_EVENTS)} X={chosen.choice('12')}")
        if how == "missing":
            job.lines.append(f"{kind} exec /no/such/program")
        else:
            job.lines += [f"{kind} script", *(f"  {line}" for line in body), "end script"]

    def _main(self, job: _Job) -> None:
        chosen = self._random
        how = chosen.choice(
            ("stay", "stay", "stay", "gate", "gate", "gatefail", "trap", "missing" if job.name == "ant" else "stay")
        )
        tell = _TELL.format(name="main", job=job.name)
        if job.task and how == "stay":
            how = "gate"
        gate = f"{job.name}.main"
        job.processes.append("main")
        if how == "missing":
            job.lines.append("exec /no/such/program")
        elif how == "stay":
            job.lines += ["script", f"  {tell}", "  exec sleep 1000", "end script"]
        elif how == "trap":
            code = chosen.choice((0, 3, 7))
            job.lines += [
                "script",
                f"  trap 'exit {code}' TERM INT USR1",
                f"  {tell}",
                "  while :; do sleep 0.02; done",
                "end script",
            ]
        else:
            job.gates.append(gate)
            code = 0 if how == "gate" else 3
            job.lines += ["script", f"  {tell}", f"  {_GATE.format(gate=gate)}", f"  exit {code}", "end script"]

    # ---- steps ----------------------------------------------------------------------------------------------

    def _step(self) -> list[str]:
        chosen = self._random
        job = chosen.choice(self._jobs)
        what = chosen.choices(
            (
                "start",
                "stop",
                "restart",
                "emit",
                "status",
                "gate",
                "shut",
                "kill",
                "ask",
                "env",
                "file",
                "reload",
                "nowait",
            ),
            (20, 16, 6, 24, 4, 20, 4, 14, 6, 4, 4, 2, 4),
        )[0]
        env = self._env(job)
        if what in ("start", "stop", "restart"):
            return self._background(f"{what} {job.name}{env}")
        if what == "nowait":
            verb = chosen.choice(("start", "stop", "restart"))
            return [f"{verb} --no-wait {job.name}{env}", "sh true"]
        if what == "emit":
            variables = "".join(f" {name}={chosen.choice('12')}" for name in ("X", "V") if chosen.random() < 0.5)
            if chosen.random() < 0.1:
                return [f"emit --no-wait {chosen.choice(_EVENTS)}{variables}"]
            return self._background(f"emit {chosen.choice(_EVENTS)}{variables}")
        if what in ("gate", "shut"):
            gates = [gate for each in self._jobs for gate in each.gates]
            if not gates:
                return []
            return [f"sh {'touch' if what == 'gate' else 'rm -f'} $OUT/{chosen.choice(gates)}"]
        if what == "kill":
            if not job.processes:
                return []
            kind = chosen.choice((*job.processes, "main"))
            return [f"kill {chosen.choice(('KILL', 'TERM'))} {job.name}{env} proc={kind}"]
        if what == "ask" and self._waiting:
            return [f"wait {chosen.choice(self._waiting)} 0.1"]
        if what == "env":
            return [
                chosen.choice(
                    (
                        "initctl set-env V=global",
                        "initctl unset-env V",
                        "initctl get-env V",
                        "initctl set-env --retain V=kept",
                        "initctl reset-env",
                    )
                )
            ]
        if what == "file":
            return [self._file_step(job)]
        if what == "reload":
            return [f"reload {job.name}{env}"] if "USR1" not in job.text else []
        return ["list"]

    def _file_step(self, job: _Job) -> str:
        name = f"$CONF/{job.name}.conf"
        steps = [f"sh echo 'env V=changed' >> {name}", f"sh rm -f {name}", f"sh touch {name}"]
        if not job.overridden:
            steps.append(f"sh echo 'nonsense here' >> {name}")
        if not job.broken:
            steps.append(f"sh echo manual > $CONF/{job.name}.override")
        step = self._random.choice(steps)
        job.broken = job.broken or "nonsense" in step
        job.overridden = job.overridden or "override" in step
        return step

    def _env(self, job: _Job) -> str:
        chosen = self._random
        if job.instanced:
            return f" X={chosen.choice('12')}" if chosen.random() < 0.9 else ""
        return f" X={chosen.choice('12')}" if chosen.random() < 0.2 else ""

    def _background(self, command: str) -> list[str]:
        self._commands += 1
        name = f"c{self._commands}"
        self._waiting.append(name)
        return [f"&{name} {command}", f"isrunning {name}"]

    def _end(self) -> list[str]:
        """See what still waits, open all gates, see again, and let the rest be listed."""
        steps = ["list"]
        for job in self._jobs:
            steps += [f"sh touch $OUT/{gate}" for gate in job.gates]
        steps.append("list")
        steps += [f"wait {name} 0.1" for name in self._waiting]
        for job in self._jobs:
            if not job.instanced:
                steps += self._background(f"stop {job.name}")[:1]
        return [*steps, "list", "initctl list-env"]
