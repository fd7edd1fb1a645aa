# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task can fail with: one sentence, and what it has found out."""

from __future__ import annotations

from typing import Any


class TaskError(Exception):
    """The task cannot do what it was asked; ``details`` become return values beside ``msg``."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details = details


class NoSupervisor(TaskError):
    """No supervisor answers on this host, or what is needed to talk to one is not installed."""
