#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: supervisor
short_description: Install, start, upgrade and remove the supervisor on a host
version_added: 0.1.0
author:
  - The foster.init developers (@foster-init)
description:
  - Installs the supervisor C(fosterd) and its command line C(fosterctl) as one file, and lets the host's init run
    it. Without an init, as in most containers, it becomes a daemon of its own.
  - The file is built on the controller and only transferred when the target has another one. The target needs Python
    3.9 or newer and nothing else.
  - An upgrade lets the running supervisor execute itself again. Its jobs run on.
extends_documentation_fragment:
  - foster.init.attributes
  - foster.init.attributes.action_group
  - foster.init.scope
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details: Not with O(state=restarted).
  action:
    description: >-
      Indicates this has a corresponding action plugin so some parts of the options can be executed on the controller.
    support: full
options:
  state:
    description:
      - V(present) installs it and lets the init know of it.
      - V(started) does that, and starts it where it does not run.
      - V(restarted) does that, and lets it execute itself again where it runs. Jobs run on.
      - V(stopped) stops the jobs and it.
      - V(absent) stops the jobs and it, and removes everything that was installed. Job files and logs stay, but see
        O(purge).
    type: str
    choices: [present, started, stopped, restarted, absent]
    default: started
  hosting:
    description:
      - What runs the supervisor, starts it with the host and brings it back when it is killed.
      - V(auto) is the init that is PID 1 and answers, whatever else is installed; V(none) where that is no init.
      - V(systemd) is a unit of the system, or of the user for O(scope=user), the only init that hosts a user's.
      - V(upstart) is a job in C(/etc/init), V(sysvinit) and V(busybox) are a line of C(/etc/inittab), V(openrc) is a
        service in the runlevel C(default), V(runit) and V(s6) are a service in the folder that is watched.
      - V(pid1) is a container whose PID 1 is the supervisor itself. It can be upgraded, and ends with the container.
      - V(none) is a daemon of its own, which a shell brings back when it is killed, and nobody after a reboot.
      - What is not V(auto) or V(none) fails where that init is not the one that runs.
    type: str
    choices: [auto, systemd, upstart, sysvinit, busybox, openrc, runit, s6, pid1, none]
    default: auto
  readers:
    description:
      - Who may ask the supervisor what runs. V(owner) is its own user and root, V(everyone) is every local user. Log
        lines and changes stay with its own user and root.
      - Without it nothing is changed. A new supervisor has V(owner).
    type: str
    choices: [owner, everyone]
  purge:
    description: Whether O(state=absent) removes the job files and the logs, too.
    type: bool
    default: false
  keep_jobs:
    description: Whether the jobs run on without a supervisor with O(state=stopped) and O(state=absent).
    type: bool
    default: false
  bundle:
    description: Set by the action plugin. The path of the transferred file on the target.
    type: path
  bundle_digest:
    description: Set by the action plugin. The name of what the file holds.
    type: str
seealso:
  - module: foster.init.job
"""

EXAMPLES = r"""
- name: The supervisor, running
  become: true
  foster.init.supervisor:

- name: One of my own, without root
  foster.init.supervisor:
    scope: user

- name: A supervisor that every user of the host may ask what runs
  become: true
  foster.init.supervisor:
    readers: everyone

- name: Gone, with all jobs and logs
  become: true
  foster.init.supervisor:
    state: absent
    purge: true
"""

RETURN = r"""
supervisor:
  description: The supervisor as it is after the task.
  returned: success
  type: dict
  contains:
    running:
      description: Whether it runs.
      type: bool
      returned: always
    pid:
      description: Its pid.
      type: int
      returned: when it runs
    hosting:
      description: What runs it, one of the choices of O(hosting) other than V(auto).
      type: str
      returned: always
    enabled:
      description: Whether it comes up with the host.
      type: bool
      returned: always
    bundle:
      description: The name of what is installed.
      type: str
      returned: when it is installed
    fosterctl:
      description: The path of its command line.
      type: str
      returned: always
    address:
      description: The D-Bus address that it listens on.
      type: str
      returned: always
    jobs:
      description: The folder of the job files.
      type: str
      returned: always
actions:
  description: What was done, or in check mode would be, in order. Empty when nothing had to change.
  returned: success
  type: list
  elements: str
  sample: [install /usr/local/lib/foster, start the supervisor]
"""

from ansible_collections.foster.init.plugins.module_utils.ansible.installation import (
    Installation,
    NeedsBundle,
    Request,
    layout_of,
)
from ansible_collections.foster.init.plugins.module_utils.ansible.module import SCOPE, FosterModule
from ansible_collections.foster.init.plugins.module_utils.inits.hosting.choose import NAMES
from ansible_collections.foster.init.plugins.module_utils.supervisor.settings import READERS


def work(module: FosterModule) -> dict:
    """Bring the supervisor to its state and return what the task returns."""
    given = module.params
    request = Request(
        state=given["state"],
        digest=given["bundle_digest"] or "",
        bundle=given["bundle"],
        purge=given["purge"],
        keep_jobs=given["keep_jobs"],
        readers=given["readers"],
        check=module.check_mode,
    )
    installation = Installation(request, layout_of(given["scope"]), given["hosting"])
    try:
        now = installation.run()
    except NeedsBundle:
        return {"changed": False, "needs_bundle": True}
    return {"supervisor": now, **installation.difference.result(module._diff)}


def main() -> None:
    """Entry point of the module."""
    FosterModule(
        argument_spec={
            "state": {
                "type": "str",
                "choices": ["present", "started", "stopped", "restarted", "absent"],
                "default": "started",
            },
            "hosting": {"type": "str", "choices": ["auto", *NAMES], "default": "auto"},
            "readers": {"type": "str", "choices": list(READERS)},
            "purge": {"type": "bool", "default": False},
            "keep_jobs": {"type": "bool", "default": False},
            "bundle": {"type": "path"},
            "bundle_digest": {"type": "str"},
            **SCOPE,
        },
        supports_check_mode=True,
    ).run(work)


if __name__ == "__main__":
    main()
