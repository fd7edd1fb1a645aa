#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fork_trace
short_description: Run a daemon once, tell how it forks, and which expect fits it
version_added: 0.1.0
author:
  - The foster.init developers (@foster-init)
description:
  - Runs a program under observation until nothing happens any more, then ends everything that it has started.
  - Returns each fork, exec and exit, which process listens, writes the pidfile, says that it is ready or stops itself,
    and the C(expect) stanza that a job needs to follow it, with the reason and with what the other kinds would have
    done.
  - It follows with C(ptrace), which needs no privileges and misses nothing. Where that is forbidden (by Yama, or by the
    seccomp filter of a container) it looks at C(/proc) in short intervals and says that it is not certain.
  - Needs no supervisor and no init.
notes:
  - The program really runs, with all that it does to files, sockets and the network. Stop the copy that runs already,
    or give it another port and another folder.
  - It is run as a job is run, in a session of its own, with C(/dev/null) as input and a plain environment that has
    C(PATH), C(TERM) and what O(env) adds, and E(NOTIFY_SOCKET) unless O(notify=false).
  - A program that is traced by somebody without C(CAP_SYS_PTRACE) cannot gain privileges by executing a set-user-ID
    program, so run the module as root where the daemon needs that.
  - A program that uses C(ptrace) on its own children cannot do so while it is traced; set O(ptrace=false) for it.
extends_documentation_fragment:
  - foster.init.attributes
  - foster.init.attributes.action_group
attributes:
  check_mode:
    support: partial
    details: Does not run the program, so it is skipped and tells nothing of it.
  diff_mode:
    support: N/A
    details: What the program changes is not known.
  idempotent:
    support: none
    details: Runs the program each time, so RV(ignore:changed) is always V(true); use C(changed_when) if you know that
      the program changes nothing.
options:
  argv:
    description: The program and its arguments. Exactly one of O(argv) and O(cmd) is needed.
    type: list
    elements: str
  cmd:
    description:
      - The program and its arguments as one line, read as the C(exec) stanza of a job is read. A shell runs it where it
        has characters that are special to one.
    type: str
  chdir:
    description: The folder to run it in.
    type: path
    default: /
  user:
    description: The user to run it as, by name or number. Needs root.
    type: str
  group:
    description: The group to run it as, by name or number; without it the group of O(user).
    type: str
  env:
    description: Variables to add to its environment.
    type: dict
    default: {}
  timeout:
    description: The longest time to look, in seconds. A program that never gets quiet is judged by what it did until
      then.
    type: float
    default: 30
  settle:
    description: For how many seconds nothing must happen, no fork, exec or exit and hardly any work, until the program
      counts as started.
    type: float
    default: 1
  kill_timeout:
    description: The seconds from SIGTERM to SIGKILL when it is ended. With V(0) it is killed at once.
    type: float
    default: 5
  notify:
    description: Whether to offer E(NOTIFY_SOCKET). Some daemons stay in the foreground when they are offered it; with
      V(false) they fork.
    type: bool
    default: true
  ptrace:
    description: Whether to use C(ptrace) where that is possible.
    type: bool
    default: true
seealso:
  - module: foster.init.job
"""

EXAMPLES = r"""
- name: See how nginx forks
  foster.init.fork_trace:
    argv: [/usr/sbin/nginx, -g, "daemon on;"]
  register: nginx
  changed_when: false

- name: Run it as a job that is followed rightly
  foster.init.job:
    name: nginx
    definition:
      exec: /usr/sbin/nginx -g "daemon on;"
      expect: "{{ nginx.expect }}"
      respawn: true

- name: Try a slow starter on another port, as its own user
  foster.init.fork_trace:
    cmd: /usr/bin/slowd --daemonize --port 18080
    user: slowd
    settle: 5
    timeout: 120
"""

RETURN = r"""
expect:
  description: What to write after C(expect), for example V(none), V(fork), V(daemon), V(fork 3), V(auto), V(stop),
    V(notify) or V(pidfile /run/x.pid).
  returned: success
  type: str
  sample: fork
task:
  description: Whether it ended by itself and left nothing, so that the job is a C(task).
  returned: success
  type: bool
reason:
  description: Why that fits, in one sentence.
  returned: always, when the program ran
  type: str
  sample: nginx (411) forks and exits, nginx (412) is left
sure:
  description: V(certain) when every event was seen and there is one main process, else V(likely).
  returned: success
  type: str
main:
  description: The main process, as in RV(processes).
  returned: success, V(null) for a task
  type: dict
hops:
  description: How many processes leave before the main one is there.
  returned: success
  type: int
lines:
  description: Each fork, exec and exit as C(COUNT PID NAME WHAT). C(COUNT) is how many forks there were up to then,
    C(PID) of a fork is the new process.
  returned: always, when the program ran
  type: list
  elements: str
  sample: ["0 411 nginx exec", "1 412 nginx fork", "1 411 nginx exit", "2 413 nginx fork"]
processes:
  description: Every process that was seen, in order of birth.
  returned: always, when the program ran
  type: list
  elements: dict
  contains:
    pid:
      description: Its number.
      type: int
      returned: always
    parent:
      description: The process that made it, V(0) for the first.
      type: int
      returned: always
    name:
      description: Its name.
      type: str
      returned: always
    command:
      description: Its command line.
      type: str
      returned: always
    forked:
      description: When it was made, in seconds since the start.
      type: float
      returned: always
    exited:
      description: When it ended, V(null) when it was there until the end.
      type: float
      returned: always
    exit_status:
      description: Its exit status, or minus the number of the signal that ended it.
      type: int
      returned: always
    threads:
      description: How many threads it made beside its first.
      type: int
      returned: always
    session_leader:
      description: Whether it made a session of its own.
      type: bool
      returned: always
    stopped_itself:
      description: Whether it stopped itself with SIGSTOP, which C(expect stop) waits for.
      type: bool
      returned: always
    notified_ready:
      description: Whether it said C(READY=1) to the notify socket, which C(expect notify) waits for.
      type: bool
      returned: always
    listens:
      description: The addresses that it listens on, C(HOST:PORT), a path, or C(@NAME).
      type: list
      elements: str
      returned: always
    pidfiles:
      description: The files that name it.
      type: list
      elements: str
      returned: always
alternatives:
  description: What each kind of C(expect) would have done, with C(expect), C(fits) and C(outcome).
  returned: success
  type: list
  elements: dict
method:
  description: V(ptrace), or V(proc) where that was forbidden.
  returned: always, when the program ran
  type: str
settled:
  description: Whether the program became quiet before O(timeout).
  returned: always, when the program ran
  type: bool
seconds:
  description: How long it was looked at.
  returned: always, when the program ran
  type: float
output:
  description: The last 4 KB of what it wrote.
  returned: always, when the program ran
  type: str
"""

from ansible_collections.foster.init.plugins.module_utils.ansible.errors import TaskError
from ansible_collections.foster.init.plugins.module_utils.ansible.module import FosterModule
from ansible_collections.foster.init.plugins.module_utils.job.model import Job, Process, ProcessKind
from ansible_collections.foster.init.plugins.module_utils.processes.trace.report import as_data
from ansible_collections.foster.init.plugins.module_utils.processes.trace.request import (
    DEFAULT_PATH,
    Request,
    TraceError,
)
from ansible_collections.foster.init.plugins.module_utils.processes.trace.run import trace
from ansible_collections.foster.init.plugins.module_utils.supervisor.spawn import plan


def request_of(params: dict) -> Request:
    """Return what the options ask for. Raises TaskError."""
    argv = params["argv"]
    if params["cmd"] is not None:
        if "\n" in params["cmd"].strip():
            raise TaskError("cmd: write it on one line, or put the script into a file")
        argv = plan(Job("fork-trace", exec_main=Process(params["cmd"].strip())), ProcessKind.MAIN, ()).argv
    if not argv or not argv[0]:
        raise TaskError("there is nothing to run: give the program and its arguments")
    for option in ("timeout", "settle", "kill_timeout"):
        if not 0 <= params[option] <= 86400:
            raise TaskError(f"{option}: {params[option]} is not a number of seconds from 0 to 86400")
    env = {str(key): str(value) for key, value in params["env"].items()}
    return Request(
        argv=tuple(argv),
        env={"PATH": DEFAULT_PATH, "TERM": "linux", **env},
        chdir=params["chdir"],
        user=params["user"],
        group=params["group"],
        timeout=params["timeout"],
        settle=params["settle"],
        kill_timeout=params["kill_timeout"],
        use_ptrace=params["ptrace"],
        offer_notify=params["notify"],
    )


def work(module: FosterModule) -> dict:
    """Run the program and return what it did."""
    request = request_of(module.params)
    if module.check_mode:
        return {"changed": False, "skipped": True, "msg": "the program is not run in check mode"}
    try:
        result = as_data(trace(request))
    except TraceError as error:
        raise TaskError(str(error)) from error
    for warning in result.pop("warnings"):
        module.warn(warning)
    if result.pop("failed"):
        raise TaskError(result["reason"], **result)
    return {"changed": True, **result}


def main() -> None:
    """Entry point of the module."""
    FosterModule(
        argument_spec={
            "argv": {"type": "list", "elements": "str"},
            "cmd": {"type": "str"},
            "chdir": {"type": "path", "default": "/"},
            "user": {"type": "str"},
            "group": {"type": "str"},
            "env": {"type": "dict", "default": {}},
            "timeout": {"type": "float", "default": 30},
            "settle": {"type": "float", "default": 1},
            "kill_timeout": {"type": "float", "default": 5},
            "notify": {"type": "bool", "default": True},
            "ptrace": {"type": "bool", "default": True},
        },
        mutually_exclusive=[("argv", "cmd")],
        required_one_of=[("argv", "cmd")],
        supports_check_mode=True,
    ).run(work)


if __name__ == "__main__":
    main()
