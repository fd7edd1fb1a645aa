# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task changes: one object that yields ``changed``, ``actions`` and ``diff``, so that they cannot disagree."""

from __future__ import annotations

from typing import Any, Optional


class Difference:
    """Collect what is not as wanted, as texts before and after."""

    def __init__(self) -> None:
        self.actions: list[str] = []
        self._parts: list[dict[str, str]] = []

    @property
    def changed(self) -> bool:
        """Say whether anything differs or has been done."""
        return bool(self.actions)

    def note(self, action: str, what: str, before: Optional[str], after: Optional[str]) -> None:
        """Add one change: the ``action`` in words, ``what`` it is done to, its text before and after (None: absent)."""
        self.actions.append(action)
        if before != after:
            self._parts.append(
                {
                    "before_header": what if before is not None else f"{what} (absent)",
                    "after_header": what if after is not None else f"{what} (absent)",
                    "before": before or "",
                    "after": after or "",
                }
            )

    def extend(self, other: Difference) -> None:
        """Add the changes of another one."""
        self.actions += other.actions
        self._parts += other._parts

    def result(self, with_diff: bool) -> dict[str, Any]:
        """Return the return values ``changed`` and ``actions``, and ``diff`` where it is asked for."""
        found: dict[str, Any] = {"changed": self.changed, "actions": list(self.actions)}
        if with_diff:
            found["diff"] = [dict(part) for part in self._parts] or {"before": "", "after": ""}
        return found
