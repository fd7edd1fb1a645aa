# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is asked for to linger."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.foster.init.plugins.module_utils.inits.errors import InitError
from ansible_collections.foster.init.plugins.module_utils.inits.systemd import lingering


def test_the_user_who_is_to_linger_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a name logind took the owner of the login session: after ``become_user`` somebody else lingered."""

    def loginctl(command: list[str], **_options: Any) -> subprocess.CompletedProcess[bytes]:
        owner_of_the_session = "somebody-else"
        (tmp_path / (command[2:] or [owner_of_the_session])[0]).touch()
        return subprocess.CompletedProcess(command, 0, b"", b"")

    monkeypatch.setattr(subprocess, "run", loginctl)
    lingering.enable(str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [lingering.user_name()]


def test_a_refusal_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = subprocess.CompletedProcess([], 1, b"", b"Could not enable linger: Access denied\n")
    monkeypatch.setattr(subprocess, "run", lambda *_command, **_options: refusal)
    with pytest.raises(InitError, match=r"Access denied\): run `loginctl enable-linger .* as root"):
        lingering.enable(str(tmp_path))
