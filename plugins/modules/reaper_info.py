#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: reaper_info
short_description: Tell who would adopt an orphan started from here, and whether a logout would end it
version_added: 0.1.0
author:
  - The foster.init developers (@foster-init)
description:
  - Finds out what becomes of a process that a task starts in the background. Who adopts it, whether that one reaps
    zombies, whether logind ends it with the session, and which init there is on this host that could start it
    instead.
  - Nothing is guessed from what is installed. An orphan is made and asked who its parent has become, and inits are
    recognised by what they serve.
  - The orphan ends at once. Where nobody reaps, as with an ordinary program for PID 1 of a container, it stays as a
    zombie, as everything does there.
extends_documentation_fragment:
  - foster.init.attributes
  - foster.init.attributes.info
  - foster.init.attributes.action_group
seealso:
  - module: foster.init.daemon
  - module: foster.init.job
"""

EXAMPLES = r"""
- name: Look around
  foster.init.reaper_info:
  register: here

- name: Say why a daemon started by the shell would not last
  ansible.builtin.debug:
    msg: "{{ here.adopter.reason }} {{ here.logout.reason }}"

- name: Go on where an init answers
  ansible.builtin.assert:
    that: here.init.answers | selectattr('problem', 'equalto', '') | length > 0
    fail_msg: "{{ here.init.reason }}"
"""

RETURN = r"""
adopter:
  description: Who adopts an orphan that is made from here.
  returned: success
  type: dict
  contains:
    pid:
      description: Its pid, V(0) when it cannot be seen from here.
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
    is_pid_one:
      description: Whether it is PID 1. Any other is a subreaper, and orphans may end with it.
      type: bool
      returned: always
    reaps:
      description: Whether it asked for the exit status of the orphan.
      type: bool
      returned: when that could be seen
    reason:
      description: The same as a sentence.
      type: str
      returned: always
chain:
  description: The process of the task and its ancestors, each with C(pid), C(name), C(command) and C(session).
  returned: success
  type: list
  elements: dict
session:
  description: Where the task stands.
  returned: success
  type: dict
  contains:
    id:
      description: The session id.
      type: int
      returned: always
    terminal:
      description: The controlling terminal.
      type: str
      returned: when there is one
    cgroup:
      description: The control group.
      type: str
      returned: always
    unit:
      description: The scope or service of systemd in it.
      type: str
      returned: when there is one
    slice:
      description: The slice of systemd in it.
      type: str
      returned: when there is one
    logind_session:
      description: The id of logind's session.
      type: str
      returned: when there is one
    below_user_manager:
      description: Whether it is below a user's systemd.
      type: bool
      returned: always
    user:
      description: The user.
      type: str
      returned: always
    uid:
      description: The number of the user.
      type: int
      returned: always
logout:
  description: What a logout does to a process that is left in the background here.
  returned: success
  type: dict
  contains:
    ends:
      description: Whether it ends.
      type: bool
      returned: when that can be known
    reason:
      description: Why, as a sentence.
      type: str
      returned: always
    kill_user_processes:
      description: The setting C(KillUserProcesses) of logind.
      type: bool
      returned: when it is known
    excluded_users:
      description: The setting C(KillExcludeUsers) of logind.
      type: list
      elements: str
      returned: always
    source:
      description: Who says so, logind itself or one of its files.
      type: str
      returned: always
    lingers:
      description: Whether the user's systemd stays after the last logout.
      type: bool
      returned: always
init:
  description: Who PID 1 is and who can be asked to start something.
  returned: success
  type: dict
  contains:
    kind:
      description:
        - One of V(foster), V(systemd), V(upstart), V(dinit), V(s6), V(runit), V(openrc), V(busybox), V(sysvinit),
          V(minder) (what a container engine puts in front of a program), V(application) or V(hidden).
      type: str
      returned: always
    pid_one:
      description: The name of PID 1.
      type: str
      returned: always
    reason:
      description: How that is known, as a sentence.
      type: str
      returned: always
    answers:
      description: Who answers, each with C(name), C(scope), C(address), C(pid) and C(problem), the best first.
      type: list
      elements: dict
      returned: always
capabilities:
  description: What the kernel offers and what this process may do.
  returned: success
  type: dict
  contains:
    kernel:
      description: The version of the kernel.
      type: str
      returned: always
    pidfd:
      description: Whether processes can be held by a descriptor.
      type: bool
      returned: always
    cgroups:
      description: The hierarchies of control groups, each with C(version), C(path) and C(writable).
      type: list
      elements: dict
      returned: always
    effective:
      description: The effective capabilities of the task.
      type: list
      elements: str
      returned: always
    no_new_privileges:
      description: Whether programs cannot gain privileges here.
      type: bool
      returned: always
"""

import os

from ansible_collections.foster.init.plugins.module_utils.ansible import surroundings
from ansible_collections.foster.init.plugins.module_utils.ansible.module import FosterModule


def work(module: FosterModule) -> dict:
    """Look around and return what was found."""
    return {"changed": False, **surroundings.look(os.environ)}


def main() -> None:
    """Entry point of the module."""
    FosterModule(argument_spec={}, supports_check_mode=True).run(work)


if __name__ == "__main__":
    main()
