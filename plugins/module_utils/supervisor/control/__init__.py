# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor's socket: Upstart's D-Bus API, and ours, for many clients at once.

In: connections of local users, requests. Out: replies, and every announcement of the engine as a D-Bus signal.
``listener`` makes the socket, ``server`` accepts and holds the peers together, ``peer`` is one connection with all its
limits, ``service`` finds the method for a message and checks who may call it. ``manager``, ``job_object`` and
``instance_object`` hold the methods, ``properties`` the values that can be read, ``signals`` the announcements.
What they need from the rest of the supervisor is written down in ``host_protocol``.
"""
