# SPDX-License-Identifier: GPL-3.0-or-later
"""Write units of jobs that were made up, each stanza with nasty values: for systemd-analyze to look at.

Arguments: the collection's plugins folder, the folder to write to, how many, and a seed.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
from module_utils.job.compound import LIMITS
from module_utils.job.errors import JobError
from module_utils.job.exporters import source
from module_utils.job.exporters.target import Target
from module_utils.job.exporters.unit import unit_file_name, unit_text
from module_utils.job.options import job_from_options
from module_utils.job.values import SIGNALS
from module_utils.job.writer import write_job

NASTY = [
    "a",
    "%n",
    "$HOME",
    "${X}",
    "$$",
    '"',
    "'",
    "\\",
    "\\n",
    "a b",
    "\t",
    "ä",
    "\u2028",
    "%",
    ";",
    "\\;",
    "#",
    "-",
    "@",
    "=",
    "a\\",
]


def text(draw: random.Random) -> str:
    return "".join(draw.choice(NASTY) for _each in range(draw.randint(1, 5))).strip() or "x"


def script(draw: random.Random) -> dict[str, str]:
    return {"script": "".join(f"echo {text(draw)}\n" for _each in range(draw.randint(1, 4)))}


def process(draw: random.Random) -> object:
    return draw.choice([script(draw), "sleep 1", "/bin/echo %n a,b", f"echo '{text(draw)}'", "@odd +x", "-x"])


def main_process(draw: random.Random, options: dict) -> None:
    found = process(draw)
    if isinstance(found, dict):
        options["script"] = found["script"]
    else:
        options["exec"] = found


STANZAS = {
    "description": text,
    "env": lambda draw: {f"KEY{number}": text(draw) for number in range(draw.randint(1, 3))},
    "pre_start": process,
    "post_start": process,
    "pre_stop": process,
    "post_stop": process,
    "expect": lambda draw: draw.choice(
        ["fork", "daemon", "notify", f"dbus a.b{draw.getrandbits(60)}", "pidfile /run/%x", "exit 2"]),
    "task": lambda draw: True,
    "respawn": lambda draw: True,
    "respawn_limit": lambda draw: draw.choice(["unlimited", "3 10", "0 0"]),
    "respawn_delay": lambda draw: draw.choice(["1 1", "0.25 0.25", "0 8"]),
    "normal_exit": lambda draw: [draw.randint(0, 255), draw.choice(SIGNALS)],
    "permanent_failure": lambda draw: [draw.randint(1, 255), draw.choice(SIGNALS)],
    "kill_signal": lambda draw: draw.choice([*SIGNALS, "9", "34", "64"]),
    "kill_timeout": lambda draw: draw.choice([0, 1, 5, 2**31 - 1]),
    "kill_schedule": lambda draw: draw.choice(["TERM/30/KILL/5", "INT/1", "KILL", "USR1/0/KILL"]),
    "reload_signal": lambda draw: draw.choice(SIGNALS),
    "keep_leftovers": lambda draw: True,
    "console": lambda draw: draw.choice(["log", "none", "output", "owner"]),
    "umask": lambda draw: draw.choice(["0", "077", "777"]),
    "nice": lambda draw: draw.randint(-20, 19),
    "oom_score": lambda draw: draw.choice(["never", 0, 1000]),
    "limit": lambda draw: {
        draw.choice(LIMITS): draw.choice(["0 0", "10 20", "unlimited unlimited", "19 unlimited"])},
    "chroot": lambda draw: draw.choice(["/", "/srv/a b%", "/x'y\"z", "/ä\\b"]),
    "chdir": lambda draw: draw.choice(["/", "/srv/a b%", "/x'y\"z", "/$HOME", "/ä\\b"]),
    "setuid": lambda draw: draw.choice(["root", "65534", "www-data"]),
    "setgid": lambda draw: draw.choice(["root", "65534"]),
    "apparmor_load": lambda draw: f"/etc/apparmor.d/{text(draw)}",
    "apparmor_switch": lambda draw: "/usr/sbin/x",
    "cgroup": lambda draw: {
        "memory.max": draw.choice(["max", "100M", "4096"]), "pids.max": draw.choice(["max", "10"]),
        "cpu.weight": "100", "io.weight": "default 50", "cpu.max": draw.choice(["max", "50000 100000", "200000"]),
        "cpuset.cpus": "0-1,3", "memory.swap.max": "0"},
    "tmpfiles": lambda draw: [f"/usr/lib/tmpfiles.d/{text(draw)}.conf"],
    "environment_file": lambda draw: [draw.choice(["/etc/default/x", "-/etc/default/%n y", "-/x'y"])],
    "instance": lambda draw: draw.choice(["$KEY0", "$KEY0-$OTHER"]),
    "start_on": lambda draw: draw.choice(["startup", "runlevel [2345]", "filesystem and net-device-up IFACE!=lo",
                                          "started dbus", "started dbus or startup", "starting ssh"]),
    "stop_on": lambda draw: draw.choice(["runlevel [016]", "runlevel [06]", "stopping dbus", "stopped ssh"]),
}  # fmt: skip


def job(draw: random.Random, name: str) -> object:
    options: dict = {}
    if draw.random() < 0.9:
        main_process(draw, options)
    for stanza in draw.sample(sorted(STANZAS), draw.randint(1, 9)):
        options[stanza] = STANZAS[stanza](draw)
    return job_from_options(name, options)


folder, wanted, draw = Path(sys.argv[2]), int(sys.argv[3]), random.Random(sys.argv[4])
folder.mkdir(parents=True, exist_ok=True)
written = 0
while written < wanted:
    try:
        made = job(draw, f"made up/{written}")
        unit = unit_text(made, Target())
        comments = source.embed(source.Source(made.name, write_job(made), None))
    except JobError:
        continue
    (folder / unit_file_name(made)).write_text(f"{comments}\n{unit}", encoding="utf-8")
    written += 1
print(written)
