#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Run a command where /sys/fs/cgroup is cgroup v2 alone, as on any modern host: as it is where the machine has that, otherwise in a
# private mount namespace (a machine in hybrid mode).
set -eu
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then exec "$@"; fi
# shellcheck disable=SC2016 # expanded by the inner shell
exec unshare -m sh -c '
  mount --make-rprivate /
  umount -R /sys/fs/cgroup
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  exec "$@"' sh "$@"
