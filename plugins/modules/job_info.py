#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: job_info
short_description: Tell what jobs there are and how they are
version_added: 0.1.0
author:
  - The foster.init developers (@foster-init)
description:
  - Returns jobs with their instances, processes, history and the reason why one is not running, and what the
    supervisor can do on this host.
  - Where systemd or Upstart runs the jobs, it is asked over its own socket, see O(use). Of systemd's units only those
    are told that were made of a job, of Upstart's jobs all.
extends_documentation_fragment:
  - foster.init.attributes
  - foster.init.attributes.info
  - foster.init.attributes.action_group
  - foster.init.scope
  - foster.init.use
options:
  name:
    description:
      - The job to tell about. Without it, all jobs.
      - A job that does not exist is no error, O(name) then gives an empty RV(jobs).
    type: str
  history:
    description:
      - Whether to return what has happened to each job, too. Only the supervisor keeps that.
    type: bool
    default: false
seealso:
  - module: foster.init.job
"""

EXAMPLES = r"""
- name: Look at one job
  foster.init.job_info:
    name: web
  register: web

- name: Say why its instances are in their states
  ansible.builtin.debug:
    msg: "{{ web.jobs[0].instances | map(attribute='explain.reason') }}"

- name: Say why it does not run
  ansible.builtin.debug:
    var: web.jobs[0].why_not_running
  when: web.jobs[0].why_not_running is defined

- name: Look at a job that systemd runs
  foster.init.job_info:
    name: queue
    use: systemd
  register: queue

- name: See to it that it stands in a unit of its own
  ansible.builtin.assert:
    that: queue.jobs[0].instances[0].processes[0].cgroup == '/system.slice/queue.service'
"""

RETURN = r"""
init:
  description: Who runs the jobs, V(foster), V(systemd) or V(upstart).
  returned: success
  type: str
  sample: systemd
init_reason:
  description: Why it is that one.
  returned: success
  type: str
  sample: no supervisor is here, and the systemd that is PID 1 answers (pid 1)
jobs:
  description: The jobs, by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
      returned: always
    path:
      description: Its file.
      type: str
      returned: always
    digest:
      description: The digest of its definition.
      type: str
      returned: always
    instances:
      description:
        - What runs, each with C(name), C(goal), C(state), C(processes), C(cgroup), C(log) and C(digest).
        - Each process has its identity, C(pid), C(start_time) in clock ticks since boot, and C(boot_id), and as long as
          it lives C(ppid), C(parent), C(session) and C(cgroup).
        - Where the supervisor runs the job, C(explain) says in plain words why the instance is in its state. Its
          C(reason) is a sentence, C(details) are more of them, C(ends) tells what has ended its main processes and how
          often, and C(failure) how it failed last.
      type: list
      elements: dict
      returned: always
      sample:
        - name: ""
          goal: start
          state: running
          cgroup: /system.slice/queue.service
          log: journal:queue.service
          digest: 0a1b2c3d4e5f6071
          processes:
            - kind: main
              pid: 1234
              start_time: 567890
              boot_id: 3d9f6a7e-5f0a-4a7c-9d65-0f6a3a1f2b4c
              ppid: 1
              parent: systemd
              session: 1234
              cgroup: /system.slice/queue.service
    escape:
      description:
        - For each instance that runs, the proof that it does not hang on a login session, as M(foster.init.job) returns
          it.
      type: list
      elements: dict
      returned: always
    last_failure:
      description:
        - The last failure with process, exit status, signal or step, and the last lines of the log.
        - With C(too_often), it was one end more than the respawn limit allows.
        - With C(timeout) V(start), it was not ready in time, and C(waited_for) says what had not happened.
        - With C(never), it could not become ready any more, and that says why.
      type: dict
      returned: when there was one
    why_not_running:
      description: What the job waits for, or why it ended. The C(reason) is a sentence.
      type: raw
      returned: when no instance runs
    history:
      description: What has happened to it.
      type: raw
      returned: when O(history=true), and the supervisor runs the job
capabilities:
  description: What the supervisor found out about the host, and about itself. Empty where another init runs the jobs.
  returned: success
  type: dict
"""

import os

from ansible_collections.foster.init.plugins.module_utils.ansible.choose import choose
from ansible_collections.foster.init.plugins.module_utils.ansible.facts import Facts
from ansible_collections.foster.init.plugins.module_utils.ansible.installation import layout_of
from ansible_collections.foster.init.plugins.module_utils.ansible.module import SCOPE, USE, FosterModule
from ansible_collections.foster.init.plugins.module_utils.ansible.supervisor import Supervisor
from ansible_collections.foster.init.plugins.module_utils.job.names import check_name


def work(module: FosterModule) -> dict:
    """Ask the init that runs the jobs, and return what it says."""
    given = module.params
    if given["name"] is not None:
        check_name(given["name"])
    chosen = choose(given["use"], layout_of(given["scope"]), os.environ)
    init = chosen.open()
    return {
        "changed": False,
        "init": chosen.name,
        "init_reason": chosen.reason,
        "jobs": Facts(init, given["scope"] == "user").jobs(given["name"], given["history"]),
        "capabilities": init.capabilities() if isinstance(init, Supervisor) else {},
    }


def main() -> None:
    """Entry point of the module."""
    FosterModule(
        argument_spec={"name": {"type": "str"}, "history": {"type": "bool", "default": False}, **USE, **SCOPE},
        supports_check_mode=True,
    ).run(work)


if __name__ == "__main__":
    main()
