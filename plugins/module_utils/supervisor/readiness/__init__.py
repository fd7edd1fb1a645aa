# SPDX-License-Identifier: GPL-3.0-or-later
"""When a main process can be used, and which process it is: one watcher for each kind of ``expect``.

A watcher is made before the process is started (it may have to give it a descriptor or a variable), is attached to it,
and says ``ready`` once. At each exit of the main process it is asked whether another one has taken its place;
``choose`` decides which one where several could have.
"""
