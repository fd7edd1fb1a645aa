#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Make the archive ARCHIVE of Upstart 1.13.2, its programs and the libraries that no living distribution has any more, to be laid into a
# container of Debian. They are from packages of Ubuntu 16.04, the last one with Upstart, which are kept in FOLDER.
#
#   tests/lib/upstart.sh FOLDER ARCHIVE
#
# Ends with 3 and a sentence when the packages are not here and cannot be had: Ubuntu's archive is no part of what the project needs.
set -euo pipefail

folder=$1 archive=$2
from=http://archive.ubuntu.com/ubuntu/pool/main
# SHA-256 and path, as the signed index of xenial (release pocket, amd64) has them.
packages="
79023f49bf0273ab1d167cb050ffec4720b42be5bd3832d53aa751939162e317 u/upstart/upstart_1.13.2-0ubuntu21_amd64.deb
2cb9af7fda39bebbf891684c62d1cd266bbda927469d73b78e55ec41a0ddbbe5 u/upstart/upstart-sysv_1.13.2-0ubuntu21_amd64.deb
f15d242ab7bd3f06cbfcb859c82c514912d1ae5f35ebd46d044416a371053d0f libn/libnih/libnih1_1.0.3-4.3ubuntu1_amd64.deb
66bdc517e3bd3d84cbe09873780f2acadaf5f17c64c376cdf40cfe38e3a7f454 libn/libnih/libnih-dbus1_1.0.3-4.3ubuntu1_amd64.deb
2e4e5fe57620c34880af1897e3ea6c5cae41091ac20ba3c99f4166d1fb66d29a c/cgmanager/libcgmanager0_0.39-2ubuntu5_amd64.deb
d21dabb451051543cb639e016ba524e9ed1166f71fc2bce8d448ee320e051f29 j/json-c/libjson-c2_0.11-4ubuntu2_amd64.deb
0be4f71790171755e7a44dd8af7949ff161e30361f0c5bc671dfe66f782d6a9e d/dbus/libdbus-1-3_1.10.6-1ubuntu3_amd64.deb
"

if [ "$(dpkg --print-architecture)" != amd64 ]; then echo "its packages are for amd64" >&2; exit 3; fi
mkdir -p "$folder"
tree=$(mktemp -d)
trap 'rm -rf --one-file-system "$tree"' EXIT
while read -r sum path; do
  [ -n "$sum" ] || continue
  package=$folder/${path##*/}
  if ! echo "$sum  $package" | sha256sum --check --status 2>/dev/null; then
    rm -f "$package"
    # apt's own way to the network: where it needs a proxy, apt knows of it.
    /usr/lib/apt/apt-helper -o APT::Sandbox::User=root -o Acquire::Retries=2 -o Acquire::http::Timeout=20 \
      download-file "$from/$path" "$package" >"$folder/said" 2>&1 ||
      { grep -m 1 '^E:' "$folder/said" >&2 || echo "$from/$path cannot be had" >&2; exit 3; }
    echo "$sum  $package" | sha256sum --check --quiet >&2 # another content is no reason to leave anything out
  fi
  dpkg-deb --fsys-tarfile "$package" | tar --extract --directory="$tree"
done <<<"$packages"
# Debian's /sbin and /lib are links to these. Nothing follows the end of the archive, where podman stops to read.
tar --create --file="$archive.new" --blocking-factor=1 --directory="$tree" --transform='s,^,usr/,S' --owner=0 --group=0 sbin lib
mv "$archive.new" "$archive"
