# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a process is the daemon that is meant: candidates in, verdicts out, no I/O.

All that a pattern says has to hold, as with start-stop-daemon(8). Three things are decided otherwise than there. A
script is recognised by its path among the arguments of an interpreter, not by the interpreter. A process counts even
when its program was replaced or removed since it started; it is ``outdated``. And a thread, a kernel thread, a zombie,
PID 1 and a process of another PID namespace or root are never meant.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import NamedTuple, Optional

from .candidate import Candidate, Glance
from .target import FileId, Target

_NAME = 15  # bytes of a name that the kernel keeps
_CLOCK = 3.0  # seconds by which a file's time and a process's start may be off: ticks, and btime is cut to a second
_SHELLS = frozenset(("sh", "dash", "bash", "ash", "busybox", "ksh", "mksh", "zsh", "yash"))
_SAME = {"nodejs": "node", "pypy": "python", "gawk": "awk", "mawk": "awk", "original-awk": "awk", "php-cli": "php"}
# Options of interpreters that take the next word, and those after which no script comes.
_TAKES_WORD = {
    "python": ("-W", "-X", "--check-hash-based-pycs"),
    "perl": ("-I", "-C"),
    "ruby": ("-I", "-r", "-C", "-E"),
    "node": ("-r", "--require", "--import", "--loader"),
    "php": ("-d", "-c"),
    "sh": ("-o", "+o", "-O", "+O", "--rcfile", "--init-file"),
}
_NO_SCRIPT = {
    "python": ("-c", "-m"),
    "perl": ("-e", "-E"),
    "ruby": ("-e",),
    "node": ("-e", "-p", "--eval", "--print"),
    "php": ("-r", "-B", "-R", "-S"),
    "sh": ("-c",),
}
_INTERPRETERS = frozenset((*_TAKES_WORD, *_NO_SCRIPT, "awk", "guile", "lua", "tclsh", "wish", "Rscript", "make"))


class Pattern(NamedTuple):
    """What the daemon is told by; None: anything. ``named``: the pid in the pidfile, when a pidfile is given.

    ``vouched``: the only user whose processes that pidfile can name. ``written``: its time. ``root``: the root folder
    that the daemon runs in, None where it cannot be told. ``weak``: the target is only what is executed first, and may
    execute something else, so a pidfile that is not older than the process is enough.
    """

    pid: Optional[int] = None
    ppid: Optional[int] = None
    by_pidfile: bool = False
    named: Optional[int] = None
    vouched: Optional[int] = None
    written: float = 0.0
    target: Optional[Target] = None
    name: Optional[str] = None
    uid: Optional[int] = None
    argv: Optional[tuple[str, ...]] = None
    cgroup: Optional[str] = None
    root: Optional[FileId] = None
    weak: bool = False


class Verdict(NamedTuple):
    """Whether a process is meant, why (not), and whether what it runs is not what is on disk now."""

    matches: bool
    reason: str
    outdated: bool = False


def judge(pattern: Pattern, process: Candidate, recorded: bool = False) -> Verdict:
    """Return the verdict on one process. ``recorded``: it is the very process that an earlier task started."""
    reason = _never(pattern, process)
    if not reason and recorded:
        return Verdict(True, "it is the process that a task has started", _outdated(pattern, process))
    for refuse in (_numbers, _place, _name, _argv):
        reason = reason or refuse(pattern, process)
    if reason:
        return Verdict(False, reason)
    certain = pattern.by_pidfile or pattern.pid is not None
    if pattern.target is not None:
        verdict = _runs(pattern.target, process, certain)
        return _by_time(pattern, process, verdict) if pattern.weak and not verdict.matches else verdict
    if pattern.by_pidfile and pattern.name is None:
        return _by_time(pattern, process, Verdict(True, "the pidfile names it"))
    return Verdict(True, "everything that is given fits")


def may_be(pattern: Pattern, glance: Glance) -> bool:
    """Say whether it is worth while to look closer at a process: never False for one that ``judge`` would accept."""
    if pattern.ppid is not None and pattern.ppid != glance.ppid:
        return False
    if pattern.name is not None and glance.name != kept_name(pattern.name):
        return False
    target = pattern.target
    if target is None or pattern.weak:
        return True
    if target.file is None:
        return glance.program in (target.real, target.path) or family_of(glance.program) in _INTERPRETERS
    if glance.program_file is not None and glance.program_file in (target.file, target.interpreter_file):
        return True
    if target.interpreter:
        return family_of(target.interpreter) == family_of(glance.program)
    return glance.program == target.real


def _never(pattern: Pattern, process: Candidate) -> str:
    if process.ended:
        return "it has ended, and only its parent has not asked yet (a zombie)"
    if process.thread_of:
        return f"it is a thread of process {process.thread_of}"
    if process.kernel:
        return "it is a thread of the kernel"
    if process.pid == 1:
        return "it is PID 1, on which everything here depends"
    if process.nested:
        return "it lives in a container (a PID namespace of its own)"
    return ""


def _numbers(pattern: Pattern, process: Candidate) -> str:
    if pattern.pid is not None and process.pid != pattern.pid:
        return f"its pid is not {pattern.pid}"
    if pattern.by_pidfile and process.pid != pattern.named:
        return "the pidfile does not name it"
    if pattern.ppid is not None and process.ppid != pattern.ppid:
        return f"its parent is {process.ppid}, not {pattern.ppid}"
    if pattern.uid is not None and process.uid != pattern.uid:
        return f"it runs as user {process.uid}, not {pattern.uid}"
    if pattern.by_pidfile and pattern.vouched is not None and process.uid != pattern.vouched:
        return f"the pidfile belongs to user {pattern.vouched}, who cannot speak for a process of user {process.uid}"
    return ""


def _place(pattern: Pattern, process: Candidate) -> str:
    if pattern.root is not None and process.root is not None and process.root != pattern.root:
        return "it runs in another root directory (a chroot or a container)"
    if pattern.cgroup is not None:
        wanted = pattern.cgroup.rstrip("/")
        if process.cgroup != wanted and not process.cgroup.startswith(wanted + "/"):
            return f"its control group is {process.cgroup}, not {wanted}"
    return ""


def _name(pattern: Pattern, process: Candidate) -> str:
    wanted = pattern.name
    if wanted is None or process.name == wanted:
        return ""
    if len(os.fsencode(wanted)) > _NAME and os.fsencode(process.name) == os.fsencode(wanted)[:_NAME]:
        # The kernel has cut the name, and two long ones may begin alike: the program or script has to be called so.
        known = {os.path.basename(word) for word in (process.program, *process.argv[:3])}
        return "" if wanted in known else f"its name is {process.name}, the beginning of {wanted}, but not all of it"
    return f"its name is {process.name}, not {wanted}"


def _argv(pattern: Pattern, process: Candidate) -> str:
    if pattern.argv is None or process.argv == pattern.argv:
        return ""
    return "its command line is another one"


def _by_time(pattern: Pattern, process: Candidate, otherwise: Verdict) -> Verdict:
    """Judge by the age of the pidfile alone: who started after it was written is not who it was written for."""
    if pattern.by_pidfile and process.started <= pattern.written + _CLOCK:
        return Verdict(True, "the pidfile names it, and was written after it had started", otherwise.outdated)
    if pattern.by_pidfile:
        return Verdict(False, "it started after the pidfile was written, so its pid has been used again")
    return otherwise


def _outdated(pattern: Pattern, process: Candidate) -> bool:
    """Say whether a process that is known to be the daemon runs something else than what is on disk."""
    target = pattern.target
    if process.removed or target is None or target.file is None:
        return process.removed
    if target.interpreter:
        return process.started + _CLOCK < target.changed and target.file in process.argument_files
    return process.program == target.real and process.program_file != target.file


# ---- what a process runs ----


def _runs(target: Target, process: Candidate, certain: bool) -> Verdict:
    """Judge whether the process runs ``target``. ``certain``: a pid is given, so less is enough to recognise it."""
    if not process.program:
        return Verdict(False, "what it executes cannot be seen by this user")
    if target.interpreter:
        return _script(target, process, certain)
    if target.file is None:
        return _missing(target, process)
    if target.file == process.program_file:
        if target.applet and not _is_applet(target.applet, process.argv):
            return Verdict(False, f"it is another program of {process.program} than {target.applet}")
        return Verdict(True, f"it executes {target.path}")
    if process.removed and process.program == target.real:
        return Verdict(True, f"it executes {target.path} as it was before it was replaced", outdated=True)
    return Verdict(False, f"it executes {process.program}, not {target.path}")


def _missing(target: Target, process: Candidate) -> Verdict:
    """Judge by the path of a program that is gone: nothing else of it is left."""
    if process.removed and process.program in (target.real, target.path):
        return Verdict(True, f"it executes {target.path}, which was removed since", outdated=True)
    words = script_words(process)
    if words and words[0] in (target.path, target.real):
        return Verdict(True, f"it interprets {target.path}, which was removed since", outdated=True)
    return Verdict(False, f"it executes {process.program}, not {target.path}, which is not there")


def _is_applet(applet: str, argv: tuple[str, ...]) -> bool:
    names = [os.path.basename(word).lstrip("-") for word in argv[:2]]
    return names[:1] == [applet] or names == ["busybox", applet] or names[1:] == [applet]


def _script(target: Target, process: Candidate, certain: bool) -> Verdict:
    family = family_of(target.interpreter)
    theirs = family_of(process.program)
    by_file = process.program_file is not None and process.program_file == target.interpreter_file
    if not by_file and family != theirs:
        return Verdict(False, f"it executes {process.program}, which does not interpret {target.path}")
    replaced = process.removed or (target.changed > process.started + _CLOCK)
    place = _script_place(target, process)
    if place is not None:
        file = process.argument_files[place] if place < len(process.argument_files) else None
        word = process.argv[place]
        if file is not None and file == target.file:
            return Verdict(True, f"it interprets {target.path}", replaced)
        if word in (target.path, target.real):  # its own root or a permission hides the file from us
            return Verdict(True, f"it interprets {target.path}", replaced)
        if file is None and certain and os.path.basename(word) == os.path.basename(target.path):
            return Verdict(True, f"it interprets {word}, from a folder that it has left", replaced)
    if certain and _retitled(process) and process.name == kept_name(os.path.basename(target.path)):
        return Verdict(True, f"it bears the name of {target.path}", replaced)
    return Verdict(False, f"it is {os.path.basename(process.program)} with something else than {target.path}")


def _script_place(target: Target, process: Candidate) -> Optional[int]:
    """Return which argument names the script: where the kernel puts it, else the first that is no option."""
    count = len(target.prefix)
    if count and process.argv[1 : 1 + count] == target.prefix and len(process.argv) > 1 + count:
        return 1 + count
    words = script_words(process)
    return len(process.argv) - len(words) if words else None


def script_words(process: Candidate) -> tuple[str, ...]:
    """Return the script that an interpreter runs and its arguments; () when it runs none, as with ``-c``."""
    family = family_of(process.program)
    argv = process.argv
    at = 1
    if family == "sh" and os.path.basename(process.program) == "busybox" and argv[:1] and argv[0].endswith("busybox"):
        at = 2
    while at < len(argv):
        word = argv[at]
        if word == "--":
            return argv[at + 1 :]
        if not word.startswith(("-", "+")) or word == "-":
            return argv[at:]
        if any(_says(word, option, family) for option in _NO_SCRIPT.get(family, ())):
            return ()
        at += 2 if word in _TAKES_WORD.get(family, ()) else 1
    return ()


def _says(word: str, option: str, family: str) -> bool:
    """Say whether ``word`` is the option, or a cluster of short ones with it, such as -xc."""
    if option.startswith("--") or word.startswith("--"):
        return word == option or word.startswith(option + "=")
    for letter in word[1:]:
        if letter == option[1]:
            return True
        if not letter.isalpha() or f"-{letter}" in _TAKES_WORD.get(family, ()):
            return False  # what follows is the value of that letter
    return False


def family_of(program: str) -> str:
    """Return what an interpreter is, whatever its version: python3.11 and python2 are "python", dash is "sh"."""
    base = os.path.basename(program)
    name = re.sub(r"[-_.]?\d[\d.]*(?:[a-z]{1,3}\d*)?$", "", base) or base
    if name in _SHELLS:
        return "sh"
    return _SAME.get(name, name)


def _retitled(process: Candidate) -> bool:
    """Say whether the process has written its own title over its command line, as setproctitle does."""
    return len([word for word in process.argv if word]) <= 1


def kept_name(name: str) -> str:
    """Return what the kernel keeps of a name."""
    return os.fsdecode(os.fsencode(name)[:_NAME])


def same_command(pattern_argv: tuple[str, ...], process: Candidate) -> bool:
    """Say whether a process was started with exactly this command, the kernel's words for a script left aside."""
    if process.argv == pattern_argv:
        return True
    return bool(pattern_argv) and script_words(process) == pattern_argv


def topmost(found: Iterable[Candidate]) -> list[Candidate]:
    """Return those of ``found`` whose parent is not among them: a signal to a master reaches its workers through it."""
    every = list(found)
    pids = {process.pid for process in every}
    return [process for process in every if process.ppid not in pids]
