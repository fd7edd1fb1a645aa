# SPDX-License-Identifier: GPL-3.0-or-later
"""Which systemd a unit is written for, and what else there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ..model import Job

OLDEST = 247  # of systemd: Debian 11


@dataclass(frozen=True)
class Target:
    """``version`` of systemd; ``user``: a user's manager. ``others``: other jobs by name, as far as they are known."""

    version: int = OLDEST
    user: bool = False
    others: Mapping[str, Job] = field(default_factory=dict)


class Line(NamedTuple):
    """One line of a unit: ``section`` is Unit, Service or Install; ``value`` is quoted already."""

    section: str
    directive: str
    value: str
