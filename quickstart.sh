#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Try foster.init on this machine: ./quickstart.sh, and ./quickstart.sh --undo to remove all of it again.
# Needs Python 3.11 or newer and the network; as root on Debian and Ubuntu it installs the packages that are missing.
set -eu

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
die() { printf 'quickstart.sh: %s\n' "$*" >&2; exit 1; }

here=$(cd "$(dirname "$0")" && pwd)
undo=no
case "${1-}" in
    '') ;;
    --undo) undo=yes ;;
    -h | --help) printf 'Usage: ./quickstart.sh [--undo]\n'; exit 0 ;;
    *) die "unknown argument $1; the only one is --undo" ;;
esac

umask 022
[ -n "${HOME-}" ] || die "HOME is not set; set it to a folder of yours"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/foster.init
mkdir -p "$cache" 2>/dev/null || die "$cache cannot be made; set HOME or XDG_CACHE_HOME to a folder that you may write to"
log=$cache/quickstart.log
venv=$cache/venv

# Run something that should be quiet, and show what it wrote only when it fails.
quietly() {
    if ! "$@" >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        return 1
    fi
}

apt_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    say "Installing $* with apt-get"
    quietly apt-get update -q
    quietly env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@"
}

# Print the first Python here that is new enough for ansible-core 2.19.
find_python() {
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

# Fetch pip's wheel from the package index, for a Python that comes without ensurepip; print its path.
fetch_pip() {
    "$python" - "$cache" <<'PYTHON'
import configparser, html.parser, os, re, sys, urllib.parse, urllib.request

index = os.environ.get("PIP_INDEX_URL")
for path in (os.path.expanduser("~/.config/pip/pip.conf"), os.path.expanduser("~/.pip/pip.conf"), "/etc/pip.conf"):
    if not index:
        config = configparser.RawConfigParser()
        config.read(path)
        index = config.get("global", "index-url", fallback=None)
page = (index or "https://pypi.org/simple").rstrip("/") + "/pip/"

class Links(html.parser.HTMLParser):
    found = []
    def handle_starttag(self, tag, attributes):
        link = dict(attributes).get("href") or ""
        version = re.search(r"/?pip-(\d+)\.(\d+)(?:\.(\d+))?-py3-none-any\.whl", link)
        if tag == "a" and version:
            self.found.append(([int(n or 0) for n in version.groups()], link))

try:
    parser = Links()
    parser.feed(urllib.request.urlopen(page, timeout=30).read().decode())
    link = urllib.parse.urljoin(page, max(parser.found)[1])
    name = os.path.join(sys.argv[1], urllib.parse.unquote(urllib.parse.urlparse(link).path.rsplit("/", 1)[1]))
    with urllib.request.urlopen(link, timeout=60) as wheel, open(name, "wb") as file:
        file.write(wheel.read())
except (OSError, ValueError) as error:
    sys.exit(f"pip cannot be fetched from {page}: {error}")
print(name)
PYTHON
}

make_venv() {
    rm -rf "$venv"
    if "$python" -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv; then
        quietly "$python" -m venv "$venv"
        return
    fi
    "$python" -c 'import venv' 2>/dev/null ||
        die "$python has no module venv; install the package python3-venv, or run this as root"
    quietly "$python" -m venv --without-pip "$venv"
    wheel=$(fetch_pip) || die "pip is missing and cannot be fetched; install the package python3-venv, or run this as root"
    quietly "$venv/bin/python" "$wheel/pip" install --disable-pip-version-check "$wheel"
    rm -f "$wheel"
}

# Print which packages bring a newer Python on this distribution, where there are such.
newer_python() {
    # shellcheck disable=SC1091 # the distribution's own file
    case "$(. /etc/os-release 2>/dev/null && printf %s "${ID-}:${VERSION_ID-}")" in
        ubuntu:22.04) printf 'python3.11 python3.11-venv' ;;
        rhel:[89]* | centos:[89]* | rocky:[89]* | almalinux:[89]*) printf 'python3.12' ;;
    esac
}

command -v python3 >/dev/null || apt_install python3 python3-venv || true
python=$(find_python) || {
    packages=$(newer_python)
    # shellcheck disable=SC2086 # several packages
    [ -z "$packages" ] || ! apt_install $packages || python=$(find_python) || python=
}
[ -n "$python" ] || {
    found=$(python3 --version 2>/dev/null || echo 'no Python 3')
    rmdir "$cache" "$(dirname "$cache")" 2>/dev/null || true
    die "Python 3.11 or newer is needed on the controller for ansible-core 2.19 or newer, and here is $found; $(
        [ -n "$packages" ] && echo "install $packages" || echo 'run this on a newer host: targets need 3.9 only'
    )"
}

requirements=$(cksum <"$here/requirements.txt")
if [ ! -x "$venv/bin/ansible-playbook" ] || [ "$(cat "$venv/foster-requirements" 2>/dev/null)" != "$requirements" ]; then
    say "Installing Ansible into $venv"
    make_venv || die "the virtual environment cannot be made; see $log"
    quietly "$venv/bin/python" -m pip install --disable-pip-version-check -r "$here/requirements.txt" ||
        die "the Python packages in requirements.txt cannot be installed; see the lines above and $log"
    printf '%s\n' "$requirements" >"$venv/foster-requirements"
fi

printf '[defaults]\n' >"$cache/ansible.cfg"
# Nothing of this run is to lie anywhere else than in the cache folder, and no configuration of yours is to change it.
export ANSIBLE_HOME="$cache/ansible" ANSIBLE_LOCAL_TEMP="$cache/ansible/tmp" ANSIBLE_REMOTE_TMP="$cache/ansible/tmp"
export ANSIBLE_COLLECTIONS_PATH="$cache/collections" ANSIBLE_CONFIG="$cache/ansible.cfg" ANSIBLE_LOCALHOST_WARNING=false
export ANSIBLE_INVENTORY_UNPARSED_WARNING=false ANSIBLE_NOCOWS=1 LC_ALL=C.UTF-8
cd "$cache"

say "Installing the collection from $here"
quietly "$venv/bin/ansible-galaxy" collection install --offline --force -p "$cache/collections" "$here" ||
    die "the collection cannot be installed; see the lines above"

if [ "$undo" = yes ]; then
    say "Removing the quickstart's jobs and the supervisor"
    "$venv/bin/ansible-playbook" foster.init.quickstart_undo
    cd /
    rm -rf "$cache"
    rmdir "$(dirname "$cache")" 2>/dev/null || true # where nobody else keeps anything in it
    say "All of it is gone"
    exit 0
fi

say "First run: converge"
"$venv/bin/ansible-playbook" foster.init.quickstart
say "Second run: nothing has to be changed"
"$venv/bin/ansible-playbook" foster.init.quickstart >"$cache/second.log" 2>&1 || { cat "$cache/second.log" >&2; exit 1; }
sed -n '/^PLAY RECAP/,$p' "$cache/second.log"
grep -q '^localhost .*changed=0 ' "$cache/second.log" || die "the second run changed something; see $cache/second.log"

if [ "$(id -u)" = 0 ]; then ctl=/usr/local/bin/fosterctl; else ctl="$HOME/.local/bin/fosterctl --user"; fi
say "It works"
cat <<TEXT
The jobs run on without this terminal: log out, log in again, and look.
  $ctl tree
  $ctl status quickstart-web
  $ctl log quickstart-web
Remove all of it:
  $here/quickstart.sh --undo
TEXT
