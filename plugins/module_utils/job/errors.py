# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a job: one sentence that says what, where and what would be right."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Optional

_SHOWN = 60  # characters of somebody's text that an error repeats


class JobError(Exception):
    """A job that cannot be read or written.

    ``path`` and ``line`` say where ("" and None for a job that comes from options), ``stanza`` in which stanza.
    ``override`` is True when the mistake is in the ``.override`` file: the job without it may still be good.
    """

    def __init__(
        self, message: str, path: str = "", line: Optional[int] = None, stanza: str = "", override: bool = False
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.line = line
        self.stanza = stanza
        self.override = override

    def __str__(self) -> str:
        """Return the sentence, with ``path:line:`` before it where they are known."""
        where = self.path
        if self.line is not None:
            where = f"{where}:{self.line}" if where else f"line {self.line}"
        sentence = f"{self.stanza}: {self.message}" if self.stanza else self.message
        return f"{where}: {sentence}" if where else sentence


class UnknownParameter(Exception):
    """A reference to a variable that is not set; ``name`` is the variable's."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Unknown parameter: {name}")
        self.name = name


class ExpandError(Exception):
    """A reference to a variable that is not well formed."""


def shown(text: str) -> str:
    """Return ``text`` fit for an error: printable, and not longer than a line."""
    printable = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[: _SHOWN + 1])
    return printable if len(text) <= _SHOWN else printable[:_SHOWN] + "..."


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ", did you mean X?" with the one of ``known`` that ``word`` looks like, "" where it looks like none."""
    import difflib  # needed for mistakes only, and the supervisor is to stay small

    near = difflib.get_close_matches(word[:40], list(known), 1, 0.6)
    return f", did you mean {near[0]}?" if near else ""
