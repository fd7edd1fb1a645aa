#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: daemon
short_description: Start and stop a daemon with the options of start-stop-daemon
version_added: 0.1.0
author:
  - The foster.init developers (@foster-init)
description:
  - Brings one daemon to a state. The options are those of C(start-stop-daemon), so that an init script's call can be
    taken over word for word.
  - The daemon is never a child of the task. A running supervisor of this collection starts it as a transient job, else
    a live systemd as a transient unit, else an Upstart as a job. It is not enabled for the next boot, for that use
    M(foster.init.job).
  - Who runs is decided from all options that are given, and from what an earlier task has recorded. A script is
    recognised by its path among the arguments of its interpreter. Signals go through a pidfd, so they never reach a
    process that has got the pid meanwhile.
  - Zombies, threads, PID 1, processes of containers, and the task itself are never meant.
extends_documentation_fragment:
  - foster.init.attributes
  - foster.init.attributes.action_group
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Shows the state and the pidfile, before and after.
  idempotent:
    support: partial
    details: Not with O(state=restarted) and O(state=reloaded).
options:
  state:
    description:
      - V(started) starts the daemon if it does not run. See O(on_outdated).
      - V(stopped) sends the signals of O(retry) until nobody is left, and fails when somebody is at its end.
      - V(restarted) does both.
      - V(reloaded) sends O(signal), by default V(HUP), to the topmost process. It never starts a daemon.
    type: str
    choices: [started, stopped, restarted, reloaded]
    default: started
  exec:
    description:
      - The absolute path of the program that the daemon runs, to start it and to recognise it.
      - A script is recognised too, whatever the version of its interpreter.
    type: path
  startas:
    description:
      - The absolute path of the program that is executed, when it is not O(exec).
      - With O(exec) an interpreter and this its script, a process has to run this very script.
    type: path
  args:
    description: The arguments of the program.
    type: list
    elements: str
  pidfile:
    description:
      - The absolute path of the file with the daemon's pid.
      - A file that others could have written is refused. A file that holds no pid, or the pid of a process that is not
        the daemon, names nobody.
    type: path
  pid:
    description: The pid that the daemon has to have. Mutually exclusive with O(pidfile).
    type: int
  ppid:
    description: The pid that its parent has to have.
    type: int
  name:
    description: The name that the process has to have, as in C(/proc/PID/comm). It may be longer than the kernel keeps.
    type: str
  user:
    description: The user, by name or number, that the process has to run as.
    type: str
  argv:
    description: The whole command line that the process has to have, to tell daemons of one program apart.
    type: list
    elements: str
  cgroup:
    description: The control group that the process has to be in, or below, as in C(/proc/PID/cgroup).
    type: str
  chuid:
    description: The user to run as, and after a colon the group.
    type: str
  group:
    description: The group to run as.
    type: str
  chroot:
    description: The root directory to run in. O(exec) and O(startas) are looked up below it.
    type: path
  chdir:
    description: The working directory to run in.
    type: path
    default: /
  umask:
    description: The file mode creation mask to run with, an octal number in quotes.
    type: str
  nicelevel:
    description: The niceness to run with.
    type: int
  procsched:
    description: The scheduling policy to run with, V(other), V(fifo) or V(rr), and after a colon the priority.
    type: str
  iosched:
    description:
      - The input/output scheduling class to run with, V(idle), V(best-effort) or V(real-time), and after a colon the
        priority.
    type: str
  environment:
    description: Variables for the daemon. Those of the task do not reach it.
    type: dict
  background:
    description:
      - Whether the program stays in the foreground and is put into the background. Without it, the program has to go
        there by itself.
    type: bool
    default: false
  make_pidfile:
    description: Whether this module writes O(pidfile). It is written whole or not at all.
    type: bool
    default: false
  remove_pidfile:
    description: Whether O(state=stopped) removes O(pidfile).
    type: bool
    default: false
  notify_await:
    description: Whether the program says when it is ready, as sd_notify does. Needs O(background=true).
    type: bool
    default: false
  notify_timeout:
    description: How many seconds the program gets to be ready, or to go into the background.
    type: float
    default: 60
  stay_up:
    description:
      - How many seconds a program that does not say when it is ready has to run on after its start. One that ends
        sooner makes the task fail.
    type: float
    default: 0.5
  output:
    description:
      - The absolute path of a file that the output is appended to. Needs O(background=true). Without it, the output
        goes to the journal or to the job's log.
    type: path
  no_close:
    description:
      - Accepted for init scripts that give it. The output is never thrown away here, and a daemon never gets
        descriptors of the task.
    type: bool
    default: false
  signal:
    description: The signal for O(state=stopped), V(TERM) by default, or O(state=reloaded), V(HUP) by default.
    type: str
  retry:
    description:
      - What O(state=stopped) and O(state=restarted) do in turn, such as V(TERM/30/KILL/5). A lone number of seconds is
        O(signal), so long, KILL, as long again. What follows V(forever) is repeated. By default the signal, 30
        seconds, KILL, 5 seconds.
    type: str
  on_outdated:
    description:
      - What O(state=started) does with a daemon that runs a program which was replaced or removed since.
      - V(restart) replaces it. V(none) leaves it, and returns C(outdated).
    type: str
    choices: [none, restart]
    default: none
  use:
    description:
      - Who starts the daemon. V(auto) is a running supervisor of this collection, else a live systemd, else an Upstart
        that is PID 1 or, for a plain user, the session's of C(UPSTART_SESSION).
      - A plain user's daemon is started by the user's own supervisor, systemd or Upstart.
      - Upstart keeps nothing that is gone with the next boot. So the job lies in C(/etc/init), without a C(start on),
        until O(state=stopped). A daemon that goes into the background by itself is started there by a task, and is then
        found by the options, or by O(pidfile). Upstart has no counterpart of O(notify_await).
    type: str
    choices: [auto, foster, systemd, upstart]
    default: auto
seealso:
  - module: foster.init.job
  - module: foster.init.reaper_info
"""

EXAMPLES = r"""
- name: A daemon that goes into the background by itself
  foster.init.daemon:
    exec: /usr/sbin/cron
    pidfile: /run/crond.pid

- name: A script that stays in the foreground, as a user of its own
  foster.init.daemon:
    exec: /usr/local/bin/worker.py
    args: [--queue, mail]
    background: true
    make_pidfile: true
    pidfile: /run/worker.pid
    chuid: worker
    output: /var/log/worker.log

- name: Replace it where its program was upgraded since it started
  foster.init.daemon:
    exec: /usr/local/bin/worker.py
    args: [--queue, mail]
    background: true
    make_pidfile: true
    pidfile: /run/worker.pid
    chuid: worker
    output: /var/log/worker.log
    on_outdated: restart

- name: Gone, and nobody asked politely for more than ten seconds
  foster.init.daemon:
    state: stopped
    exec: /usr/local/bin/worker.py
    pidfile: /run/worker.pid
    remove_pidfile: true
    retry: TERM/10/KILL/5
"""

RETURN = r"""
daemon:
  description: The daemon as it is after the task.
  returned: success
  type: dict
  contains:
    running:
      description: Whether it runs.
      type: bool
      returned: always
    pid:
      description: The pid of its main process.
      type: int
      returned: when it runs
    pids:
      description: The pids of all processes that fit.
      type: list
      elements: int
      returned: always
    outdated:
      description: Whether one of them runs something else than what is on disk now.
      type: bool
      returned: always
    reason:
      description: Why the process is the daemon.
      type: str
      returned: always
    identity:
      description: Which process it is for all time, C(pid), C(start_time) in clock ticks since boot, and C(boot_id).
      type: dict
      returned: when it runs
    pidfile:
      description: The pidfile, with C(path), C(pid), and the C(problem) when it names nobody.
      type: dict
      returned: when O(pidfile) is given
    started_by:
      description: Who started it in this task, V(foster), V(systemd) or V(upstart).
      type: str
      returned: when it was started
    unit:
      description: What it is called there.
      type: str
      returned: when it was started
escape:
  description: The proof that it does not hang on the login session.
  returned: when it runs
  type: dict
  sample:
    pid: 1234
    ppid: 1
    parent: systemd
    session: 1234
    cgroup: /system.slice/foster-daemon-cron-0a1b2c3d.service
    escaped: true
    reason: its parent is systemd (pid 1), and nothing above it belongs to a login
signals:
  description: The signals that were sent, in order.
  returned: success
  type: list
  elements: str
  sample: [TERM to 1234]
actions:
  description: What was done, or in check mode would be, in order. Empty when nothing had to change.
  returned: success
  type: list
  elements: str
  sample: [start /usr/sbin/cron]
"""

from ansible_collections.foster.init.plugins.module_utils.ansible import daemon_options
from ansible_collections.foster.init.plugins.module_utils.ansible.daemon import Daemon
from ansible_collections.foster.init.plugins.module_utils.ansible.module import FosterModule


def work(module: FosterModule) -> dict:
    """Bring the daemon to its state and return what the task returns."""
    daemon = Daemon(daemon_options.read(module.params, module.check_mode))
    result = daemon.run()
    for warning in daemon.warnings:
        module.warn(warning)
    return {**result, **daemon.difference.result(module._diff)}


def main() -> None:
    """Entry point of the module."""
    FosterModule(
        argument_spec={
            "state": {
                "type": "str",
                "choices": ["started", "stopped", "restarted", "reloaded"],
                "default": "started",
            },
            "exec": {"type": "path"},
            "startas": {"type": "path"},
            "args": {"type": "list", "elements": "str"},
            "pidfile": {"type": "path"},
            "pid": {"type": "int"},
            "ppid": {"type": "int"},
            "name": {"type": "str"},
            "user": {"type": "str"},
            "argv": {"type": "list", "elements": "str"},
            "cgroup": {"type": "str"},
            "chuid": {"type": "str"},
            "group": {"type": "str"},
            "chroot": {"type": "path"},
            "chdir": {"type": "path", "default": "/"},
            "umask": {"type": "str"},
            "nicelevel": {"type": "int"},
            "procsched": {"type": "str"},
            "iosched": {"type": "str"},
            "environment": {"type": "dict"},
            "background": {"type": "bool", "default": False},
            "make_pidfile": {"type": "bool", "default": False},
            "remove_pidfile": {"type": "bool", "default": False},
            "notify_await": {"type": "bool", "default": False},
            "notify_timeout": {"type": "float", "default": 60},
            "stay_up": {"type": "float", "default": 0.5},
            "output": {"type": "path"},
            "no_close": {"type": "bool", "default": False},
            "signal": {"type": "str"},
            "retry": {"type": "str"},
            "on_outdated": {"type": "str", "choices": ["none", "restart"], "default": "none"},
            "use": {"type": "str", "choices": ["auto", "foster", "systemd", "upstart"], "default": "auto"},
        },
        supports_check_mode=True,
    ).run(work)


if __name__ == "__main__":
    main()
