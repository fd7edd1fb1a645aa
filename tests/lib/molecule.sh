# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Molecule in containers of podman. What the machine lacks (packages, cgroup v2, limits that podman may raise) is found out and
# worked around for the run alone; nothing of the machine's configuration is changed but the packages that get installed.

: "${TOP:?}" "${CACHE:?}" "${LIB:?}"
CONTAINER_PACKAGES=(podman runc conmon netavark aardvark-dns mmdebstrap debian-archive-keyring iproute2 iptables openssh-client util-linux)

part_molecule() {
  local venv scenarios=("${1#:}")
  [ -n "${scenarios[0]}" ] || mapfile -t scenarios < <(cd extensions/molecule && printf '%s\n' */molecule.yml | cut -d / -f 1)
  if [ "$(id -u)" -ne 0 ]; then not_run "containers with an init need root"; return; fi
  if ! container_tools >"$RUN/apt.log" 2>&1; then
    tail -n 5 "$RUN/apt.log" >&2
    not_run "podman, runc and mmdebstrap are not here and could not be installed"
    return
  fi
  venv=$(controller_venv)
  export PATH=$venv/bin:$PATH
  with_copy molecule_scenarios "${scenarios[@]}"
}

# molecule_scenarios SCENARIO...: two at a time, since each of them waits for its hosts most of the time
molecule_scenarios() {
  local scenario
  containers_conf >"$RUN/containers.conf"
  remove_left_over
  for scenario in "$@"; do
    while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n || true; done
    molecule_scenario "$scenario" &
  done
  wait
}

molecule_scenario() {
  if [ "$1" = upstart ] && ! have_upstart; then return; fi
  check "molecule $1" in_copy env CONTAINERS_CONF="$RUN/containers.conf" FOSTER_TEST_RUN="$RUN_ID" FOSTER_TEST_CONTAINERS="$RUN/containers" \
    FOSTER_TEST_UPSTART="$CACHE/upstart/upstart.tar" NO_COLOR=1 PY_COLORS=0 MOLECULE_EPHEMERAL_DIRECTORY="$RUN/molecule-$1" \
    "$LIB/with_cgroup2.sh" bash -c "cd extensions && molecule --base-config molecule/config.yml test --scenario-name '$1'"
}

# have_upstart: get the real thing, or leave its scenario out where that cannot be had
have_upstart() {
  local status=0
  "$LIB/upstart.sh" "$CACHE/upstart" "$CACHE/upstart/upstart.tar" >"$RUN/upstart.log" 2>&1 || status=$?
  case $status in
    0) return 0 ;;
    3) left_out "molecule upstart" "$(tail -n 1 "$RUN/upstart.log")" ;;
    *) note 0 1 "molecule upstart"; show_log "molecule upstart" "$RUN/upstart.log" ;;
  esac
  return 1
}

container_tools() {
  local tool
  for tool in podman runc mmdebstrap iptables ssh unshare; do
    if ! command -v "$tool" >/dev/null; then
      export DEBIAN_FRONTEND=noninteractive
      apt-get update -qq && apt-get install -y -qq --no-install-recommends "${CONTAINER_PACKAGES[@]}"
      return
    fi
  done
}

# containers_conf: podman asks for limits above the hard ones where root lacks CAP_SYS_RESOURCE, crun refuses some cgroup
# setups, and with another network backend than netavark the containers get no address where the plugins of CNI are missing
containers_conf() {
  local files processes most
  files=$(ulimit -Hn)
  processes=$(ulimit -Hu)
  most=$(cat /proc/sys/kernel/pid_max)
  [ "$files" != unlimited ] || files=1048576
  if [ "$processes" = unlimited ] || [ "$processes" -gt "$most" ]; then processes=$most; fi
  cat <<CONF
[containers]
default_ulimits = ["nofile=$files:$files", "nproc=$processes:$processes"]
[engine]
runtime = "runc"
[network]
network_backend = "netavark"
CONF
}

# remove_containers FOLDER: those of the run with that folder, on every way out of the runner; by name, because a list of all
# containers fails when another run is on its way up or down. When it fails, the folder has to stay: it tells the next run their names.
remove_containers() {
  local names
  [ -s "$1/containers" ] && command -v podman >/dev/null && [ "$(id -u)" -eq 0 ] || return 0
  mapfile -t names <"$1/containers"
  CONTAINERS_CONF=$1/containers.conf "$LIB/with_cgroup2.sh" "$LIB/containers.py" remove "${names[@]}" >/dev/null 2>&1
}

# remove_left_over: containers of runs of this tree that were killed, and the folders of such runs
remove_left_over() {
  local folder
  for folder in "$CACHE"/run-*-*/; do
    if [ -d "$folder" ] && ! grep -aq run.sh "/proc/$(basename "$folder" | sed 's/.*-//')/cmdline" 2>/dev/null; then
      if remove_containers "${folder%/}"; then rm -rf "$folder"; fi
    fi
  done
}
