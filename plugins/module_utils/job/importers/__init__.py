# SPDX-License-Identifier: GPL-3.0-or-later
"""Other inits' ways to write a daemon down, read as jobs: systemd units, SysV scripts, supervisord's programs.

In: the texts of the files, in the order in which they count, and an ``imported.Around`` that says what the host is and
allows. Out: an ``imported.Imported``: the job, its reload where that is a command, the conditions under which it may
start, and one sentence for everything that could not be carried over. ``unitfile`` reads a unit and its drop-ins,
``commandline`` an Exec line, ``unlike`` is the table of what has no counterpart here.
"""
