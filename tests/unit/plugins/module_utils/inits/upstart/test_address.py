# SPDX-License-Identifier: GPL-3.0-or-later
"""Who listens is made sure of before anything is asked."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.foster.init.plugins.module_utils.inits.errors import InitUnreachable
from ansible_collections.foster.init.plugins.module_utils.inits.upstart import address


@pytest.fixture
def stranger() -> Iterator[str]:
    """Return the address of a server of this process, which lets everybody in."""
    name = f"/foster/test/upstart/{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0{name}")
        server.listen(8)

        def serve() -> None:
            while True:
                try:
                    client, _address = server.accept()
                except OSError:
                    return
                with client:
                    if client.recv(4096):
                        client.sendall(b"OK 0123456789abcdef0123456789abcdef\r\n")
                        client.recv(4096)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"unix:abstract={name}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_who_took_the_name_of_upstart_is_asked_nothing(stranger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "SYSTEM_ADDRESS", stranger)
    with pytest.raises(InitUnreachable, match=rf"\(pid {os.getpid()}\) is not PID 1, so nothing is asked of it"):
        address.connect({}, user=False)


def test_a_session_init_of_another_user_is_asked_nothing(stranger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "credentials_of", lambda _peer: (77, 4711))
    with pytest.raises(InitUnreachable, match=r"\(pid 77\) is the user 4711"):
        address.connect({"UPSTART_SESSION": stranger}, user=True)


def test_an_init_that_drops_a_plain_user_is_said_to_obey_root_only(
    stranger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Upstart lets everybody authenticate and closes the connection at the first message."""
    monkeypatch.setattr(address, "SYSTEM_ADDRESS", stranger)
    monkeypatch.setattr(address, "credentials_of", lambda _peer: (1, 0))
    monkeypatch.setattr(address.os, "geteuid", lambda: 1000)
    with pytest.raises(InitUnreachable, match="it closed the connection; the init takes orders from root only"):
        address.connect({}, user=False)


def test_a_host_without_upstart_is_said_to_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "SYSTEM_ADDRESS", f"unix:abstract=/foster/test/nobody/{os.getpid()}")
    with pytest.raises(InitUnreachable, match=r"There is no Upstart here: .*use: foster"):
        address.connect({}, user=False)


def test_the_session_is_the_one_that_answers(stranger: str, tmp_path: Path) -> None:
    folder = tmp_path / "upstart" / "sessions"
    folder.mkdir(parents=True)
    environ = {"XDG_RUNTIME_DIR": str(tmp_path)}
    with pytest.raises(InitUnreachable, match="No session init answers here"):
        address.session_address(environ)
    (folder / "1.session").write_text(f"UPSTART_SESSION={stranger}\n")
    (folder / "2.session").write_text("UPSTART_SESSION=unix:abstract=/foster/test/nobody\n")
    (folder / "3.session").symlink_to(folder / "1.session")
    (folder / "4.session").write_bytes(b"\xff\0")
    assert address.session_address(environ) == stranger
    (folder / "5.session").write_text(f"UPSTART_SESSION={stranger}\n")
    with pytest.raises(InitUnreachable, match="There are 2 session inits"):
        address.session_address(environ)
    assert address.session_address({**environ, "UPSTART_SESSION": "unix:path=/x"}) == "unix:path=/x"
