# SPDX-License-Identifier: GPL-3.0-or-later
"""The peer-to-peer D-Bus connection, for both ends of a Unix socket.

In: bytes from a peer, or a method to call. Out: messages, replies, signals, bytes for the peer.
``auth`` is the SASL handshake, ``wire`` the values inside a message, ``message`` a message with its header, and
``connection`` the stream of messages with its limits: none of them does I/O. ``client`` is the blocking client.
``upstart`` holds the tables of the interfaces that are spoken. Only ``generic`` imports jeepney, and only when a
value is met that Upstart's API does not use: jeepney takes about 85 us to read a call and 45 us to write its reply,
the few types of that API take 5 us and 2 us here.
"""
