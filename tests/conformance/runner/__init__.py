# SPDX-License-Identifier: GPL-3.0-or-later
"""Run recorded cases against a supervisor and compare.

In: a case (`conf/`, `steps`, `trace`) and the paths of a supervisor and its client. Out: a trace of ours, and the list
of differences that `compare` finds. Nothing here imports the project: it would run against Upstart just the same.
"""
