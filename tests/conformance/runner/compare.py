# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare two traces per object, as far as a run of Upstart is like another run of Upstart.

Compared: each instance's chain of signals in order, the events as a multiset, each step's output and exit code, the
lines of logs and files without their order. Times, pty numbers and pids do not count, but which pids are equal does.

One thing varies between runs of Upstart itself: a process that ends at once may end before or after `running` is
announced. A life that begins and ends by itself within one step of the recording is such a *short* life. It may lack
or have `post-start`, `running` and the event `started`; the `start` that waits for it may see any state; and jobs that
start on `started` or `stopped` (*followers*) may run that much less or more often, with the lines that they write.
And a client that does not wait, or that another client's opposite command releases, asks for the status while the job
moves on: it may see any state, but of the same goal. A shell that gets TERM with its child may live just long enough
to print `Terminated`. Nothing else is let through.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from .case import Case
from .trace import Step, Trace

_PID = re.compile(r"(?<=process )(?:P?\d+|P\?)")  # our own expected traces write P? where any pid may be
_STATUS = re.compile(r"(?P<name>\S.*?) (?P<goal>start|stop)/[a-z-]+(?:, process \S+)?$")
_NUMBERS = (  # what differs from run to run, and by what it is shown
    (re.compile(r"upstart-session/\d+/\d+"), "upstart-session/UID/PID"),
    (re.compile(r"pipe:\[\d+\]"), "pipe:[N]"),
    (re.compile(r"/dev/pts/\d+"), "/dev/pts/N"),
    (re.compile(r"/proc/\d+/"), "/proc/PID/"),
    (re.compile(r"\btime=\d+\.\d+ "), "time=T "),
    (re.compile(r"\bserial=\d+\b"), "serial=N"),
    (re.compile(r"^( +int32) (?:P?\d+)$"), r"\1 PID"),
    # A shell that starts the supervisor changes the order behind PATH and TERM; and the case cuts the line off.
    (re.compile(r'("job_environment": .*"TERM=dumb",).*$'), r"\1"),
)
_TERMINATED = "Terminated"
_PROCESS_TABLE = re.compile(r"\s*((?:P?\d+\s+){4})(\S+)$")  # pid, ppid, pgid, sid, tty


@dataclass
class Run:
    """The signals of one instance from `InstanceAdded` or a respawn's `starting` on; `short`: see above."""

    chain: list[str] = field(default_factory=list)
    short: bool = False


@dataclass
class _Variation:
    """What short lives make different: counted while the chains are compared, spent on events and lines."""

    started: Counter[str] = field(default_factory=Counter)  # instance -> lives whose `running` differs
    lives: Counter[str] = field(default_factory=Counter)  # follower -> lives more or less


def differences(
    expected: Trace, ours: Trace, tasks: Collection[str] = (), followers: Collection[str] = ()
) -> list[str]:
    """Return one line per difference; an empty list means that the traces match.

    `tasks` and `followers` are names of jobs, as the module's docstring explains them.
    """
    found: list[str] = []
    variation = _Variation()
    _compare_chains(expected, ours, followers, variation, found)
    _compare_events(expected, ours, variation, found)
    pids = _Pids()
    _compare_steps(expected, ours, tasks, pids, found)
    _compare_files(expected, ours, variation, found)
    if expected.blocked != ours.blocked:
        found.append(f"left blocked: expected {expected.blocked}, ours {ours.blocked}")
    return found


def found(case: Case, ours: Trace) -> list[str]:
    """Return the differences of a run of `case` from what is expected."""
    return differences(case.expected, ours, tasks=case.tasks, followers=case.followers)


# ---- signals ----------------------------------------------------------------------------------------------


def lives(trace: Trace) -> dict[str, list[Run]]:
    """Return the lives of each instance; the supervisor's JobAdded and JobRemoved are a chain of their own per job."""
    result: dict[str, list[Run]] = {}
    begun: dict[str, int] = {}
    for number, step in enumerate(trace.steps):
        for signal in step.signals:
            if signal.member in ("EventEmitted", "Restarted"):
                continue
            name = signal.instance or f"- {signal.arguments}"
            runs = result.setdefault(name, [])
            text = f"{signal.member} {signal.arguments}".strip()
            if not runs or text.startswith("InstanceAdded") or (text == "StateChanged starting" and _has_run(runs[-1])):
                runs.append(Run())
            runs[-1].chain.append(text)
            if text == "StateChanged spawned":
                begun[name] = number
            elif text == "StateChanged stopping":
                by_itself = "StateChanged pre-stop" not in runs[-1].chain
                runs[-1].short = by_itself and begun.get(name) == number and step.text.split(" ")[0] != "kill"
    return result


def _has_run(run: Run) -> bool:
    return "StateChanged starting" in run.chain


def _bare(run: Run) -> list[str]:
    """The chain without what a short life may lack."""
    return [text for text in run.chain if text not in ("StateChanged post-start", "StateChanged running")]


def _compare_chains(
    expected: Trace, ours: Trace, followers: Collection[str], variation: _Variation, found: list[str]
) -> None:
    theirs, own = lives(expected), lives(ours)
    short_lives = sum(
        run.short for name, runs in theirs.items() for run in runs if name.partition("/")[0] not in followers
    )
    for name in sorted({*theirs, *own}):
        left, right = theirs.get(name, []), own.get(name, [])
        follows = name.partition("/")[0] in followers
        missing = abs(len(left) - len(right))
        if missing and follows and missing <= short_lives and all(run.short for run in left):
            variation.lives[name] += missing
        elif missing:
            found.append(f"{name}: {len(left)} lives expected, ours {len(right)}: {_tell(left)} / {_tell(right)}")
            continue
        for number, (one, other) in enumerate(zip(left, right), 1):
            if one.chain == other.chain:
                continue
            if one.short and _bare(one) == _bare(other):
                variation.started[name] += 1
            else:
                found.append(f"{name}, life {number}: expected {', '.join(one.chain)}; ours {', '.join(other.chain)}")


def _tell(runs: list[Run]) -> str:
    return " | ".join(", ".join(run.chain) for run in runs) or "none"


def _compare_events(expected: Trace, ours: Trace, variation: _Variation, found: list[str]) -> None:
    theirs, own = _events(expected), _events(ours)
    for event in sorted({*theirs, *own}):
        off = abs(theirs[event] - own[event])
        if off > _spare(event, variation):
            found.append(f"event {event}: {theirs[event]} expected, ours {own[event]}")


def _events(trace: Trace) -> Counter[str]:
    return Counter(
        signal.arguments for step in trace.steps for signal in step.signals if signal.member == "EventEmitted"
    )


def _spare(event: str, variation: _Variation) -> int:
    """How often more or less `event` (`NAME [VARIABLES]`) may come."""
    about = re.match(r"(starting|started|stopping|stopped) \[JOB=(.*?) INSTANCE=(.*?)(?: RESULT=.*)?\]$", event)
    if about is None:
        return 0
    instance = f"{about[2]}/{about[3]}"
    return variation.lives[instance] + (variation.started[instance] if about[1] == "started" else 0)


# ---- steps ------------------------------------------------------------------------------------------------


class _Pids:
    """Which pid of ours stands for which pid of theirs."""

    def __init__(self) -> None:
        self._ours: dict[str, str] = {}
        self._theirs: dict[str, str] = {}

    def same(self, theirs: str, ours: str) -> bool:
        """Pair the pids of two lines; False when one is already paired with another."""
        one, other = _PID.findall(theirs), _PID.findall(ours)
        if len(one) != len(other):
            return False
        return all(
            left == "P?"
            or (self._ours.setdefault(left, right) == right and self._theirs.setdefault(right, left) == left)
            for left, right in zip(one, other)
        )


def _compare_steps(expected: Trace, ours: Trace, tasks: Collection[str], pids: _Pids, found: list[str]) -> None:
    if [step.text for step in expected.steps] != [step.text for step in ours.steps]:
        found.append("the traces are of different steps")
        return
    for number, (one, other) in enumerate(zip(expected.steps, ours.steps)):
        if (
            [*map(plain, one.notes)] == [*map(plain, other.notes)]
            and one.code == other.code
            and _same_output(one, other, pids)
        ):
            continue
        if _any_state(one, other, expected, tasks) or _moving(one, other):
            continue
        found.append(f"step {number}, {one.text[:60]}: expected {_result(one)}; ours {_result(other)}")


def _same_output(one: Step, other: Step, pids: _Pids) -> bool:
    return all(
        len(left) == len(right) and all(_same_line(*pair, pids) for pair in zip(left, right))
        for left, right in ((_ordered(one), _ordered(other)), (one.stderr, other.stderr))
    )


def _same_line(left: str, right: str, pids: _Pids) -> bool:
    return plain(left) == plain(right) and pids.same(left, right)


def _ordered(step: Step) -> list[str]:
    """The output; show-config of all jobs by name, as Upstart goes through them in the order of a hash."""
    if step.text != "initctl show-config":
        return step.stdout
    blocks: list[list[str]] = []
    for line in step.stdout:
        if line.startswith(" ") and blocks:
            blocks[-1].append(line)
        else:
            blocks.append([line])
    return [line for block in sorted(blocks) for line in block]


def _any_state(one: Step, other: Step, expected: Trace, tasks: Collection[str]) -> bool:
    """Tell whether both are fair results of starting a service that ends at once."""
    words = [word for word in one.text.split() if not word.startswith("--")]
    if len(words) < 2 or words[0] not in ("start", "wait") or one.notes or other.notes:
        return False
    job = words[1]
    if words[0] == "wait":
        begun = [step.text.split() for step in expected.steps if step.text.startswith(f"&{words[1]} start ")]
        if not begun:
            return False
        job = begun[-1][2]
    runs = [run for name, own in lives(expected).items() if name.partition("/")[0] == job for run in own]
    if job in tasks or not any(run.short for run in runs):
        return False
    failed = any(text.startswith("Failed") for run in runs if run.short for text in run.chain)
    return all(_fair(step, job, failed) for step in (one, other))


def _moving(one: Step, other: Step) -> bool:
    """Tell whether both show the same goal of the same instance to a client that does not wait or was released."""
    if one.notes or other.notes:
        return False
    if one.code != other.code or one.stderr != other.stderr or not one.stdout or not other.stdout:
        return False
    left, right = _STATUS.match(one.stdout[0]), _STATUS.match(other.stdout[0])
    extra = all(line.startswith("\t") for line in (*one.stdout[1:], *other.stdout[1:]))
    if not extra or left is None or right is None or left["goal"] != right["goal"]:
        return False
    if (
        left["name"] != right["name"]
        and not _gone(one.stdout[0], right["name"])
        and not _gone(other.stdout[0], left["name"])
    ):
        return False
    verb = one.text.split(" ")[0]
    released = (verb, left["goal"]) in (("start", "stop"), ("stop", "start"))
    return released or verb == "wait" or " --no-wait " in one.text


def _gone(line: str, name: str) -> bool:
    """Tell whether `line` is what a client says of the instance `name` when that is no longer there."""
    return line == f"{name.partition(' (')[0]} stop/waiting"


def _fair(step: Step, job: str, failed: bool) -> bool:
    if step.code == 1 and failed:
        return step.stderr == ["initctl: Job failed to start"] and not step.stdout
    status = _STATUS.match(step.stdout[0]) if len(step.stdout) == 1 else None
    return step.code == 0 and status is not None and status["name"].split(" (")[0] == job


def _result(step: Step) -> str:
    return "; ".join((*step.notes, *step.stdout, *(f"(stderr) {line}" for line in step.stderr), f"exit {step.code}"))


def plain(line: str) -> str:
    """Replace what differs from run to run: pids, pty numbers, times."""
    line = _PID.sub("PID", line)
    for pattern, name in _NUMBERS:
        line = pattern.sub(name, line)
    table = _PROCESS_TABLE.match(line)
    if table:
        letters: dict[str, str] = {}
        row = [letters.setdefault(word, "ABCD"[len(letters)]) for word in table[1].split()]
        line = " ".join((*row, table[2]))
    return line


# ---- files ------------------------------------------------------------------------------------------------


def _compare_files(expected: Trace, ours: Trace, variation: _Variation, found: list[str]) -> None:
    spare = sum(variation.lives.values())
    for name in sorted({*expected.files, *ours.files}):
        if {*expected.files.get(name, []), *ours.files.get(name, [])} == {_TERMINATED}:
            continue
        if name not in ours.files or name not in expected.files:
            found.append(f"{name}: {'not expected' if name in ours.files else 'missing'}")
            continue
        theirs = Counter(plain(line) for line in expected.files[name])
        own = Counter(plain(line) for line in ours.files[name])
        optional = Counter(plain(line) for line in expected.optional.get(name, []))
        own -= optional & (own - theirs)
        # A follower that ran less or more often wrote lines that are there anyway, less or more often.
        for line in sorted({*theirs, *own}):
            off = abs(theirs[line] - own[line])
            if line == _TERMINATED:
                continue
            if off > (spare if theirs[line] and theirs[line] + own[line] > off else 0):
                found.append(f"{name}: {theirs[line]} times expected, ours {own[line]}: {line!r}")
