# SPDX-License-Identifier: GPL-3.0-or-later
"""What a unit cannot say."""

from __future__ import annotations

from ..errors import JobError


class CannotSay(JobError):
    """A stanza for which there is nothing in the other init's language; ``field`` is the stanza's field of Job."""

    def __init__(self, stanza: str, field: str, reason: str, init: str = "systemd") -> None:
        super().__init__(f"{reason.rstrip('.')}; with use: foster the supervisor runs this job", stanza=stanza)
        self.field = field
        self.init = init
