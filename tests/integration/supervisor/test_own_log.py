# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor's own log, opened by a shell's >>, as most inits have it."""

from __future__ import annotations

from .conftest import running

SIZE = 1 << 20  # bytes
# What starts it: a log that is full already, where the supervisor is told to have its logs.
INIT = f"""
for word; do case $word in --logdir=*) logs=${{word#*=}} ;; esac; done
mkdir "$logs" && head -c {SIZE} /dev/zero >"$logs/fosterd.log" && exec "$@" >>"$logs/fosterd.log" 2>&1
"""


def test_a_log_that_has_become_too_long_makes_way_for_a_new_one():
    with running("own", prefix=("/bin/sh", "-c", INIT, "init")) as supervisor:
        (supervisor.jobs / "wrong.conf").write_text("no such stanza\n")
        supervisor.wait_for(lambda: "wrong.conf:1" in supervisor.log("fosterd"), "a line in the new file")
        assert (supervisor.folder / "log" / "fosterd.log.1").read_bytes() == bytes(SIZE)
