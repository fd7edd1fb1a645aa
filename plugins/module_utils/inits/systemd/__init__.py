# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd as the init that jobs are handed over to: the system's, or a user's manager.

``manager`` asks systemd over its private socket, or the bus. ``units`` are the files: a job is one unit, which keeps
the job in its comments (see job.exporters). ``started`` remembers which definition runs, across a change that leaves
an instance alone. ``init`` is the JobInit made of them, and ``failure`` tells how a start has failed.
"""
