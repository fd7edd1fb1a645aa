#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Run the project's checks. Sets itself up below .cache/ and leaves nothing else behind.
#
#   tests/run.sh                       everything
#   tests/run.sh lint unit             only these parts
#   tests/run.sh unit -- -k respawn    what follows -- goes to pytest (unit, conformance, integration)
#   tests/run.sh molecule:systemd      one molecule scenario
#
# Quiet as long as all is well: one line for each part, then the sum alone on the last line. The exit code is 0 when nothing failed.
# CI=true turns a part that this machine cannot run into a failure.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
TOP=$PWD
CACHE=$TOP/.cache
LIB=$TOP/tests/lib
ALL_PARTS=(lint sanity unit conformance integration molecule)

# shellcheck source=tests/lib/common.sh
. "$LIB/common.sh"
# shellcheck source=tests/lib/python.sh
. "$LIB/python.sh"
# shellcheck source=tests/lib/parts.sh
. "$LIB/parts.sh"
# shellcheck source=tests/lib/molecule.sh
. "$LIB/molecule.sh"

parts=()
PYTEST_ARGUMENTS=()
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) sed -n '3,11s/^# \{0,1\}//p' "$TOP/tests/run.sh"; exit 0 ;;
    all) parts+=("${ALL_PARTS[@]}") ;;
    lint | sanity | unit | conformance | integration | molecule | molecule:*) parts+=("$1") ;;
    --) shift; PYTEST_ARGUMENTS=("$@"); break ;;
    *) echo "tests/run.sh: no part is called '$1'; there are: all ${ALL_PARTS[*]}" >&2; exit 2 ;;
  esac
  shift
done
[ ${#parts[@]} -gt 0 ] || parts=("${ALL_PARTS[@]}")

begin_run
for part in "${parts[@]}"; do
  run_part "$part"
done
finish_run
