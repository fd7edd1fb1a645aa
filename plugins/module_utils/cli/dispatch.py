# SPDX-License-Identifier: GPL-3.0-or-later
"""One bundle, two programs: decide by the name that it was called by, or by the first argument."""

from __future__ import annotations

SUPERVISOR = ("fosterd", "init")


def run(argv: list[str]) -> int:
    """Run the supervisor or the command line client; return the exit status.

    ``foster.pyz fosterd ...`` and ``foster.pyz fosterctl ...`` work where the file cannot carry the name.
    """
    name = argv[0].rpartition("/")[2]
    if name not in SUPERVISOR and argv[1:2] and argv[1] in (*SUPERVISOR, "fosterctl", "initctl"):
        argv = argv[1:]
        name = argv[0]
    if name in SUPERVISOR:
        from ..supervisor.lean import spare_inspect

        spare_inspect()
        from ..supervisor.main import main as supervise

        return int(supervise(argv) or 0)
    from .main import main

    return main(argv)
