# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong on a D-Bus connection."""

from __future__ import annotations

ERROR_FAILED = "org.freedesktop.DBus.Error.Failed"
ERROR_NO_REPLY = "org.freedesktop.DBus.Error.NoReply"
ERROR_TIMEOUT = "org.freedesktop.DBus.Error.Timeout"
ERROR_INVALID_ARGS = "org.freedesktop.DBus.Error.InvalidArgs"
ERROR_UNKNOWN_METHOD = "org.freedesktop.DBus.Error.UnknownMethod"
ERROR_ACCESS_DENIED = "org.freedesktop.DBus.Error.AccessDenied"
ERROR_LIMITS_EXCEEDED = "org.freedesktop.DBus.Error.LimitsExceeded"
ERROR_NOT_SUPPORTED = "org.freedesktop.DBus.Error.NotSupported"

# The sentences that libdbus gives to a caller whose connection breaks; Upstart's initctl prints them. The first one is
# for a caller who has got other messages meanwhile: who starts a job hears its signals, who emits an event may not.
DISCONNECTED_TEXT = "Connection was disconnected before a reply was received"
NO_REPLY_TEXT = (
    "Did not receive a reply. Possible causes include: the remote application did not send a reply, "
    "the message bus security policy blocked the reply, the reply timeout expired, "
    "or the network connection was broken."
)


class BusError(Exception):
    """An error reply: ``name`` is the D-Bus error name, ``message`` the sentence for a human."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name
        self.message = message

    @property
    def short(self) -> str:
        """Return the last part of the name: ``AlreadyStarted``, ``UnknownJob``, ..."""
        return self.name.rpartition(".")[2]


class BusUnreachable(Exception):
    """Nobody answers at the address, or the handshake failed: one sentence that names the address.

    ``denied``: the socket is there, and its permissions keep this user out.
    """

    def __init__(self, message: str, denied: bool = False) -> None:
        super().__init__(message)
        self.denied = denied


class ProtocolError(Exception):
    """The peer sent something that is not D-Bus, or more than it may: the connection is of no more use."""
