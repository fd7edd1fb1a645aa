# SPDX-License-Identifier: GPL-3.0-or-later
"""The specifiers of unit files, ``%i`` and the others (systemd.unit(5), SPECIFIERS), for a unit of the system."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .imported import Around

_SPECIFIER = re.compile(r"%(.)", re.DOTALL)
_FIXED = {
    "%": "%", "t": "/run", "S": "/var/lib", "C": "/var/cache", "L": "/var/log", "E": "/etc", "T": "/tmp",
    "V": "/var/tmp", "u": "root", "U": "0", "g": "root", "G": "0", "h": "/root", "s": "/bin/sh",
    "d": "/run/credentials", "D": "/usr/share",
}  # fmt: skip


def table(name: str, path: str, around: Around) -> Mapping[str, str]:
    """Return what each specifier stands for in the unit ``name`` (without ``.service``), whose file is ``path``."""
    prefix, at, instance = name.partition("@")
    last = prefix.rpartition("-")[2]
    plain = unescape(instance if at else prefix)
    return {
        **_FIXED,
        "n": f"{name}.service",
        "N": name,
        "p": prefix,
        "P": unescape(prefix),
        "i": instance,
        "I": unescape(instance),
        "j": last,
        "J": unescape(last),
        "f": "/" + plain.lstrip("/"),
        "y": path,
        "Y": path.rpartition("/")[0],
        "H": around.hostname,
        "q": around.hostname,
        "l": around.hostname.partition(".")[0],
        "m": around.machine_id,
        "b": around.boot_id,
        "v": around.release,
        "a": around.architecture,
        "o": "",
        "w": "",
        "W": "",
        "B": "",
        "A": "",
        "M": "",
    }


def for_words(specifiers: Mapping[str, str]) -> Mapping[str, str]:
    """Return the table for a text that is split into words afterwards, so that no value becomes more than a part."""
    return {key: re.sub(r"[\\\"' ;$]", _kept, value) for key, value in specifiers.items()}


def _kept(found: re.Match[str]) -> str:
    character = found.group(0)
    return "$$" if character == "$" else "\\s" if character == " " else "\\" + character


def replace(text: str, specifiers: Mapping[str, str]) -> str:
    """Return ``text`` with each specifier replaced; one that is unknown stays as it is."""
    return _SPECIFIER.sub(lambda found: specifiers.get(found.group(1), found.group(0)), text)


def unescape(name: str) -> str:
    """Return what an escaped name stands for: ``-`` is a slash, ``\\x2d`` a character (systemd-escape(1))."""
    text = name.replace("-", "/")
    return re.sub(
        r"(?:\\x[0-9a-fA-F]{2})+",
        lambda found: bytes.fromhex(found.group(0).replace("\\x", "")).decode("utf-8", "surrogateescape"),
        text,
    )
