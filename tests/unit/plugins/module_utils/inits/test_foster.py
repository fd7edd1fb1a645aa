# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said when a supervisor cannot be reached."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from ansible_collections.foster.init.plugins.module_utils.dbus import client
from ansible_collections.foster.init.plugins.module_utils.dbus.errors import BusUnreachable
from ansible_collections.foster.init.plugins.module_utils.inits.foster import Foster


def test_who_may_not_use_the_socket_is_told_who_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Denied(socket.socket):
        def connect(self, address: object) -> None:  # as connect(2) does for everybody but root, who runs these tests
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(client.socket, "socket", Denied)
    with pytest.raises(BusUnreachable) as caught:
        Foster.open(f"unix:path={tmp_path}/control")
    assert str(caught.value) == (
        f"Cannot talk to the init at unix:path={tmp_path}/control: this user has no permission; become its user, or "
        "give the supervisor the readers `everyone`, who may look and change nothing"
    )


def test_where_nobody_listens_it_is_said_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(BusUnreachable, match="there is no such socket; start it with `fosterd --user`"):
        Foster.open(f"unix:path={tmp_path}/control")
