# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The parts of a run, apart from molecule: each function is one part and makes its checks.

: "${TOP:?}" "${CACHE:?}" "${LIB:?}"
UNIT_PYTHONS=(3.11 3.9 3.13)

# tree_copy: print the folder of a fresh copy of the working tree at a path by which Ansible finds the collection
tree_copy() {
  local copy=$CACHE/ansible_collections/foster/init
  rm -rf "$copy"
  mkdir -p "$copy"
  git ls-files -z --cached --others --exclude-standard |
    while IFS= read -r -d '' file; do [ -e "$file" ] || [ -L "$file" ] && printf '%s\0' "$file"; done |
    tar --create --null --files-from=- | tar --extract --directory="$copy"
  # ansible-test asks git which files there are, and would find the repository around the copy, which ignores .cache/.
  git -C "$copy" init --quiet
  git -C "$copy" add --all
  echo "$copy"
}

# with_copy COMMAND...: hold the copy of the tree while the command runs; two runs at once take turns
with_copy() {
  exec 8>"$CACHE/copy.lock"
  flock 8
  COPY=$(tree_copy)
  "$@"
  exec 8>&-
}

part_lint() {
  local venv
  venv=$(controller_venv)
  export PATH=$venv/bin:$PATH
  check "ruff check" ruff check --quiet .
  check "ruff format" ruff format --check --quiet --diff .
  check "mypy" mypy --cache-dir "$CACHE/mypy" plugins/module_utils
  check "yamllint" yamllint --strict .
  check "shellcheck" lint_shell
  with_copy check "ansible-lint" in_copy ansible-lint --offline --profile production --strict -q
}

lint_shell() {
  git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
    if [ -f "$file" ] && head -c 64 "$file" | head -n 1 | grep -Eqa '^#!.*\b(ba|da)?sh\b|^# shellcheck shell='; then printf '%s\0' "$file"; fi
  done | xargs -0 --no-run-if-empty shellcheck --external-sources
}

# in_copy COMMAND...: run in the copy, with a home of its own so that nothing is read from or left in the user's
in_copy() (
  : "${PIP_CONFIG_FILE:=$(first_file "$HOME/.config/pip/pip.conf" "$HOME/.pip/pip.conf" /etc/pip.conf)}"
  export PIP_CONFIG_FILE
  export HOME=$CACHE/home ANSIBLE_HOME=$CACHE/home/.ansible ANSIBLE_COLLECTIONS_PATH=$CACHE ANSIBLE_NOCOLOR=1
  mkdir -p "$HOME"
  cd "$COPY" || exit
  "$@"
)

first_file() {
  local file
  for file in "$@"; do
    if [ -e "$file" ]; then echo "$file"; return; fi
  done
  echo /dev/null
}

part_sanity() {
  local venv
  venv=$(controller_venv)
  real_pythons "$RUN/pythons"
  PATH=$venv/bin:$RUN/pythons:$(path_without_shims)
  export PATH
  with_copy sanity_in_copy
}

sanity_in_copy() {
  bootstrap_pip
  check_counted "ansible-test sanity" "$COPY/tests/output/junit" in_copy ansible-test sanity --venv --color no --junit
}

# real_pythons FOLDER: link the Pythons that targets may have by the names under which ansible-test looks for them
real_pythons() {
  local version
  mkdir -p "$1"
  for version in 3.9 3.10 3.11 3.12 3.13 3.14; do
    if find_python "$version" >/dev/null; then ln -s "$(find_python "$version")" "$1/python$version"; fi
  done
}

# path_without_shims: pyenv's shims are there for Pythons that then refuse to run
path_without_shims() { printf '%s' "$PATH" | tr : '\n' | grep -v '/shims/*$' | paste -sd :; }

# ansible-test fetches pip's bootstrap script from a server of its own. Not every network reaches that, and the package index
# serves the same pip: put a script that takes it from there where ansible-test looks first.
bootstrap_pip() {
  local folder=$CACHE/home/.ansible/test/cache version
  mkdir -p "$folder"
  for version in $(python - <<'PYTHON'
import pathlib, re
import ansible_test

source = pathlib.Path(ansible_test.__path__[0], "_internal", "python_requirements.py").read_text()
print(*sorted({v.replace(".", "_") for v in re.findall(r"""['"](2\d\.\d[\d.]*)['"]""", source)}))
PYTHON
  ); do
    cp "$LIB/bootstrap_pip.py" "$folder/get_pip_$version.py"
  done
}

# Properties are tried hard on one Python; that the others run the same code takes fewer examples, and the rest of them side by side.
part_unit() {
  local version venv tried=""
  for version in "${UNIT_PYTHONS[@]}"; do
    find_python "$version" >/dev/null || continue
    venv=$(venv unit "$version" unit.txt)
    if [ -z "$tried" ]; then
      check_pytest "unit, Python $version" "$venv" tests/unit
    else
      HYPOTHESIS_PROFILE=${HYPOTHESIS_PROFILE:-ci-quick} check_pytest "unit, Python $version" "$venv" tests/unit &
    fi
    tried=$version
  done
  wait
  if [ -z "$tried" ]; then not_run "none of Python ${UNIT_PYTHONS[*]} is here"; fi
}

part_conformance() { check_pytest conformance "$(tests_venv)" tests/conformance; }

part_integration() {
  # A bus for `expect dbus`; elsewhere its tests are skipped where there is none.
  if in_ci && ! command -v dbus-daemon >/dev/null; then
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends dbus; } >"$RUN/apt.log" 2>&1 || true
  fi
  check_pytest integration "$(tests_venv)" tests/integration
}

tests_venv() {
  local version
  version=$(first_python 3.11 3.13 3.12 3.10 3.9) || { say "No Python 3.9 to 3.13 with venv is here."; return 1; }
  venv unit "$version" unit.txt
}

# check_pytest NAME VENV FOLDER
check_pytest() {
  local report=$RUN/${1//[^a-zA-Z0-9.]/_}.xml
  check_counted "$1" "$report" env HYPOTHESIS_PROFILE="${HYPOTHESIS_PROFILE:-ci}" HYPOTHESIS_STORAGE_DIRECTORY="$CACHE/hypothesis" \
    PYTHONDONTWRITEBYTECODE=1 PATH="$2/bin:$PATH" "$2/bin/python" -m pytest -q --junit-xml="$report" "$3" "${PYTEST_ARGUMENTS[@]}"
}
