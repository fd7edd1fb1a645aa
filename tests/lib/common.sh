# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# How a run keeps count: a part is a list of checks, a check is a command whose output is shown only when it fails.
# Each check appends "PASSED FAILED NAME" to $RUN/counts; the closing line is the sum.

: "${TOP:?}" "${CACHE:?}" "${LIB:?}"

begin_run() {
  RUN_ID=$(date +%H%M%S)-$$
  RUN=$CACHE/run-$RUN_ID
  mkdir -p "$RUN"
  : >"$RUN/counts"
  : >"$RUN/lines"
  trap end_run EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
}

end_run() {
  end_descendants
  if remove_containers "$RUN"; then rm -rf "$RUN"; else say "Containers are left; the next run removes them."; fi
}

# descendants: print the pids of all processes that this one has started and they have started, whatever group or session they are in
descendants() {
  cat /proc/[0-9]*/stat 2>/dev/null | sed 's/^\([0-9]*\) (.*) . \([0-9]*\) .*/\1 \2/' | awk -v top="$$" '
    { parent[$1] = $2 }
    END {
      for (pid in parent) {
        at = pid
        while (at in parent && at != top) at = parent[at]
        if (at == top && pid != top) print pid
      }
    }'
}

# end_descendants: a run that is ended in the middle takes along what it runs, which would go on and make new containers otherwise
end_descendants() {
  local pids left signal=TERM tries
  mapfile -t pids < <(descendants)
  for ((tries = 0; tries < 100; tries++)); do
    left=()
    for pid in "${pids[@]}"; do
      if kill -s "$signal" "$pid" 2>/dev/null; then left+=("$pid"); fi
    done
    if [ ${#left[@]} -eq 0 ]; then break; fi
    pids=("${left[@]}")
    if [ "$tries" -ge 50 ]; then signal=KILL; else signal=0; fi
    sleep 0.1
  done
}

in_ci() { [ "${CI:-}" = true ]; }

say() { printf '%s\n' "$*" >&2; }

# note PASSED FAILED NAME
note() { printf '%s %s %s\n' "$1" "$2" "$3" >>"$RUN/counts"; }

# show_log NAME FILE: what a failed check printed
show_log() {
  say "---- $1 failed ----"
  cat "$2" >&2
  say "---- end of $1 ----"
}

# check NAME COMMAND...: one thing that passes or fails
check() {
  local name=$1 log
  log=$RUN/${1//[^a-zA-Z0-9.]/_}.log
  shift
  if "$@" >"$log" 2>&1 </dev/null; then
    note 1 0 "$name"
  else
    note 0 1 "$name"
    show_log "$name" "$log"
  fi
}

# check_counted NAME REPORTS COMMAND...: a command that writes JUnit files (REPORTS: a file or folder), each test of which counts
check_counted() {
  local name=$1 reports=$2 log status=0 passed failed
  log=$RUN/${1//[^a-zA-Z0-9.]/_}.log
  shift 2
  "$@" >"$log" 2>&1 </dev/null || status=$?
  read -r passed failed < <("$(any_python)" "$LIB/junit_counts.py" "$reports") || { passed=0 failed=0; }
  # A crash before or after the tests must not look like success.
  if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ] || [ "$((passed + failed))" -eq 0 ]; then failed=$((failed + 1)); fi
  note "$passed" "$failed" "$name"
  if [ "$failed" -ne 0 ]; then show_log "$name" "$log"; fi
}

# not_run REASON: this machine cannot run the part; in CI that is a failure
not_run() {
  echo "$*" >"$RUN/not_run"
  if in_ci; then note 0 1 "not run"; fi
}

# left_out NAME REASON: what needs more than the project does cannot be run here; also in CI that is a line and no failure
left_out() { printf '%-12s not run: %s\n' "$1" "$2" | tee -a "$RUN/lines" >&2; }

sum_of() { awk '{ p += $1; f += $2 } END { printf "%d passed, %d failed", p, f }' "$1"; }

run_part() {
  local part=$1 before status=0 seconds=$SECONDS line
  before=$(wc -l <"$RUN/counts")
  rm -f "$RUN/not_run"
  # A subshell, so that `set -e` ends the part and not the run; waited for, so that a signal ends the run at once.
  (set -e; "part_${part%%:*}" "${part#"${part%%:*}"}") &
  wait $! || status=$?
  tail -n "+$((before + 1))" "$RUN/counts" >"$RUN/part"
  if [ "$status" -ne 0 ]; then
    note 0 1 "$part: could not be run"
    echo "0 1" >>"$RUN/part"
  fi
  line="$(sum_of "$RUN/part") ($((SECONDS - seconds)) s)"
  if [ -e "$RUN/not_run" ]; then line="not run: $(cat "$RUN/not_run")"; fi
  printf '%-12s %s\n' "$part" "$line" | tee -a "$RUN/lines" >&2
}

finish_run() {
  local failed
  if [ "$(wc -l <"$RUN/lines")" -gt 1 ] || in_ci; then echo; cat "$RUN/lines"; fi
  awk '$2 > 0 { name = $0; sub(/^[0-9]+ [0-9]+ /, "", name); print "failed: " name }' "$RUN/counts"
  printf '%s\n' "$(sum_of "$RUN/counts")"
  failed=$(awk '{ f += $2 } END { print f + 0 }' "$RUN/counts")
  [ "$failed" -eq 0 ]
}
