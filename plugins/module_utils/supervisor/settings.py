# SPDX-License-Identifier: GPL-3.0-or-later
"""What an admin sets for the supervisor itself: a file beside the job files, one ``name value`` a line.

It is read when the program begins, also when it is executed anew, so a change needs no other command line in any init.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple, Optional

FILE = "fosterd.settings"
READERS = ("owner", "everyone")


class Settings(NamedTuple):
    """``readers``: who may ask what runs: the supervisor's own user (and root), or every local user."""

    readers: Optional[str] = None


def path_in(folder: str) -> str:
    """Return where the settings of the supervisor are whose job files are in ``folder``."""
    return os.path.join(folder, FILE)


def text_of(settings: Settings) -> str:
    """Return the file's text, "" where nothing is set."""
    return f"readers {settings.readers}\n" if settings.readers is not None else ""


def read(folder: str, warn: Callable[[str], None] = lambda _sentence: None) -> Settings:
    """Return what is set; a line that cannot be understood is one warning and sets nothing."""
    path = path_in(folder)
    found = Settings()
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
        with open(fd, encoding="utf-8", errors="replace") as file:
            lines = file.read(65536).splitlines()
    except FileNotFoundError:
        return found
    except OSError as error:
        warn(f"{path}: cannot be read: {error.strerror}")
        return found
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if len(words) == 2 and words[0] == "readers" and words[1] in READERS:
            found = found._replace(readers=words[1])
        elif words:
            warn(f"{path}:{number}: expected `readers {' | '.join(READERS)}`, and nothing else is set here")
    return found
