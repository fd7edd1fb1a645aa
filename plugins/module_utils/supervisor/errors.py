# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor's own errors, caught once in ``main``."""

from __future__ import annotations


class StartError(Exception):
    """The supervisor cannot start, or not anew: one sentence that says why and what to do."""
