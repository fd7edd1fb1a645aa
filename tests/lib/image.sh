#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Print the name of a test image, after building it from Debian's packages when podman's storage does not have it yet.
#
#   tests/lib/image.sh systemd|bare [SUITE]
#
# The tag is a digest of what goes into the image, so a changed recipe is a new image.
set -euo pipefail

kind=${1:?which image: systemd or bare}
suite=${2:-bookworm}
packages=python3,procps,iproute2,openssh-server,ca-certificates
case $kind in
  systemd) packages+=,systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,sudo ;;
  bare) ;;
  *) echo "image.sh: no image is called '$kind'; there are: systemd bare" >&2; exit 2 ;;
esac

tag=$suite-$( (echo "$kind $packages"; cat "${BASH_SOURCE[0]}") | sha256sum | cut -c 1-12)
image=localhost/foster-test-$kind:$tag
if podman image exists "$image"; then echo "$image"; exit; fi

archive=$(mktemp -d)
trap 'rm -rf "$archive"' EXIT
# Two scenarios may want the same image at once: one of them builds it.
locks=$(dirname "${BASH_SOURCE[0]}")/../../.cache/images
mkdir -p "$locks"
exec 9>"$locks/$kind-$tag.lock"
flock 9
if podman image exists "$image"; then echo "$image"; exit; fi
# Host keys are made at build time so that a container boots as fast as its init; they guard nothing.
# shellcheck disable=SC2016 # the shell that mmdebstrap runs them with expands the hooks
mmdebstrap --quiet --variant=minbase --include="$packages" \
  --customize-hook='chroot "$1" useradd --create-home --shell /bin/bash dev' \
  --customize-hook='chroot "$1" ssh-keygen -A' \
  --customize-hook='for home in root home/dev; do install -d -m 700 "$1/$home/.ssh"; done' \
  --customize-hook='chroot "$1" chown dev:dev /home/dev/.ssh' \
  "$suite" "$archive/image.tar" >&2
podman import --quiet "$archive/image.tar" "$image" >/dev/null
podman image exists "$image"
echo "$image"
