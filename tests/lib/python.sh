# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Which Pythons this machine has, and virtual environments for them below .cache/.

: "${TOP:?}" "${CACHE:?}"

# find_python VERSION: print the path of a Python of that version, or fail
find_python() {
  local candidate
  for candidate in "python$1" /usr/bin/"python$1" /usr/local/bin/"python$1" \
    "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python "$HOME"/.local/share/uv/python/cpython-"$1".*/bin/python; do
    # A pyenv shim exists for versions that are not switched on, so it must be asked.
    if "$candidate" -c "import sys, venv, ensurepip; sys.exit('%d.%d' % sys.version_info[:2] != '$1')" 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

# first_python VERSION...: print the first version of the list that is here
first_python() {
  local version
  for version in "$@"; do
    if find_python "$version" >/dev/null; then echo "$version"; return; fi
  done
  return 1
}

# any_python: what runs the runner's own small scripts
any_python() { command -v python3; }

# venv NAME VERSION REQUIREMENTS: print the folder of a virtual environment that has exactly these requirements; made once, and
# anew where the tree was moved. Another run may use an older one at the same time, so only those go that nobody wanted for a week.
venv() {
  local name=$1 version=$2 requirements=$TOP/tests/requirements/$3 python folder digest all
  python=$(find_python "$version")
  digest=$( (cat "$requirements"; "$python" -VV; echo "$python") | sha256sum | cut -c 1-10)
  mkdir -p "$CACHE/venv"
  all=$(readlink -f "$CACHE/venv") # several trees may share it through a link
  folder=$all/$name-$version-$digest
  (
    flock 9
    if [ -e "$folder/.complete" ] && made_at "$folder"; then touch "$folder/.complete"; exit; fi
    rm -rf "$folder"
    find "$all" -mindepth 1 -maxdepth 1 -name "$name-$version-*" -type d -print0 |
      while IFS= read -r -d '' old; do
        [ -n "$(find "$old/.complete" -mtime -7 2>/dev/null)" ] || rm -rf "$old"
      done
    "$python" -m venv "$folder"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements"
    touch "$folder/.complete"
  ) 9>"$CACHE/venv/$name-$version.lock" >"$CACHE/venv/$name-$version.log" 2>&1 || {
    cat "$CACHE/venv/$name-$version.log" >&2
    return 1
  }
  echo "$folder"
}

# made_at FOLDER: tell whether the environment was made there: its programs name its Python by the path it had then
made_at() { grep -qF "$1/bin/" "$1/bin/pip" 2>/dev/null; }

# controller_venv: the newest Python on which a released ansible-core has been tested here
controller_venv() {
  local version
  version=$(first_python 3.13 3.12 3.11) || { say "No Python 3.11 to 3.13 with venv is here; the controller's tools need one (on Debian: apt-get install python3-venv)."; return 1; }
  venv controller "$version" controller.txt
}
