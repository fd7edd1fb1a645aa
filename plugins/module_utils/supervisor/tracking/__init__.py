# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processes belong to an instance, and how to end all of them.

A ladder: being the subreaper of everything that is started (always), the instance's own cgroup where a writable one
exists, and
the marker variables that every process of a job inherits.
"""
