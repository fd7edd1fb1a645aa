# SPDX-License-Identifier: GPL-3.0-or-later
"""A program is started again after the one error that says nothing of it, and after no other."""

from __future__ import annotations

import errno
import os
import subprocess

import pytest
from runner import launch


class _Popen:
    """Fails with the errors in turn, then starts."""

    def __init__(self, *errors: int) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self, arguments: list[str], **options: object) -> str:
        self.calls += 1
        if self.errors:
            number = self.errors.pop(0)
            raise OSError(number, os.strerror(number), arguments[0])
        return "started"


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_lost_arguments_are_given_again(monkeypatch: pytest.MonkeyPatch, lost: int) -> None:
    monkeypatch.setattr(subprocess, "Popen", _Popen(*[errno.EFAULT] * lost))
    assert launch.launch(["/bin/true"]) == "started"


@pytest.mark.parametrize(
    ("errors", "calls"), [([errno.ENOENT], 1), ([errno.EFAULT, errno.ENOENT], 2), ([errno.EFAULT] * 9, 3)]
)
def test_every_other_failure_is_one(monkeypatch: pytest.MonkeyPatch, errors: list[int], calls: int) -> None:
    popen = _Popen(*errors)
    monkeypatch.setattr(subprocess, "Popen", popen)
    with pytest.raises(OSError, match=os.strerror(errors[-1])):
        launch.launch(["/bin/true"])
    assert popen.calls == calls
