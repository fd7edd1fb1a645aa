#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a molecule scenario: containers of podman, started, restarted and removed all at once.

    containers.py create --run RUN --key FILE --instances FILE < PLATFORMS    writes what molecule wants to know of them
    containers.py restart NAME --run RUN                     as a reboot; prints the address, which may be another one
    containers.py destroy --run RUN < PLATFORMS
    containers.py remove CONTAINER...                        by their full names

PLATFORMS is molecule's list, as JSON: name, image (of image.sh), command, options (podman run's), user (who logs in),
and perhaps files (path -> content), written before the start, archive: a tar file to unpack before that,
sshd_by_hand: true where no init starts the ssh daemon, ssh: false where there is none, and bundle: true for a host that
starts the supervisor. Everywhere /run is empty after a boot.
The name of each container is first written to the file that FOSTER_TEST_CONTAINERS names, by which the runner removes
what a broken run has left.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any, Optional

TOP = Path(__file__).resolve().parent.parent.parent
ADDRESS = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
PATIENCE = 120.0  # seconds for a host to boot and let ssh in, on a machine with a lot to do


def podman(*arguments: str, data: Optional[bytes] = None) -> str:
    """Run podman and return what it prints; on failure end with what it said."""
    done = subprocess.run(["podman", *arguments], input=data or b"", capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"podman {' '.join(arguments)}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode().strip()


def archive(files: dict[str, tuple[bytes, int]], folders: dict[str, int]) -> bytes:
    """Return a tar archive; owners are numeric ids, 1000 is the plain user of the images."""
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path, uid in folders.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.type, entry.mode, entry.uid, entry.gid = tarfile.DIRTYPE, 0o700, uid, uid
            tar.addfile(entry)
        for path, (content, mode) in files.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(content), mode
            entry.uid = entry.gid = 1000 if path.startswith("/home/dev/") else 0
            tar.addfile(entry, BytesIO(content))
    return packed.getvalue()


def create(run: str, key: Path, platforms: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Start every host; return molecule's instance configuration when ssh answers on all of them."""
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    names = sorted({image_name(platform) for platform in platforms})
    built = subprocess.run([TOP / "tests/lib/image.sh", *names], stdout=subprocess.PIPE, check=True, text=True)
    images = dict(zip(names, built.stdout.split()))
    bundle = made_bundle() if any(platform.get("bundle") for platform in platforms) else {}
    allowed = key.with_suffix(".pub").read_bytes()

    def start(platform: dict[str, Any]) -> dict[str, Any]:
        name = f"{platform['name']}-{run}"
        note(name)
        command = platform["command"]
        if platform.get("sshd_by_hand"):
            command = ["sh", "-c", 'mkdir -p /run/sshd; /usr/sbin/sshd; exec "$@"', "sh", *command]
        podman(
            "create", "--replace", f"--name={name}", f"--hostname={platform['name']}", f"--env=FOSTER_TEST_NAME={name}",
            "--pids-limit=0", "--cgroupns=private", "--stop-timeout=60",
            *dict.fromkeys(("--tmpfs=/run", *platform.get("options", ()))),
            images[image_name(platform)], *command,
        )  # fmt: skip
        if platform.get("archive"):
            podman("cp", "--archive=false", "-", f"{name}:/", data=Path(platform["archive"]).read_bytes())
        files = {f"{home}/.ssh/authorized_keys": (allowed, 0o600) for home in ("/root", "/home/dev")}
        files.update({path: (text.encode(), 0o755) for path, text in platform.get("files", {}).items()})
        files.update(bundle if platform.get("bundle") else {})
        packed = archive(files, {"/root/.ssh": 0, "/home/dev/.ssh": 1000})
        podman("cp", "--archive=false", "-", f"{name}:/", data=packed)
        podman("start", name)
        return {
            "instance": platform["name"],
            "address": reachable(name) if platform.get("ssh", True) else name,
            "port": 22,
            "user": platform["user"],
            "identity_file": str(key),
        }

    with ThreadPoolExecutor() as pool:
        return list(pool.map(start, platforms))


def image_name(platform: dict[str, Any]) -> str:
    """Return the name that image.sh knows, for a platform that may say its suite instead of its systemd's version."""
    return {"bullseye": "systemd247", "trixie": "systemd257"}.get(platform.get("suite", ""), platform["image"])


def note(name: str) -> None:
    """Write down that a container of this name may exist from now on."""
    if os.environ.get("FOSTER_TEST_CONTAINERS"):
        with open(os.environ["FOSTER_TEST_CONTAINERS"], "a", encoding="utf-8") as file:
            file.write(f"{name}\n")


def made_bundle() -> dict[str, tuple[bytes, int]]:
    """Return the supervisor's program as an image would have it."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, TOP / "hacking/build", "--output", folder], check=True, stdout=sys.stderr)
        program = Path(folder, "fosterd").read_bytes()
    return {"/usr/local/bin/fosterd": (program, 0o755)}


def reachable(name: str) -> str:
    """Return the address of a container when its ssh daemon greets."""
    address = podman("inspect", "--format", ADDRESS, name)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            with socket.create_connection((address, 22), timeout=5) as client:
                if client.recv(16).startswith(b"SSH-"):
                    return address
        except OSError:
            pass  # not booted yet: there is nothing here to wait on but another try
        time.sleep(0.1)
    raise SystemExit(f"{name} did not let ssh in within {PATIENCE:g} s:\n{podman('logs', '--tail', '20', name)}")


def remove(names: list[str]) -> None:
    """Remove the containers that are there, and what a host with cgroup v1 has made in the machine's hierarchies."""
    for left in (4, 3, 2, 1, 0):  # podman may lose a race with the end of a container, and says so
        try:
            podman("rm", "--force", "--volumes", "--ignore", "--time", "0", *names)
            break
        except SystemExit:
            if not left:
                raise
            time.sleep(1)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["unshare", "--mount", "sh", "-c", _REMOVE_CGROUPS, "sh", folder, *names], check=True)


# v1 hierarchies are the machine's, whatever the container; see the host `hybrid` of the scenario systemd.
_REMOVE_CGROUPS = """
mount=$1; shift
for kind in none,name=systemd $(cut -d : -f 2 /proc/self/cgroup | grep -v '^$\\|='); do
  mount -t cgroup -o "$kind" cgroup "$mount" 2>/dev/null || continue
  for name in "$@"; do
    # The machine may keep us below the root of a hierarchy.
    find "$mount" -maxdepth 4 -type d -name "foster-test-$name" | while read -r folder; do
      find "$folder" -depth -type d -exec rmdir {} +
    done
  done
  umount "$mount"
done
"""


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=("create", "restart", "destroy", "remove"))
    parser.add_argument("names", nargs="*")
    parser.add_argument("--run")
    parser.add_argument("--key", type=Path)
    parser.add_argument("--instances", type=Path)
    arguments = parser.parse_args()
    if arguments.verb == "remove":
        remove(arguments.names)
    elif arguments.verb == "restart":
        name = f"{arguments.names[0]}-{arguments.run}"
        podman("restart", name)
        print(reachable(name))
    elif arguments.verb == "create":
        instances = create(arguments.run, arguments.key, json.load(sys.stdin))
        # Molecule reads YAML, of which JSON is a part.
        arguments.instances.write_text(json.dumps(instances), encoding="utf-8")
    else:
        remove([f"{platform['name']}-{arguments.run}" for platform in json.load(sys.stdin)])


if __name__ == "__main__":
    main()
