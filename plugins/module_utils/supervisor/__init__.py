# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon around the engine: one thread that carries out what the engine decides and tells it what happened.

In come signals, sockets, file changes and timers (``loop``); ``host`` makes them into the engine's inputs, writes what
has changed into the ``ledger``, and only then has the effects acted on: by ``starting`` and ``ending``, with
``processes`` as the list of what runs. ``kernel`` and ``spawn`` start and signal processes, ``tracking`` knows which
ones belong together, ``readiness`` tells when a process can be used, ``logs`` keeps what it prints. ``control`` serves
the socket. ``recovery`` goes on where a killed supervisor stopped. ``main`` puts it together;
``container`` and ``command`` are for a supervisor that is the first process of a container.
"""
