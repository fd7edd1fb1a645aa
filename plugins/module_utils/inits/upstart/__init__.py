# SPDX-License-Identifier: GPL-3.0-or-later
"""Upstart as the init that jobs are handed over to.

A job is the file that it is for our own supervisor, in the folder that this Upstart reads, and all the rest goes over
its socket in the interface com.ubuntu.Upstart0_6. ``address`` finds the socket and makes sure who listens, ``place``
finds the folders of that init, ``language`` refuses what Upstart has no word for, ``definition`` tells which definition
runs, ``failure`` what went wrong, and ``init`` is the JobInit.
"""
