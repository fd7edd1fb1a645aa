# SPDX-License-Identifier: GPL-3.0-or-later
"""How the supervisor itself is installed, started and kept running under the init of a host.

``layout`` says where its files go, ``files`` puts them there, ``interface`` is what every way of hosting can do, and
each way is one file: ``systemd`` (a unit of the system or of a user), ``none`` (a daemon of its own, in a container).
``choose`` picks the one that works here. In: the bundle's bytes. Out: a supervisor that nobody's logout ends.
"""
