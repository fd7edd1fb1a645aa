# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong when an init is asked; ``str()`` is one sentence for a human."""

from __future__ import annotations


class InitError(Exception):
    """An init refused or could not do what it was asked for."""


class InitUnreachable(InitError):
    """Nobody answers where the init should."""
