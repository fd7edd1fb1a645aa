# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders and files that have to be there before a daemon starts: RuntimeDirectory and its sisters, tmpfiles.d(5).

Both become lines of a pre-start script. They follow no symbolic link that somebody has put in place of a folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..errors import shown
from .commandline import quoted, split
from .imported import BEHAVIOUR, Lost
from .specifiers import replace
from .unitfile import Unit

# directive: its parent, the variable that tells the daemon, whether it belongs to the user
MANAGED = {
    "RuntimeDirectory": ("/run", "RUNTIME_DIRECTORY", True),
    "StateDirectory": ("/var/lib", "STATE_DIRECTORY", True),
    "CacheDirectory": ("/var/cache", "CACHE_DIRECTORY", True),
    "LogsDirectory": ("/var/log", "LOGS_DIRECTORY", True),
    "ConfigurationDirectory": ("/etc", "CONFIGURATION_DIRECTORY", False),
}


def managed(unit: Unit, owner: str, group: str) -> tuple[list[str], list[str], list[str]]:
    """Return the lines that make the folders, the variables that name them, and the lines that remove them afterwards.

    ``owner`` and ``group`` are "" for root's.
    """
    make: list[str] = []
    env: list[str] = []
    remove: list[str] = []
    for directive, (parent, variable, belongs) in MANAGED.items():
        names = [word.partition(":")[0].rstrip("/") for word in unit.words(directive)]
        names = [name for name in names if name and not name.startswith("/") and ".." not in name.split("/")]
        if not names:
            continue
        mode = unit.value(f"{directive}Mode", default="0755")
        mode = mode if mode.isdigit() else "0755"
        for name in names:
            path = f"{parent}/{name}"
            make.append(folder_line(path, mode, owner if belongs else "", group if belongs else ""))
        env.append(f"{variable}={':'.join(f'{parent}/{name}' for name in names)}")
        if directive == "RuntimeDirectory" and unit.value("RuntimeDirectoryPreserve", default="no") == "no":
            remove += [f"rm -rf {quoted(f'{parent}/{name}')}" for name in names]
    return make, env, remove


def folder_line(path: str, mode: str = "", owner: str = "", group: str = "") -> str:
    """Return a shell line that makes a folder and gives it mode and owner; it fails where a symbolic link is."""
    where = quoted(path)
    parts = [f"mkdir -p {where}", f"[ ! -L {where} ]"]
    if owner or group:
        parts.append(f"chown {quoted(owner or 'root')}{':' + quoted(group) if group else ''} {where}")
    if mode:
        parts.append(f"chmod {mode.lstrip('~:')} {where}")
    return " && ".join(parts)


def from_tmpfiles(texts: Iterable[tuple[str, str]], specifiers: Mapping[str, str]) -> tuple[list[str], list[Lost]]:
    """Return the shell lines for what tmpfiles.d files make at boot, and what of them is not done."""
    lines: list[str] = []
    lost: list[Lost] = []
    for path, text in texts:
        for number, raw in enumerate(text.splitlines(), 1):
            if not raw.strip() or raw.lstrip().startswith("#"):
                continue
            try:
                words = [replace(word, specifiers) for word, _quotes in split(raw)]
            except ValueError:
                words = []
            made = _made(words) if len(words) > 1 and words[1].startswith("/") else None
            if made is None:
                sentence = "Is not done: this kind of line of a tmpfiles.d file has no counterpart here."
                lost.append(Lost("tmpfiles.d", shown(raw.strip()), BEHAVIOUR, False, sentence, f"{path}:{number}"))
            else:
                lines += made
    return lines, lost


def _made(words: list[str]) -> list[str] | None:
    """Return the shell lines for one line of tmpfiles.d, None where there are none for it."""
    kind, path, *rest = words
    mode, owner, group, _age, *argument = [*rest, *["-"] * (5 - len(rest))] if len(rest) < 5 else rest
    mode, owner, group = (("" if word == "-" else word.lstrip(":")) for word in (mode, owner, group))
    text = " ".join(argument)
    text = "" if text == "-" else text
    where = quoted(path)
    letter = kind[:1]
    if set(kind[1:]) - set("+!-=~^$?"):
        return None
    if letter in "dDvqQ":
        return [folder_line(path, mode or "0755", owner, group)]
    if letter == "e":
        return [f"if [ -d {where} ]; then {folder_line(path, mode, owner, group)}; fi"]
    if letter in "zZ":
        recursive = "-R " if letter == "Z" else ""
        changes = [f"chown -h {recursive}{quoted(owner or 'root')}:{quoted(group or 'root')} {where}"] if owner else []
        changes += [f"chmod {recursive}{mode.lstrip('~')} {where}"] if mode else []
        return [f"if [ -e {where} ] && [ ! -L {where} ]; then {' && '.join(changes)}; fi"] if changes else []
    if letter in "fF":
        write = f"printf %s {quoted(text)} >{where}"
        extra = [f"chown {quoted(owner or 'root')}:{quoted(group or 'root')} {where}"] if owner or group else []
        extra += [f"chmod {(mode or '0644').lstrip('~')} {where}"]
        return [f"if [ ! -e {where} ] && [ ! -L {where} ]; then {' && '.join([write, *extra])}; fi"]
    if letter == "L" and text:
        force = "-sfn" if "+" in kind else "-s"
        return [f"[ -e {where} ] || [ -L {where} ] || ln {force} {quoted(text)} {where}"]
    if letter == "p":
        return [f"[ -p {where} ] || mkfifo -m {mode or '0644'} {where}"]
    if letter in "xXrRaAhHtT":  # what is cleaned up, attributes and access lists: nothing a daemon waits for
        return []
    return None
