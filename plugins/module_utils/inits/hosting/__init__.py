# SPDX-License-Identifier: GPL-3.0-or-later
"""How the supervisor itself is installed, started and kept running under the init of a host.

``layout`` says where its files go, ``files`` puts them there. ``interface`` is what every way of hosting can do, and
each way is one file, named after the init: ``systemd``, ``upstart``, ``sysvinit``, ``busybox`` (both on ``inittab``),
``openrc``, ``runit``, ``s6`` (both on ``scanned``), ``pid1`` (it is the init), ``none`` (a daemon of its own).
``pieces`` are the files, links and lines by which an init is told, ``running`` watches the supervisor come up and end.
``choose`` picks the one that works here. In: the bundle's bytes. Out: a supervisor that nobody's logout ends.
"""
