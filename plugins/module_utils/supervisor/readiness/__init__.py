# SPDX-License-Identifier: GPL-3.0-or-later
"""When a main process can be used, and which process it is: one watcher for each kind of ``expect``.

A watcher is made when the process was started. It calls ``ready(pid)`` once, and is asked at each exit of the main
process whether
another one has taken its place.
"""
