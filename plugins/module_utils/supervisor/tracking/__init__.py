# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processes belong to an instance, how to end all of them, and how those end that are not our children.

A ladder: being the subreaper of everything that is started, the instance's own cgroup where a writable one
exists, and the marker variables that every process of a job inherits. What ends without being a child tells how by its
pidfd, or by the process connector (``adopted``).
"""
