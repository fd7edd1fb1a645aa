#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Print the names of test images, one a line, after building those from Debian's packages that podman's storage does not have yet.
#
#   tests/lib/image.sh NAME...
#
# Each image is a line of the table below. The tag is a digest of what goes into the image, so a changed recipe is a new image, and an
# old one of the same name is removed. What is missing is built two at a time.
set -euo pipefail

base=python3,procps,iproute2,openssh-server,ca-certificates
systemd=$base,systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,sudo
# NAME="SUITE PACKAGES". `inits` can be booted with any of its inits; the others are installed there, too, and do not run.
declare -A recipes=(
  [bare]="bookworm $base"
  [plain]="bookworm python3,ca-certificates"
  [packages]="bookworm $base,nginx-light,redis-server,postgresql,cron,apache2"
  [daemons]="bookworm $base,nginx-light,apache2,redis-server,postgresql,dbus,cron,rsyslog,haproxy,memcached,php-fpm,squid"
  [systemd]="bookworm $systemd"
  [systemd247]="bullseye $systemd"
  [systemd257]="trixie $systemd"
  [inits]="bookworm $base,sysvinit-core,sysv-rc,runit,s6,busybox"
  [openrc]="bookworm $base,sysvinit-core,openrc"
)

# Without a sync for each file the same image is there sooner; apart from build, because the digest tells what is in an image.
mmdebstrap() { command mmdebstrap --dpkgopt=force-unsafe-io "$@"; }

# build IMAGE SUITE PACKAGES: host keys are made at build time so that a container boots as fast as its init; they guard nothing
build() {
  local archive status=0
  archive=$(mktemp -d)
  # shellcheck disable=SC2016 # the shell that mmdebstrap runs them with expands the hooks
  mmdebstrap --quiet --variant=minbase --include="$3" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook='chroot "$1" useradd --create-home --shell /bin/bash dev' \
    --customize-hook='chroot "$1" ssh-keygen -A' \
    --customize-hook='for home in root home/dev; do install -d -m 700 "$1/$home/.ssh"; done' \
    --customize-hook='chroot "$1" chown dev:dev /home/dev/.ssh' \
    --customize-hook='[ ! -e "$1/etc/inittab" ] || sed -i "/getty/d" "$1/etc/inittab"' \
    "$2" "$archive/image.tar" >&2 && podman import --quiet "$archive/image.tar" "$1" >/dev/null || status=$?
  rm -rf "$archive"
  return "$status"
}

# build_plain IMAGE SUITE PACKAGES: as small as Debian gets, and nobody comes to it over ssh
build_plain() {
  # shellcheck disable=SC2016 # as above
  mmdebstrap --quiet --variant=minbase --include="$3" --customize-hook='chroot "$1" useradd --create-home --shell /bin/bash dev' "$2" - |
    podman import --quiet - "$1" >/dev/null
}

builder_of() { if declare -F "build_$1" >/dev/null; then echo "build_$1"; else echo build; fi; }
image_of() { echo "localhost/foster-test-$1:$( (echo "${recipes[$1]}"; declare -f "$(builder_of "$1")") | sha256sum | cut -c 1-12)"; }

# have NAME: two runs may want the same image at once; one of them builds it
have() {
  local image former suite packages
  image=$(image_of "$1")
  if podman image exists "$image"; then return; fi
  exec 9>"$locks/$1.lock"
  flock 9
  if podman image exists "$image"; then return; fi
  read -r suite packages <<<"${recipes[$1]}"
  build_folder=$(mktemp -d) # not local: the trap is executed where the subshell of this image ends, perhaps by a signal
  trap 'rm -rf --one-file-system "$build_folder"' EXIT
  trap 'exit 143' TERM
  chmod 755 "$build_folder"
  TMPDIR=$build_folder "$(builder_of "$1")" "$image" "$suite" "$packages"
  for former in $(podman images --quiet --filter "reference=localhost/foster-test-$1" --filter "before=$image"); do
    podman rmi "$former" >/dev/null 2>&1 || true # a run of before may use it still
  done
}

for name in "$@"; do
  [ -n "${recipes[$name]:-}" ] || { echo "image.sh: no image is called '$name'; there are: ${!recipes[*]}" >&2; exit 2; }
done
locks=$(dirname "${BASH_SOURCE[0]}")/../../.cache/images
mkdir -p "$locks"
for name in "$@"; do
  while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n; done
  have "$name" &
done
# The failure of one of them is told by what is missing now.
wait
for name in "$@"; do
  podman image exists "$(image_of "$name")" || { echo "image.sh: the image $name could not be built" >&2; exit 1; }
  image_of "$name"
done
