# SPDX-License-Identifier: GPL-3.0-or-later
"""What the unit of a job is called, and that of an instance. Source: systemd.unit(5), "String Escaping"."""

from __future__ import annotations

import re

from ..errors import JobError, shown

LONGEST = 255  # bytes of a unit's name, its suffix included
_INSTANCE_PLAIN = re.compile(r"[A-Za-z0-9:_.]")
_JOB_PLAIN = re.compile(r"[A-Za-z0-9:_.-]")


def unit_name(job: str, template: bool = False) -> str:
    """Return the name of the unit of the job called ``job``: ``web.service``, ``web@.service`` for a template.

    A slash becomes a dash, so that two jobs may want one name: who writes the unit looks whose it is.
    """
    name = _escape(job, _JOB_PLAIN)
    return _checked(f"{name}@.service" if template else f"{name}.service", job)


def instance_unit(job: str, instance: str) -> str:
    """Return the name of the unit of one instance."""
    if not instance:
        raise JobError("an instance with an empty name has no unit", stanza="instance")
    return _checked(f"{_escape(job, _JOB_PLAIN)}@{_escape(instance, _INSTANCE_PLAIN)}.service", job)


def instance_of(unit: str) -> str:
    """Return the name of the instance that a unit stands for, "" for none."""
    _prefix, at, rest = unit.rpartition(".service")[0].partition("@")
    return unescape(rest) if at else ""


def escape_instance(instance: str) -> str:
    """Return the name of an instance as it stands in the name of its unit."""
    return _escape(instance, _INSTANCE_PLAIN)


def unescape(text: str) -> str:
    """Return what was escaped into ``text``, as ``%I`` does."""
    raw = bytearray()
    for match in re.finditer(r"\\x([0-9a-f]{2})|(.)", text, re.DOTALL):
        code, plain = match.groups()
        raw += bytes([int(code, 16)]) if code else (b"/" if plain == "-" else plain.encode("utf-8", "surrogateescape"))
    return raw.decode("utf-8", "surrogateescape")


def _escape(text: str, plain: re.Pattern[str]) -> str:
    out = []
    for position, byte in enumerate(text.encode("utf-8", "surrogateescape")):
        character = chr(byte)
        if character == "/":
            out.append("-")
        elif plain.match(character) and not (position == 0 and character == "."):
            out.append(character)
        else:
            out.append(f"\\x{byte:02x}")
    return "".join(out)


def _checked(unit: str, job: str) -> str:
    if len(unit) > LONGEST:
        raise JobError(f'the name of the unit of "{shown(job)}" would have {len(unit)} bytes, more than {LONGEST}')
    return unit
