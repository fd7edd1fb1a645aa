# SPDX-License-Identifier: GPL-3.0-or-later
"""Which lines of the journal are those of one start."""

from __future__ import annotations

from ansible_collections.foster.init.plugins.module_utils.inits.systemd.failure import Start, lines_of, start_of


def test_the_lines_of_a_start_are_those_of_its_invocation_else_what_the_unit_has_written_since():
    """The journal of systemd 247 had no invocation id for a process that had ended before it was looked at."""
    start = start_of({"InvocationID": b"\x00\xff", "InactiveExitTimestamp": 1_700_000_000_000_042})
    assert start == Start("00ff", 1_700_000_000_000_042)
    assert lines_of("web.service", start, False) == [
        ["_SYSTEMD_INVOCATION_ID=00ff"],
        ["--since=@1699999999", "_SYSTEMD_UNIT=web.service"],
    ]


def test_of_a_start_that_is_forgotten_the_unit_s_last_lines_are_shown():
    start = start_of({"InvocationID": b"", "InactiveExitTimestamp": 0})
    assert lines_of("web.service", start, True) == [["--since=-30s", "_SYSTEMD_USER_UNIT=web.service"]]
