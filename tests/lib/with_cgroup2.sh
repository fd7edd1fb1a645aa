#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Run a command where /sys/fs/cgroup is cgroup v2 alone, as on any modern host: as it is where the machine has that, otherwise in a
# mount namespace of its own (a machine in hybrid mode). Only that folder is private in it: podman mounts the network namespaces of
# its containers below /run/netns, and any other podman of the machine fails when it does not see them there, also after the death
# of this run. So /run/netns becomes a mount that all of them share, as podman makes it itself.
set -eu
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then exec "$@"; fi
mkdir -p /run/netns
exec 9>/run/netns.lock
flock 9
mountpoint -q /run/netns || mount --bind /run/netns /run/netns
mount --make-shared /run/netns
exec 9>&-
# shellcheck disable=SC2016 # expanded by the inner shell
exec unshare --mount --propagation unchanged sh -c '
  mount --make-private /sys
  mount --make-rprivate /sys/fs/cgroup
  umount -R /sys/fs/cgroup
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  exec "$@"' sh "$@"
