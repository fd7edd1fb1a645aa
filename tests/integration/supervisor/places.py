# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a supervisor may run: with each kind of cgroups and with none, as root and as an ordinary user.

Each place is a mount namespace of its own, so nothing is changed outside and nothing is left behind.
"""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """``user``: own (root) or nobody. ``prepare``: shell commands with /sys/fs/cgroup empty."""

    user: str
    prepare: str = ""


_SECOND = "mount -t cgroup2 cgroup2 /sys/fs/cgroup\n"
# Its own cgroup, given to the user: what systemd does with Delegate=yes. It can only go when all has ended: see TIDY.
_DELEGATED = (
    _SECOND
    + """
    own=/sys/fs/cgroup/foster-test-$$
    mkdir $own && echo $$ > $own/cgroup.procs && chown -R 65534:65534 $own
"""
)
PLACES = {
    "cgroup2": Place("own", _SECOND),
    "cgroup1": Place(
        "own",
        "mkdir /sys/fs/cgroup/named\nmount -t cgroup -o none,name=foster_test cgroup /sys/fs/cgroup/named\n",
    ),
    "none": Place("own"),
    "user": Place("nobody"),
    "user-cgroup2": Place("nobody", _DELEGATED),
}


def prefix(place: str) -> list[str]:
    """Return what to execute the supervisor with, as root."""
    script = f"""set -e
    mount --make-rprivate /
    umount -R /sys/fs/cgroup
    mount -t tmpfs none /sys/fs/cgroup
    {PLACES[place].prepare}
    exec "$@"
    """
    return ["unshare", "-m", "sh", "-c", script, "sh"]


# Removes the cgroups that were made to be given away.
TIDY = [*prefix("cgroup2"), "sh", "-c", "rmdir /sys/fs/cgroup/foster-test-* 2>/dev/null || true"]
