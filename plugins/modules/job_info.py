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
extends_documentation_fragment:
  - foster.init.attributes
  - foster.init.attributes.info
  - foster.init.attributes.action_group
  - foster.init.scope
options:
  name:
    description:
      - The job to tell about. Without it, all jobs.
      - A job that does not exist is no error, O(name) then gives an empty RV(jobs).
    type: str
  history:
    description: Whether to return what has happened to each job, too.
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

- name: Say why it does not run
  ansible.builtin.debug:
    var: web.jobs[0].why_not_running
  when: web.jobs[0].why_not_running is defined
"""

RETURN = r"""
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
      description: What runs, each with C(name), C(goal), C(state), C(processes), C(cgroup), C(log) and C(digest).
      type: list
      elements: dict
      returned: always
    last_failure:
      description: The last failure with process, exit status, signal or step, and the last lines of the log.
      type: dict
      returned: when there was one
    why_not_running:
      description: What the job waits for, or why it ended.
      type: raw
      returned: when no instance runs
    history:
      description: What has happened to it.
      type: raw
      returned: when O(history=true)
capabilities:
  description: What the supervisor found out about the host, and about itself.
  returned: success
  type: dict
"""

from ansible_collections.foster.init.plugins.module_utils.ansible.installation import layout_of
from ansible_collections.foster.init.plugins.module_utils.ansible.module import SCOPE, FosterModule
from ansible_collections.foster.init.plugins.module_utils.ansible.supervisor import Supervisor
from ansible_collections.foster.init.plugins.module_utils.job.names import check_name


def work(module: FosterModule) -> dict:
    """Ask the supervisor and return what it says."""
    name = module.params["name"]
    if name is not None:
        check_name(name)
    supervisor = Supervisor.open(f"unix:path={layout_of(module.params['scope']).socket}")
    jobs = []
    for each, described in sorted(supervisor.describe(*([name] if name else [])).items()):
        found = dict(described)
        if not found.get("instances"):
            found["why_not_running"] = supervisor.explain(each, "")
        if module.params["history"]:
            found["history"] = supervisor.history(each)
        jobs.append(found)
    return {"changed": False, "jobs": jobs, "capabilities": supervisor.capabilities()}


def main() -> None:
    """Entry point of the module."""
    FosterModule(
        argument_spec={"name": {"type": "str"}, "history": {"type": "bool", "default": False}, **SCOPE},
        supports_check_mode=True,
    ).run(work)


if __name__ == "__main__":
    main()
