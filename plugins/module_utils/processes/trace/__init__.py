# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program once under observation, and say which ``expect`` fits it.

``run.trace`` takes a ``request.Request`` and returns a ``report.Report``. A process of its own (``observer``) starts
the program (``launch``), watches it through ptrace (``follow``, on ``ptrace`` and ``syscalls``) or, where the kernel
refuses that, through /proc (``look``), until it is ``quiet``, and ends all of it (``ending``). What it saw is a list of
``events``; ``family`` makes processes of them, ``conclusion`` and ``alternatives`` decide. Those three and ``report``
are pure.
"""
