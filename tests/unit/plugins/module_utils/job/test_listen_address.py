# SPDX-License-Identifier: GPL-3.0-or-later
"""The address of ``expect listen``."""

from __future__ import annotations

import pytest
from ansible_collections.foster.init.plugins.module_utils.job.listen_address import parse_listen

LOCAL, OTHER, ANY = bytes((127, 0, 0, 1)), bytes((10, 0, 0, 1)), bytes(4)


@pytest.mark.parametrize(
    ("text", "kinds", "path"),
    [
        ("", ("tcp", "tcp6", "unix"), ""),
        ("80", ("tcp", "tcp6"), ""),
        ("tcp6:80", ("tcp6",), ""),
        ("udp:53", ("udp", "udp6"), ""),
        ("[::1]:80", ("tcp6",), ""),
        ("127.0.0.1:80", ("tcp", "tcp6"), ""),
        ("/run/x.sock", ("unix",), "/run/x.sock"),
        ("unix:/run/x.sock", ("unix",), "/run/x.sock"),
        ("@name", ("unix",), "@name"),
    ],
)
def test_what_is_meant(text, kinds, path):
    found = parse_listen(text)
    assert (found.kinds, found.path) == (kinds, path)


@pytest.mark.parametrize("text", ["0", "65536", "http", "localhost:80", "1.2.3:80", "unix:x", "80:", "tcp:", "-1", "²"])
def test_what_means_nothing_is_refused_with_what_may_be_written(text):
    with pytest.raises(ValueError, match="write PORT"):
        parse_listen(text)


def test_a_socket_on_every_address_covers_each_and_no_other_does():
    address = parse_listen("127.0.0.1:80")
    assert address.covers(LOCAL, 80)
    assert address.covers(ANY, 80)
    assert not address.covers(OTHER, 80)
    assert not address.covers(LOCAL, 81)
